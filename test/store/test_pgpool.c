/* The pool against a real PostgreSQL: outcomes, bounds and the end. */
#include "pgpool_fixture.h"

#include <stdio.h>
#include <string.h>

/* --- outcomes ------------------------------------------------------------------------
 */

static void
one_that_fails_does_not_fail_its_neighbours(void **state)
{
	struct fixture *f = *state;
	struct call *calls[5];

	f->conf.conns = 1;
	open_pool(f);
	calls[0] = exec_insert(f, &insert, 1, "a");
	calls[1] = exec_insert(f, &insert, 1, "b");
	calls[2] = exec_insert(f, &insert, 2, "c");
	calls[3] = exec_insert(f, &insert_two, 3, "same");
	calls[4] = exec_insert(f, &insert, 5, "d");
	finish(f);
	for (int i = 0; i < 5; i++)
		assert_int_equal(calls[i]->order, i + 1);
	assert_int_equal(calls[0]->err, ERR_OK);
	assert_int_equal(calls[0]->value, 1);
	assert_int_equal(calls[1]->err, ERR_INTERNAL);
	assert_string_equal(calls[1]->sqlstate, "23505");
	assert_int_equal(calls[2]->err, ERR_OK);
	/* This one fails only when it commits, after its INSERT 0 2. */
	assert_int_equal(calls[3]->err, ERR_INTERNAL);
	assert_string_equal(calls[3]->sqlstate, "23505");
	assert_int_equal(calls[4]->err, ERR_OK);
	assert_int_equal(admin_i64(COUNT_T), 3);
}

static void
statements_are_prepared_once(void **state)
{
	static const struct pg_stmt wrong = { "wrong", "SELEC 1" };
	static const struct pg_stmt check = { "check",
		"SELECT 1 / (count(*) = 1)::int FROM pg_prepared_statements"
		" WHERE name = 'insert'" };
	struct fixture *f = *state;

	open_pool(f);
	for (int i = 0; i < 200; i++)
		exec_insert(f, &insert, i, NULL);
	finish(f);
	for (int i = 0; i < 10; i++)
		exec(f, &check, NULL);
	finish(f);
	for (int i = 0; i < f->made; i++)
		assert_int_equal(f->calls[i].err, ERR_OK);
	for (int i = 0; i < 3; i++) {
		exec(f, &wrong, NULL);
		finish(f);
		assert_int_equal(f->calls[f->made - 1].err, ERR_INTERNAL);
		assert_string_equal(f->calls[f->made - 1].sqlstate, "42601");
	}
	assert_int_equal(admin_i64(COUNT_T), 200);
}

static void
a_slow_statement_is_a_retry_and_the_next_go_on(void **state)
{
	/* Three quarters of TIMEOUT_US; a shorter limit saves waiting for it. */
	static const struct pg_stmt check = { "check",
		"SELECT 1 / (current_setting('statement_timeout') = '7500ms')::int" };
	static const struct pg_stmt short_limit = { "short_limit",
		"SET statement_timeout = 100" };
	struct fixture *f = *state;
	struct call *slow, *next;

	f->conf.conns = 1;
	open_pool(f);
	exec(f, &check, NULL);
	exec(f, &short_limit, NULL);
	slow = exec_i64(f, &sleep_ms, 5000);
	exec(f, &no_limit, NULL);
	next = exec_insert(f, &insert, 1, "a");
	finish(f);
	assert_int_equal(f->calls[0].err, ERR_OK);
	assert_int_equal(slow->err, ERR_CONFLICT_RETRY);
	assert_int_equal(next->err, ERR_OK);
}

static void
a_changed_table_is_prepared_again(void **state)
{
	static const struct pg_stmt all = { "all", "SELECT * FROM t" };
	struct fixture *f = *state;

	f->conf.conns = 1;
	open_pool(f);
	exec(f, &all, NULL);
	finish(f);
	admin("ALTER TABLE t ADD COLUMN more int");
	exec(f, &all, NULL);
	exec_insert(f, &insert, 1, "a");
	finish(f);
	assert_int_equal(f->calls[1].err, ERR_INTERNAL);
	/* Its neighbour was not given up with the connection. */
	assert_int_equal(f->calls[2].err, ERR_OK);
	run_until(f->loop, all_up, f);
	exec(f, &all, NULL);
	finish(f);
	assert_int_equal(f->calls[3].err, ERR_OK);
}

static void
large_values_go_both_ways(void **state)
{
	static const struct pg_stmt echo = { "echo",
		"SELECT 1 WHERE length($1::text) = 1048576 UNION ALL SELECT 2"
		" WHERE length(repeat($1, 2)) = 1" };
	static const struct pg_stmt back = { "back", "SELECT $1::text" };
	struct fixture *f = *state;
	const size_t size = 1 << 20;
	char *text = arena_alloc(f->arena, size);
	struct pg_params p;

	f->conf.conns = 1;
	open_pool(f);
	memset(text, 'x', size);
	pg_params_init(&p, f->arena);
	pg_add_str(&p, (str){ text, size });
	for (int i = 0; i < 20; i++)
		exec(f, i % 2 ? &echo : &back, &p);
	finish(f);
	for (int i = 0; i < f->made; i++)
		assert_int_equal(f->calls[i].err, ERR_OK);
}

