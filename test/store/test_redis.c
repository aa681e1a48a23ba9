/* The Redis client of the loop against a real Redis, and against peers that are none. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/redis.h"
#include "store/redsync.h"

#define TIMEOUT_US (200 * CLOCK_US_PER_MS)

enum {
	MAX_CALLS = 2000
};

struct fixture;

struct call {
	struct fixture *f;
	enum err err; /* ERR_COUNT: not called back yet */
	int64_t value;
	char text[64];
	int order; /* of the callbacks, from 1 */
};

struct fixture {
	struct loop *loop;
	struct redis *redis;
	struct redsync *admin;
	struct redis_conf conf;
	char url[256];
	struct call calls[MAX_CALLS];
	int made, ended, connects;
};

static void
on_connect(struct redis *r, void *arg)
{
	struct fixture *f = arg;

	assert_true(redis_is_up(r));
	f->connects++;
}

/* Says words to Redis on a connection of its own. */
static const struct redis_reply *
say(struct fixture *f, const char *words)
{
	str argv[16];
	size_t argc = 0;
	str rest = str_of(words);

	while (rest.p != NULL && argc < 16)
		rest = str_cut(rest, ' ', &argv[argc++]);
	redsync_queue(f->admin, argc, argv);
	assert_int_equal(redsync_run(f->admin), ERR_OK);
	return redsync_reply(f->admin, 0);
}

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->admin = redsync_new(test_redis_url(), 5 * CLOCK_US_PER_SEC);
	say(f, "FLUSHALL");
	f->loop = loop_new();
	f->conf = (struct redis_conf){
		.url = test_redis_url(),
		.max_in_flight = 1000,
		.timeout_us = TIMEOUT_US,
		.on_connect = on_connect,
		.arg = f,
	};
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	redis_free(f->redis);
	loop_free(f->loop);
	redsync_free(f->admin);
	free(f);
	return 0;
}

static bool
is_up(void *arg)
{
	return redis_is_up(((struct fixture *)arg)->redis);
}

static bool
is_down(void *arg)
{
	return !is_up(arg);
}

static void
open_client(struct fixture *f)
{
	f->redis = redis_new(f->loop, &f->conf);
	assert_false(is_up(f));
	run_until(f->loop, is_up, f);
}

static void
on_reply(void *arg, enum err err, const struct redis_reply *reply)
{
	struct call *call = arg;

	assert_int_equal(call->err, ERR_COUNT);
	assert_true((err == ERR_OK) == (reply != NULL));
	call->err = err;
	call->order = ++call->f->ended;
	call->value = redis_i64(reply);
	snprintf(call->text, sizeof(call->text), "%.*s", STR_ARG(redis_str(reply)));
}

static struct call *
new_call(struct fixture *f)
{
	struct call *call = &f->calls[f->made++];

	assert_true(f->made <= MAX_CALLS);
	*call = (struct call){ .f = f, .err = ERR_COUNT };
	return call;
}

/* A command of words. */
static struct call *
command(struct fixture *f, const char *words)
{
	struct call *call = new_call(f);
	str argv[16];
	size_t argc = 0;
	str rest = str_of(words);

	while (rest.p != NULL && argc < 16)
		rest = str_cut(rest, ' ', &argv[argc++]);
	redis_command(f->redis, argc, argv, on_reply, call);
	assert_int_equal(call->err, ERR_COUNT);
	return call;
}

static struct redis_script add_script = {
	.lua = "return redis.call('INCRBY', KEYS[1], ARGV[1])",
};

static struct call *
eval(struct fixture *f, const char *key, const char *by)
{
	struct call *call = new_call(f);
	const str keys[] = { str_of(key) }, args[] = { str_of(by) };

	redis_eval(f->redis, &add_script, 1, keys, 1, args, on_reply, call);
	assert_int_equal(call->err, ERR_COUNT);
	return call;
}

static bool
all_ended(void *arg)
{
	struct fixture *f = arg;

	return f->ended == f->made;
}

static void
finish(struct fixture *f)
{
	run_until(f->loop, all_ended, f);
}

/* --- commands ------------------------------------------------------------------------
 */

