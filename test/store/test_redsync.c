/* redsync against a real Redis, and against peers that are none. */
#include "support.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/redsync.h"

#define SHORT_US (300 * CLOCK_US_PER_MS) /* for who waits until it has passed */
#define RETRY_US (500 * CLOCK_US_PER_MS) /* redsync's, between two attempts */

static void
queue(struct redsync *r, const char *words)
{
	str argv[16];
	size_t argc = 0;
	str rest = str_of(words);

	while (rest.p != NULL && argc < 16)
		rest = str_cut(rest, ' ', &argv[argc++]);
	redsync_queue(r, argc, argv);
}

static int
set_up(void **state)
{
	struct redsync *r = redsync_new(test_redis_url(), TIMEOUT_US);

	queue(r, "FLUSHALL");
	*state = r;
	return redsync_run(r) == ERR_OK ? 0 : -1;
}

static int
tear_down(void **state)
{
	redsync_free(*state);
	return 0;
}

/* A client of a peer. */
static struct redsync *
client_of(struct peer *peer, int64_t timeout_us)
{
	char url[64];

	snprintf(url, sizeof(url), "redis://127.0.0.1:%d", peer_port(peer));
	return redsync_new(url, timeout_us);
}

static void
replies_are_those_of_the_last_run(void **state)
{
	struct redsync *r = *state;

	queue(r, "SET k 41");
	queue(r, "INCR k");
	queue(r, "NONSENSE");
	queue(r, "LRANGE none 0 -1");
	assert_int_equal(redsync_run(r), ERR_OK);
	assert_true(str_eq(redis_str(redsync_reply(r, 0)), STR("OK")));
	assert_int_equal(redis_i64(redsync_reply(r, 1)), 42);
	assert_null(redsync_reply(r, 2));
	assert_int_equal(redis_count(redsync_reply(r, 3)), 0);
	queue(r, "GET k");
	assert_int_equal(redsync_run(r), ERR_OK);
	assert_int_equal(redis_i64(redsync_reply(r, 0)), 42);
	assert_int_equal(redsync_run(r), ERR_OK);
}

static void
large_queues_do_not_hang(void **state)
{
	struct redsync *r = *state;
	const size_t size = 1 << 20;
	char *text = xmalloc(size);

	memset(text, 'x', size);
	redsync_free(r);
	*state = r = redsync_new(test_redis_url(), 10 * CLOCK_US_PER_SEC);
	for (int i = 0; i < 40; i++)
		redsync_queue(r, 2, (str[]){ STR("ECHO"), { text, size } });
	assert_int_equal(redsync_run(r), ERR_OK);
	for (size_t i = 0; i < 40; i++)
		assert_int_equal(redis_str(redsync_reply(r, i)).n, size);
	for (int i = 0; i < 10000; i++)
		queue(r, "INCR n");
	assert_int_equal(redsync_run(r), ERR_OK);
	assert_int_equal(redis_i64(redsync_reply(r, 9999)), 10000);
	free(text);
}

static void
a_closed_idle_connection_is_opened_again(void **state)
{
	struct redsync *r = *state;
	struct redsync *other = redsync_new(test_redis_url(), TIMEOUT_US);

	queue(other, "CLIENT KILL TYPE normal SKIPME yes");
	assert_int_equal(redsync_run(other), ERR_OK);
	redsync_free(other);
	queue(r, "PING");
	assert_int_equal(redsync_run(r), ERR_OK);
}

static void
a_missing_server_costs_nothing_for_a_while(void **state)
{
	struct peer *peer = peer_new(NULL, 0);
	struct redsync *r = client_of(peer, SHORT_US);
	int64_t begin_us = clock_mono_us(), least_us = INT64_MAX;

	(void)state;
	queue(r, "PING");
	assert_int_equal(redsync_run(r), ERR_UNAVAILABLE); /* silent */
	assert_null(redsync_reply(r, 0));
	assert_true(clock_mono_us() - begin_us >= SHORT_US);
	assert_true(clock_mono_us() - begin_us < FOREVER_US);
	for (int i = 0; i < 100; i++) {
		int64_t start_us = clock_mono_us(), end_us;

		queue(r, "PING");
		assert_int_equal(redsync_run(r), ERR_UNAVAILABLE);
		end_us = clock_mono_us();
		if (end_us - start_us < least_us)
			least_us = end_us - start_us;
		/* Later it may try again. */
		if (end_us < begin_us + SHORT_US + RETRY_US)
			assert_true(peer_accepted(peer) <= 1);
	}
	assert_true(least_us < CLOCK_US_PER_MS);
	peer_free(peer);
	redsync_free(r);
}

