/* The Redis client of the loop when Redis is lost, silent, or no Redis at all. */
#include "redis_fixture.h"

#include <stdio.h>

/* For those that wait until it has passed. */
#define SHORT_US (500 * CLOCK_US_PER_MS)

static bool
accepted_twice(void *peer)
{
	return peer_accepted(peer) >= 2;
}

static void
a_closed_connection_is_opened_again(void **state)
{
	struct fixture *f = *state;

	open_client(f);
	say(f, "CLIENT KILL TYPE normal SKIPME yes");
	run_until(f->loop, is_down, f);
	command(f, "PING");
	finish(f);
	assert_int_equal(f->calls[0].err, ERR_UNAVAILABLE);
	run_until(f->loop, is_up, f);
	assert_int_equal(f->connects, 2);
	command(f, "PING");
	finish(f);
	assert_int_equal(f->calls[1].err, ERR_OK);
}

static void
a_command_that_is_not_answered_times_out(void **state)
{
	struct fixture *f = *state;

	f->conf.timeout_us = SHORT_US;
	open_client(f);
	say(f, "CLIENT PAUSE 60000 WRITE"); /* PING is still answered */
	command(f, "INCR k");
	command(f, "INCR k");
	finish(f);
	assert_true(f->calls[0].err == ERR_TIMEOUT);
	assert_true(f->calls[1].err == ERR_TIMEOUT || f->calls[1].err == ERR_UNAVAILABLE);
	assert_false(is_up(f));
	run_until(f->loop, is_up, f);
}

static int
unpause(void **state)
{
	say(*state, "CLIENT UNPAUSE");
	return tear_down(state);
}

static void
without_a_server_the_answer_is_immediate(void **state)
{
	struct fixture *f = *state;
	struct peer *peer = peer_new(NULL, 0);

	snprintf(f->url, sizeof(f->url), "redis://127.0.0.1:%d", peer_port(peer));
	peer_free(peer);
	f->conf.url = f->url;
	f->redis = redis_new(f->loop, &f->conf);
	run_for(f->loop, 20000);
	for (int i = 0; i < 1000; i++)
		command(f, "PING");
	run_jobs(f->loop);
	assert_int_equal(f->ended, f->made);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(f->calls[i].err, ERR_UNAVAILABLE);
}

static void
a_silent_server_is_never_up(void **state)
{
	struct fixture *f = *state;
	struct peer *peer = peer_new(NULL, 0);

	snprintf(f->url, sizeof(f->url), "redis://127.0.0.1:%d", peer_port(peer));
	f->conf.url = f->url;
	f->conf.timeout_us = SHORT_US;
	f->redis = redis_new(f->loop, &f->conf);
	run_until(f->loop, accepted_twice, peer);
	assert_false(is_up(f));
	assert_int_equal(f->connects, 0);
	command(f, "PING");
	finish(f);
	assert_int_equal(f->calls[0].err, ERR_UNAVAILABLE);
	redis_free(f->redis);
	f->redis = NULL;
	peer_free(peer);
}

static void
a_server_that_is_no_redis_is_never_up(void **state)
{
	static const char *const greetings[] = { "HTTP/1.1 400 Bad Request\r\n\r\n",
		"*2147483647\r\n", "$999999999999\r\n", "-LOADING Redis is loading\r\n",
		"-NOAUTH Authentication required.\r\n", "\r\n", "+", "$5\r\nhel" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(greetings); i++) {
		struct peer *peer = peer_new(NULL, 0);

		peer_greet(peer, greetings[i]);
		snprintf(f->url, sizeof(f->url), "redis://127.0.0.1:%d", peer_port(peer));
		f->conf.url = f->url;
		f->redis = redis_new(f->loop, &f->conf);
		run_for(f->loop, 30000);
		assert_false(is_up(f));
		redis_free(f->redis);
		f->redis = NULL;
		peer_free(peer);
	}
}

static void
an_answer_too_many_breaks_the_connection(void **state)
{
	struct fixture *f = *state;
	struct peer *peer = peer_new(NULL, 0);

	peer_greet(peer, "+PONG\r\n+MORE\r\n");
	snprintf(f->url, sizeof(f->url), "redis://127.0.0.1:%d", peer_port(peer));
	f->conf.url = f->url;
	f->redis = redis_new(f->loop, &f->conf);
	run_until(f->loop, accepted_twice, peer);
	assert_true(f->connects >= 1);
	peer_free(peer);
}

/* The server's bytes end after 0, 1, 2, … of them: each call is ended once, and none that
 * Redis did not do is reported as done. */
static void
a_connection_may_end_at_every_byte(void **state)
{
	struct fixture *f = *state;
	struct peer *peer;
	char host[64];
	int port, limit = 0;
	int64_t answered = 0;

	redis_address(host, &port);
	peer = peer_new(host, port);
	snprintf(f->url, sizeof(f->url), "redis://127.0.0.1:%d/1", peer_port(peer));
	f->conf.url = f->url;
	say(f, "SELECT 1");
	while (answered < 4) {
		int accepted = peer_accepted(peer);

		assert_true(limit < 500);
		peer_limit(peer, limit++);
		say(f, "FLUSHALL");
		say(f, "SCRIPT FLUSH");
		f->made = f->ended = 0;
		f->redis = redis_new(f->loop, &f->conf);
		while (!is_up(f) && peer_accepted(peer) < accepted + 2)
			run_for(f->loop, 1000);
		command(f, "INCR k");
		eval(f, "k", "1");
		command(f, "KEYS *");
		eval(f, "k", "1");
		finish(f);
		answered = 0;
		for (int i = 0; i < 4; i++) {
			assert_true(f->calls[i].err == ERR_OK ||
				    f->calls[i].err == ERR_UNAVAILABLE);
			answered += f->calls[i].err == ERR_OK;
		}
		redis_free(f->redis);
		f->redis = NULL;
		assert_true(redis_i64(say(f, "GET k")) >= answered - 1);
	}
	assert_true(limit > 100);
	assert_int_equal(redis_i64(say(f, "GET k")), 3);
	peer_free(peer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_closed_connection_is_opened_again),
		cmocka_unit_test_setup_teardown(
		    a_command_that_is_not_answered_times_out, set_up, unpause),
		TEST(without_a_server_the_answer_is_immediate),
		TEST(a_silent_server_is_never_up),
		TEST(a_server_that_is_no_redis_is_never_up),
		TEST(an_answer_too_many_breaks_the_connection),
		TEST(a_connection_may_end_at_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