static void
replies_come_in_order(void **state)
{
	struct fixture *f = *state;

	open_client(f);
	assert_int_equal(f->connects, 1);
	command(f, "SET k 41");
	command(f, "INCR k");
	command(f, "GET k");
	command(f, "GET nothing");
	command(f, "HSET h");
	command(f, "GET k");
	redis_command(
	    f->redis, 3, (str[]){ STR("SET"), STR("bin"), STR("a\0\r\n") }, NULL, NULL);
	command(f, "STRLEN bin");
	finish(f);
	for (int i = 0; i < f->made; i++)
		assert_int_equal(f->calls[i].order, i + 1);
	assert_string_equal(f->calls[0].text, "OK");
	assert_int_equal(f->calls[1].value, 42);
	assert_string_equal(f->calls[2].text, "42");
	assert_int_equal(f->calls[2].value, 42);
	assert_int_equal(f->calls[3].err, ERR_OK);
	assert_string_equal(f->calls[3].text, "");
	assert_int_equal(f->calls[4].err, ERR_INTERNAL);
	assert_int_equal(f->calls[5].err, ERR_OK);
	assert_int_equal(f->calls[6].value, 4);
}

static void
scripts_are_loaded_by_themselves(void **state)
{
	struct fixture *f = *state;
	const struct redis_reply *there;

	open_client(f);
	say(f, "SCRIPT FLUSH");
	for (int i = 0; i < 10; i++)
		eval(f, "sum", "1");
	finish(f);
	for (int i = 0; i < 10; i++)
		assert_int_equal(f->calls[i].err, ERR_OK);
	assert_int_equal(redis_i64(say(f, "GET sum")), 10);
	redsync_queue(
	    f->admin, 3, (str[]){ STR("SCRIPT"), STR("EXISTS"), str_of(add_script.sha) });
	assert_int_equal(redsync_run(f->admin), ERR_OK);
	there = redsync_reply(f->admin, 0);
	assert_int_equal(redis_i64(redis_at(there, 0)), 1);

	/* Forgotten between two that are under way. */
	eval(f, "sum", "1");
	command(f, "SCRIPT FLUSH");
	eval(f, "sum", "1");
	eval(f, "sum", "1");
	finish(f);
	for (int i = 10; i < 14; i++)
		assert_int_equal(f->calls[i].err, ERR_OK);
	assert_int_equal(redis_i64(say(f, "GET sum")), 13);
	/* A script that fails is not repeated. */
	eval(f, "sum", "x");
	finish(f);
	assert_int_equal(f->calls[14].err, ERR_INTERNAL);
}

static void
many_large_commands_go_through(void **state)
{
	struct fixture *f = *state;
	const size_t size = 1 << 20;
	char *text = xmalloc(size);
	str argv[] = { STR("ECHO"), { text, size } };

	f->conf.timeout_us = 5 * CLOCK_US_PER_SEC;
	open_client(f);
	memset(text, 'x', size);
	for (int i = 0; i < 30; i++)
		redis_command(f->redis, 2, argv, on_reply, new_call(f));
	free(text);
	finish(f);
	for (int i = 0; i < 30; i++)
		assert_int_equal(f->calls[i].err, ERR_OK);
}

static void
in_flight_has_a_bound(void **state)
{
	struct fixture *f = *state;

	f->conf.max_in_flight = 3;
	open_client(f);
	for (int i = 0; i < 5; i++)
		command(f, "INCR k");
	finish(f);
	for (int i = 0; i < 5; i++)
		assert_int_equal(f->calls[i].err, i < 3 ? ERR_OK : ERR_OVERLOAD);
	assert_int_equal(redis_i64(say(f, "GET k")), 3);
}

static void
on_chain(void *arg, enum err err, const struct redis_reply *reply)
{
	struct fixture *f = arg;

	(void)reply;
	assert_int_equal(err, ERR_OK);
	if (++f->ended < f->made)
		redis_command(f->redis, 1, (str[]){ STR("PING") }, on_chain, f);
}

static void
a_callback_may_send_the_next(void **state)
{
	struct fixture *f = *state;

	open_client(f);
	f->made = 500;
	redis_command(f->redis, 1, (str[]){ STR("PING") }, on_chain, f);
	finish(f);
}

static void
the_url_selects_the_database(void **state)
{
	struct fixture *f = *state;
	char host[64];
	int port;

	redis_address(host, &port);
	snprintf(f->url, sizeof(f->url), "redis://%s:%d/5", host, port);
	f->conf.url = f->url;
	open_client(f);
	command(f, "SET five 5");
	finish(f);
	say(f, "SELECT 5");
	assert_int_equal(redis_i64(say(f, "GET five")), 5);
}