/* --- bounds --------------------------------------------------------------------------
 */

static void
the_queue_has_a_bound(void **state)
{
	struct fixture *f = *state;

	f->conf.conns = 1;
	f->conf.max_in_flight = 2;
	f->conf.max_queue = 3;
	open_pool(f);
	for (int i = 0; i < 10; i++)
		exec_insert(f, &insert, i, NULL);
	finish(f);
	for (int i = 0; i < 10; i++)
		assert_int_equal(f->calls[i].err, i < 5 ? ERR_OK : ERR_OVERLOAD);
	assert_int_equal(admin_i64("SELECT sum(id) FROM t"), 10);
}

static void
queued_parameters_are_copies(void **state)
{
	struct fixture *f = *state;

	f->conf.conns = 1;
	f->conf.max_in_flight = 1;
	open_pool(f);
	for (int i = 0; i < 50; i++) {
		exec_insert(f, &insert, i, i % 2 ? "" : NULL);
		arena_reset(f->arena);
	}
	finish(f);
	assert_int_equal(admin_i64("SELECT count(*) FROM t WHERE note IS NULL"), 25);
	/* The empty notes are equal: the first one wins. */
	assert_int_equal(admin_i64("SELECT count(*) FROM t WHERE note = ''"), 1);
	assert_int_equal(admin_i64("SELECT sum(id) FROM t WHERE note IS NULL"), 600);
}

static bool
last_ended(void *arg)
{
	struct fixture *f = arg;

	return f->calls[f->made - 1].err != ERR_COUNT;
}

/* Two wait in the queue. The first of them is sent then, but gets its lock only when the
 * other one has been given up: it would end well if its deadline counted from then on. */
static void
what_waits_too_long_in_the_queue_was_not_executed(void **state)
{
	static const struct pg_stmt no_limits = { "no_limits",
		"SELECT set_config('statement_timeout', '0', false),"
		" set_config('lock_timeout', '0', false)" };
	static const struct pg_stmt lock = { "lock", "SELECT pg_advisory_lock(1)" };
	struct pgsync *holder = pgsync_new(test_pg_dsn(), "holder", TIMEOUT_US);
	struct fixture *f = *state;

	pgsync_queue(holder, &lock, NULL);
	assert_int_equal(pgsync_run(holder), ERR_OK);
	f->conf.conns = 1;
	f->conf.max_in_flight = 1;
	f->conf.timeout_us = SHORT_US;
	open_pool(f);
	exec(f, &no_limits, NULL);
	finish(f);
	exec_i64(f, &sleep_ms, 200);
	exec(f, &lock, NULL);
	exec_insert(f, &insert, 1, "a");
	run_until(f->loop, last_ended, f);
	pgsync_free(holder);
	finish(f);
	assert_int_equal(f->calls[1].err, ERR_OK);
	assert_int_equal(f->calls[2].err, ERR_UNKNOWN_OUTCOME);
	assert_int_equal(f->calls[3].err, ERR_UNAVAILABLE);
	/* Had it been sent, then or now, the server would execute it before it ends. */
	run_until(f->loop, all_up, f);
	pgpool_free(f->pool);
	f->pool = NULL;
	admin_until("SELECT count(*) FROM pg_stat_activity WHERE" OURS, 0);
	assert_int_equal(admin_i64(COUNT_T), 0);
}

/* --- the end and re-entrance ---------------------------------------------------------
 */

static void
what_is_pending_at_the_end_is_told(void **state)
{
	struct fixture *f = *state;

	f->conf.conns = 1;
	f->conf.max_in_flight = 2;
	f->conf.max_queue = 2;
	open_pool(f);
	for (int i = 0; i < 5; i++)
		exec_i64(f, &sleep_ms, 1);
	pgpool_free(f->pool);
	f->pool = NULL;
	assert_int_equal(f->ended, 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(f->calls[i].err, ERR_DRAINING);
}

static void
on_chain(void *arg, enum err err, const struct pg_result *result, const char *sqlstate)
{
	struct fixture *f = arg;

	(void)result, (void)sqlstate;
	assert_int_equal(err, ERR_OK);
	if (++f->ended < f->made)
		pgpool_exec(f->pool, &one, NULL, on_chain, f);
}

static void
a_callback_may_send_the_next(void **state)
{
	struct fixture *f = *state;

	open_pool(f);
	f->made = 300;
	pgpool_exec(f->pool, &one, NULL, on_chain, f);
	finish(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_that_fails_does_not_fail_its_neighbours),
		TEST(statements_are_prepared_once),
		TEST(a_slow_statement_is_a_retry_and_the_next_go_on),
		TEST(a_changed_table_is_prepared_again),
		TEST(large_values_go_both_ways),
		TEST(the_queue_has_a_bound),
		TEST(queued_parameters_are_copies),
		TEST(what_waits_too_long_in_the_queue_was_not_executed),
		TEST(what_is_pending_at_the_end_is_told),
		TEST(a_callback_may_send_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
