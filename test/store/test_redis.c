/* The Redis client of the loop against a real Redis. */
#include "redis_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
		TEST(what_is_pending_at_the_end_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