static void
the_url_authenticates(void **state)
{
	struct fixture *f = *state;
	char host[64];
	int port;

	redis_address(host, &port);
	say(f, "ACL SETUSER me on >se:cr@t ~* +@all");
	snprintf(f->url, sizeof(f->url), "redis://me:se%%3Acr@t@%s:%d", host, port);
	f->conf.url = f->url;
	open_client(f);
	command(f, "ACL WHOAMI");
	finish(f);
	assert_string_equal(f->calls[0].text, "me");
	redis_free(f->redis);
	snprintf(f->url, sizeof(f->url), "redis://me:wrong@%s:%d", host, port);
	f->redis = redis_new(f->loop, &f->conf);
	run_for(f->loop, 200000);
	assert_false(is_up(f));
	say(f, "ACL DELUSER me");
}

static void
a_name_is_resolved(void **state)
{
	struct fixture *f = *state;
	char host[64];
	int port;

	redis_address(host, &port);
	snprintf(f->url, sizeof(f->url), "redis://localhost:%d", port);
	f->conf.url = f->url;
	open_client(f);
	redis_free(f->redis);
	/* RFC 6761: this one never exists. Freed while it is being looked up. */
	f->conf.url = "redis://no-such-host.invalid:1";
	f->redis = redis_new(f->loop, &f->conf);
	command(f, "PING");
	finish(f);
	assert_int_equal(f->calls[0].err, ERR_UNAVAILABLE);
	run_for(f->loop, 5000);
}

/* --- lost connections ----------------------------------------------------------------
 */

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
	int64_t begin_us;

	open_client(f);
	begin_us = clock_mono_us();
	command(f, "CLIENT PAUSE 600 ALL");
	command(f, "INCR k");
	command(f, "INCR k");
	finish(f);
	assert_int_equal(f->calls[0].err, ERR_OK);
	assert_true(f->calls[1].err == ERR_TIMEOUT);
	assert_true(f->calls[2].err == ERR_TIMEOUT || f->calls[2].err == ERR_UNAVAILABLE);
	assert_true(clock_mono_us() - begin_us < 3 * TIMEOUT_US);
	assert_false(is_up(f));
	run_until(f->loop, is_up, f);
}

static void
without_a_server_the_answer_is_immediate(void **state)
{
	struct fixture *f = *state;
	struct peer *peer = peer_new(NULL, 0);
	int64_t begin_us;

	snprintf(f->url, sizeof(f->url), "redis://127.0.0.1:%d", peer_port(peer));
	peer_free(peer);
	f->conf.url = f->url;
	f->redis = redis_new(f->loop, &f->conf);
	run_for(f->loop, 20000);
	begin_us = clock_mono_us();
	for (int i = 0; i < 1000; i++)
		command(f, "PING");
	finish(f);
	assert_true(clock_mono_us() - begin_us < 50000);
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
	f->redis = redis_new(f->loop, &f->conf);
	run_for(f->loop, 3 * TIMEOUT_US);
	assert_false(is_up(f));
	assert_true(peer_accepted(peer) >= 2);
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
	run_for(f->loop, 150000);
	assert_true(f->connects >= 1);
	assert_true(peer_accepted(peer) >= 2);
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

static void
what_is_pending_at_the_end_is_told(void **state)
{
	struct fixture *f = *state;

	f->conf.max_in_flight = 3;
	open_client(f);
	for (int i = 0; i < 5; i++)
		command(f, "PING");
	redis_free(f->redis);
	f->redis = NULL;
	run_for(f->loop, 1000);
	assert_int_equal(f->ended, 5);
	for (int i = 0; i < 3; i++)
		assert_int_equal(f->calls[i].err, ERR_DRAINING);
	for (int i = 3; i < 5; i++)
		assert_int_equal(f->calls[i].err, ERR_OVERLOAD);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(replies_come_in_order),
		TEST(scripts_are_loaded_by_themselves),
		TEST(many_large_commands_go_through),
		TEST(in_flight_has_a_bound),
		TEST(a_callback_may_send_the_next),
		TEST(the_url_selects_the_database),
		TEST(the_url_authenticates),
		TEST(a_name_is_resolved),
		TEST(a_closed_connection_is_opened_again),
		TEST(a_command_that_is_not_answered_times_out),
		TEST(without_a_server_the_answer_is_immediate),
		TEST(a_silent_server_is_never_up),
		TEST(a_server_that_is_no_redis_is_never_up),
		TEST(an_answer_too_many_breaks_the_connection),
		TEST(a_connection_may_end_at_every_byte),
		TEST(what_is_pending_at_the_end_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