static void
a_server_that_comes_back_is_used_again(void **state)
{
	struct peer *peer;
	struct redsync *r;
	int64_t begin_us = clock_mono_us();
	char host[64];
	int port;

	(void)state;
	redis_address(host, &port);
	peer = peer_new(host, port);
	peer_limit(peer, 0);
	r = client_of(peer, TIMEOUT_US);
	queue(r, "SET dropped 1");
	assert_int_equal(redsync_run(r), ERR_UNAVAILABLE);
	peer_limit(peer, -1);
	for (;;) {
		queue(r, "EXISTS dropped");
		if (redsync_run(r) == ERR_OK)
			break;
		assert_true(clock_mono_us() - begin_us < FOREVER_US);
		poll(NULL, 0, 10);
	}
	assert_int_equal(redis_i64(redsync_reply(r, 0)), 0);
	assert_true(clock_mono_us() - begin_us > 400 * CLOCK_US_PER_MS);
	redsync_free(r);
	peer_free(peer);
}

static void
a_server_that_is_no_redis_is_unavailable(void **state)
{
	static const char *const greetings[] = { "HTTP/1.1 400 Bad Request\r\n\r\n",
		"*2147483647\r\n", "-LOADING Redis is loading\r\n", "-NOAUTH x\r\n",
		"+PONG\r\n+MORE\r\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(greetings); i++) {
		struct peer *peer = peer_new(NULL, 0);
		struct redsync *r = client_of(peer, TIMEOUT_US);

		peer_greet(peer, greetings[i]);
		queue(r, "PING");
		assert_int_equal(redsync_run(r), ERR_UNAVAILABLE);
		redsync_free(r);
		peer_free(peer);
	}
}

static void
a_connection_may_end_at_every_byte(void **state)
{
	struct redsync *admin = *state;
	enum err err = ERR_COUNT;
	struct peer *peer;
	char host[64];
	int port, limit = 0;

	redis_address(host, &port);
	peer = peer_new(host, port);
	while (err != ERR_OK) {
		struct redsync *r = client_of(peer, TIMEOUT_US);

		assert_true(limit < 200);
		peer_limit(peer, limit++);
		queue(r, "SET a 1");
		queue(r, "GET a");
		queue(r, "KEYS *");
		err = redsync_run(r);
		if (err != ERR_OK)
			assert_int_equal(err, ERR_UNAVAILABLE);
		redsync_free(r);
	}
	assert_true(limit > 20);
	queue(admin, "GET a");
	assert_int_equal(redsync_run(admin), ERR_OK);
	assert_int_equal(redis_i64(redsync_reply(admin, 0)), 1);
	peer_free(peer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* What was started is there for whoever looks; its replies disturb no later run. */
static void
a_start_does_not_wait(void **state)
{
	struct redsync *r = *state;
	struct redsync *other = redsync_new(test_redis_url(), TIMEOUT_US);

	for (int i = 0; i < 100; i++) {
		queue(r, "INCR k");
		queue(r, "NONSENSE");
		assert_int_equal(redsync_start(r), ERR_OK);
	}
	queue(r, "GET k");
	assert_int_equal(redsync_run(r), ERR_OK);
	assert_true(str_eq(redis_str(redsync_reply(r, 0)), STR("100")));
	queue(r, "INCR k");
	assert_int_equal(redsync_start(r), ERR_OK);
	assert_null(redsync_reply(r, 0));
	for (int64_t seen = 0; seen != 101;) {
		queue(other, "INCRBY k 0");
		assert_int_equal(redsync_run(other), ERR_OK);
		seen = redis_i64(redsync_reply(other, 0));
	}
	redsync_free(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(replies_are_those_of_the_last_run),
		TEST(large_queues_do_not_hang),
		TEST(a_closed_idle_connection_is_opened_again),
		TEST(a_missing_server_costs_nothing_for_a_while),
		TEST(a_server_that_comes_back_is_used_again),
		TEST(a_server_that_is_no_redis_is_unavailable),
		TEST(a_connection_may_end_at_every_byte),
		TEST(a_start_does_not_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
