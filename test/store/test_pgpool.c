/* The pool against a real PostgreSQL: outcomes, bounds, deadlines, lost connections. */
#include "support.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/pgpool.h"

#define TIMEOUT_US (CLOCK_US_PER_SEC)
#define COUNT_T    "SELECT count(*) FROM t"
#define OURS       " application_name = 'onrush-pool'"
#define KILL_OURS  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE" OURS

enum {
	MAX_CALLS = 4096
};

static const struct pg_stmt insert = { "insert", "INSERT INTO t VALUES ($1, $2)" };
static const struct pg_stmt insert_two = { "insert_two",
	"INSERT INTO t VALUES ($1, $2), ($1 + 1, $2)" };
static const struct pg_stmt sleep_ms = { "sleep", "SELECT pg_sleep($1::float8 / 1000)" };
static const struct pg_stmt one = { "one", "SELECT 1" };
static const struct pg_stmt no_limit = { "no_limit", "SET statement_timeout = 0" };

struct fixture;

struct call {
	struct fixture *f;
	enum err err; /* ERR_COUNT: not called back yet */
	int64_t value;
	char sqlstate[6];
	int order; /* of the callbacks, from 1 */
};

struct fixture {
	struct loop *loop;
	struct pgpool *pool;
	struct arena *arena;
	struct pgpool_conf conf;
	struct call calls[MAX_CALLS];
	int made, ended;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	admin("DROP TABLE IF EXISTS t;"
	      "CREATE TABLE t (id bigint PRIMARY KEY, note text,"
	      " UNIQUE (note) DEFERRABLE INITIALLY DEFERRED)");
	f->loop = loop_new();
	f->arena = arena_new();
	f->conf = (struct pgpool_conf){
		.dsn = test_pg_dsn(),
		.role_note = "pool",
		.conns = 2,
		.max_in_flight = 64,
		.max_queue = 1000,
		.timeout_us = TIMEOUT_US,
	};
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	pgpool_free(f->pool);
	loop_free(f->loop);
	arena_free(f->arena);
	free(f);
	admin_until("SELECT count(*) FROM pg_stat_activity WHERE" OURS, 0);
	return 0;
}

static bool
all_up(void *arg)
{
	struct fixture *f = arg;
	size_t conns, in_flight, queued;

	pgpool_stats(f->pool, &conns, &in_flight, &queued);
	return conns == f->conf.conns && pgpool_is_up(f->pool);
}

static bool
none_up(void *arg)
{
	struct fixture *f = arg;

	return !pgpool_is_up(f->pool);
}

static void
open_pool(struct fixture *f)
{
	f->pool = pgpool_new(f->loop, &f->conf);
	assert_false(pgpool_is_up(f->pool));
	run_until(f->loop, all_up, f);
}

static void
on_result(void *arg, enum err err, const struct pg_result *result, const char *sqlstate)
{
	struct call *call = arg;

	assert_int_equal(call->err, ERR_COUNT);
	call->err = err;
	call->order = ++call->f->ended;
	snprintf(call->sqlstate, sizeof(call->sqlstate), "%s", sqlstate);
	if (err == ERR_OK) {
		assert_non_null(result);
		call->value = pg_rows(result) > 0 ? 1 : pg_affected(result);
	} else if (err != ERR_INTERNAL) {
		assert_null(result);
	}
}

static struct call *
exec(struct fixture *f, const struct pg_stmt *stmt, const struct pg_params *params)
{
	struct call *call = &f->calls[f->made++];

	assert_true(f->made <= MAX_CALLS);
	*call = (struct call){ .f = f, .err = ERR_COUNT };
	pgpool_exec(f->pool, stmt, params, on_result, call);
	assert_int_equal(call->err, ERR_COUNT);
	return call;
}

static struct call *
exec_i64(struct fixture *f, const struct pg_stmt *stmt, int64_t value)
{
	struct pg_params p;

	pg_params_init(&p, f->arena);
	pg_add_i64(&p, value);
	return exec(f, stmt, &p);
}

static struct call *
exec_insert(struct fixture *f, const struct pg_stmt *stmt, int64_t id, const char *note)
{
	struct pg_params p;

	pg_params_init(&p, f->arena);
	pg_add_i64(&p, id);
	pg_add_str(&p, str_of(note));
	return exec(f, stmt, &p);
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
	size_t conns, in_flight, queued;

	run_until(f->loop, all_ended, f);
	pgpool_stats(f->pool, &conns, &in_flight, &queued);
	assert_int_equal(in_flight, 0);
	assert_int_equal(queued, 0);
}

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
	struct fixture *f = *state;
	struct call *slow, *next;

	f->conf.conns = 1;
	open_pool(f);
	slow = exec_i64(f, &sleep_ms, 5000);
	next = exec_insert(f, &insert, 1, "a");
	finish(f);
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
	f->conf.timeout_us = 8 * CLOCK_US_PER_SEC;
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

static void
what_waits_too_long_in_the_queue_was_not_executed(void **state)
{
	struct fixture *f = *state;

	f->conf.conns = 1;
	f->conf.max_in_flight = 1;
	open_pool(f);
	exec(f, &no_limit, NULL);
	finish(f);
	exec_i64(f, &sleep_ms, 900);
	exec_i64(f, &sleep_ms, 300);
	exec_insert(f, &insert, 1, "a");
	finish(f);
	assert_int_equal(f->calls[1].err, ERR_OK);
	assert_int_equal(f->calls[2].err, ERR_UNKNOWN_OUTCOME);
	assert_int_equal(f->calls[3].err, ERR_UNAVAILABLE);
	run_for(f->loop, 300000);
	assert_int_equal(admin_i64(COUNT_T), 0);
}

/* --- lost connections ----------------------------------------------------------------
 */

static void
a_missed_deadline_makes_all_that_was_sent_unknown(void **state)
{
	struct fixture *f = *state;
	int64_t begin_us;

	f->conf.conns = 1;
	open_pool(f);
	exec(f, &no_limit, NULL);
	finish(f);
	begin_us = clock_mono_us();
	exec_i64(f, &sleep_ms, 5000);
	exec_insert(f, &insert, 1, "a");
	finish(f);
	assert_true(clock_mono_us() - begin_us < 2 * TIMEOUT_US);
	assert_int_equal(f->calls[1].err, ERR_UNKNOWN_OUTCOME);
	assert_int_equal(f->calls[2].err, ERR_UNKNOWN_OUTCOME);
	exec(f, &one, NULL);
	finish(f);
	assert_int_equal(f->calls[3].err, ERR_UNAVAILABLE);
	run_until(f->loop, all_up, f);
	exec(f, &one, NULL);
	finish(f);
	assert_int_equal(f->calls[4].err, ERR_OK);
	admin(KILL_OURS);
}

static void *
kill_sleepers(void *arg)
{
	(void)arg;
	admin_until("SELECT count(*) FROM pg_stat_activity WHERE" OURS
		    " AND wait_event = 'PgSleep'",
	    2);
	admin(KILL_OURS);
	return NULL;
}

static void
killed_backends_leave_unknown_and_come_back(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;

	open_pool(f);
	exec_i64(f, &sleep_ms, 700);
	exec_i64(f, &sleep_ms, 700);
	exec_insert(f, &insert, 1, "a");
	pthread_create(&thread, NULL, kill_sleepers, NULL);
	finish(f);
	pthread_join(thread, NULL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(f->calls[i].err, ERR_UNKNOWN_OUTCOME);
	assert_int_equal(admin_i64(COUNT_T), 0);
	run_until(f->loop, all_up, f);
	exec_insert(f, &insert, 2, "b");
	finish(f);
	assert_int_equal(f->calls[3].err, ERR_OK);
}

static void
one_lost_connection_leaves_the_other(void **state)
{
	struct fixture *f = *state;

	open_pool(f);
	admin("SELECT pg_terminate_backend(min(pid)) FROM pg_stat_activity WHERE" OURS);
	run_for(f->loop, 20000);
	assert_true(pgpool_is_up(f->pool));
	for (int i = 0; i < 10; i++)
		exec_insert(f, &insert, i, NULL);
	finish(f);
	for (int i = 0; i < 10; i++)
		assert_int_equal(f->calls[i].err, ERR_OK);
	run_until(f->loop, all_up, f);
}

/* As in a crash: kill -9 of a backend makes PostgreSQL drop all and recover. */
static void
a_crashed_server_is_unavailable_and_comes_back(void **state)
{
	struct fixture *f = *state;
	struct pgsync *pg = pgsync_new(test_pg_dsn(), "killer", 5 * CLOCK_US_PER_SEC);
	int64_t acked = 0;

	f->conf.max_in_flight = 4;
	open_pool(f);
	for (int i = 0; i < 200; i++)
		exec_insert(f, &insert, i, NULL);
	run_for(f->loop, 5000);
	(void)!pgsync_script(pg,
	    "DO $$ DECLARE p int; BEGIN SELECT min(pid) INTO p FROM pg_stat_activity"
	    " WHERE" OURS "; EXECUTE format('COPY (SELECT 1) TO PROGRAM ''kill -9 %s''',"
	    " p); END $$");
	pgsync_free(pg);
	run_until(f->loop, none_up, f);
	finish(f);
	exec(f, &one, NULL);
	finish(f);
	run_until(f->loop, all_up, f);
	exec_insert(f, &insert, 1000, "back");
	finish(f);
	assert_int_equal(f->calls[f->made - 1].err, ERR_OK);
	for (int i = 0; i < 200; i++) {
		char sql[80];

		if (f->calls[i].err != ERR_OK)
			continue;
		acked++;
		snprintf(sql, sizeof(sql), COUNT_T " WHERE id = %d", i);
		assert_int_equal(admin_i64(sql), 1);
	}
	assert_true(acked > 0);
}

static void
without_a_server_the_answer_is_immediate(void **state)
{
	struct fixture *f = *state;
	struct peer *peer = peer_new(NULL, 0);
	int port = peer_port(peer);
	char dsn[1024];

	peer_free(peer);
	snprintf(dsn, sizeof(dsn), "%s host=127.0.0.1 port=%d", test_pg_dsn(), port);
	f->conf.dsn = dsn;
	f->pool = pgpool_new(f->loop, &f->conf);
	for (int i = 0; i < 3; i++) {
		int64_t begin_us = clock_mono_us();

		exec(f, &one, NULL);
		finish(f);
		assert_true(clock_mono_us() - begin_us < 100000);
		assert_int_equal(f->calls[i].err, ERR_UNAVAILABLE);
	}
	run_for(f->loop, 300000);
	assert_false(pgpool_is_up(f->pool));
}

static void
a_silent_server_is_never_up(void **state)
{
	struct fixture *f = *state;
	struct peer *peer = peer_new(NULL, 0);
	char dsn[1024];

	snprintf(dsn, sizeof(dsn), "%s host=127.0.0.1 port=%d", test_pg_dsn(),
	    peer_port(peer));
	f->conf.dsn = dsn;
	f->pool = pgpool_new(f->loop, &f->conf);
	run_for(f->loop, 100000);
	exec(f, &one, NULL);
	finish(f);
	assert_int_equal(f->calls[0].err, ERR_UNAVAILABLE);
	pgpool_free(f->pool); /* while connecting */
	f->pool = NULL;
	run_for(f->loop, 1000);
	peer_free(peer);
}

static void
a_role_that_does_not_wait_for_commits_is_refused(void **state)
{
	struct fixture *f = *state;
	char dsn[1024];

	snprintf(
	    dsn, sizeof(dsn), "%s options='-c synchronous_commit=off'", test_pg_dsn());
	f->conf.dsn = dsn;
	f->pool = pgpool_new(f->loop, &f->conf);
	run_for(f->loop, 200000);
	assert_false(pgpool_is_up(f->pool));
}

/* The first host accepts and is silent: the attempt after it begins with the second. */
static void
the_next_host_gets_its_turn(void **state)
{
	struct fixture *f = *state;
	struct peer *peer = peer_new(NULL, 0);
	char host[64], dsn[1024];
	int port;

	pg_address(host, &port);
	snprintf(dsn, sizeof(dsn), "%s host=localhost,%s port=%d,%d", test_pg_dsn(), host,
	    peer_port(peer), port);
	f->conf.dsn = dsn;
	f->conf.conns = 1;
	f->pool = pgpool_new(f->loop, &f->conf);
	run_until(f->loop, all_up, f);
	exec(f, &one, NULL);
	finish(f);
	assert_int_equal(f->calls[0].err, ERR_OK);
	peer_free(peer);
}

/* The server's bytes end after 0, 1, 2, … of them: what is reported must be true. */
static void
a_connection_may_end_at_every_byte(void **state)
{
	struct fixture *f = *state;
	struct peer *peer;
	char host[64], dsn[1024];
	int port, unknown = 0, limit = 0;
	enum err last = ERR_COUNT;

	pg_address(host, &port);
	peer = peer_new(host, port);
	snprintf(dsn, sizeof(dsn), "%s host=127.0.0.1 port=%d sslmode=disable",
	    test_pg_dsn(), peer_port(peer));
	f->conf.dsn = dsn;
	f->conf.conns = 1;
	while (last != ERR_OK) {
		int64_t due_us = clock_mono_us() + 2 * CLOCK_US_PER_SEC;
		struct call *calls[3];
		int accepted = peer_accepted(peer);

		assert_true(limit < 4000);
		peer_limit(peer, limit);
		f->made = f->ended = 0;
		f->pool = pgpool_new(f->loop, &f->conf);
		while (!pgpool_is_up(f->pool) && peer_accepted(peer) < accepted + 2 &&
		       clock_mono_us() < due_us)
			run_for(f->loop, 2000);
		calls[0] = exec_insert(f, &insert, 1, NULL);
		calls[1] = exec_insert(f, &insert_two, 10, "same");
		calls[2] = exec_insert(f, &insert, 2, NULL);
		finish(f);
		pgpool_free(f->pool);
		f->pool = NULL;
		admin_until("SELECT count(*) FROM pg_stat_activity WHERE" OURS, 0);
		for (int i = 0; i < 3; i += 2) {
			int64_t there = admin_i64(
			    i == 0 ? COUNT_T " WHERE id = 1" : COUNT_T " WHERE id = 2");

			if (calls[i]->err == ERR_OK)
				assert_int_equal(there, 1);
			else if (calls[i]->err == ERR_UNAVAILABLE)
				assert_int_equal(there, 0);
			else
				assert_int_equal(calls[i]->err, ERR_UNKNOWN_OUTCOME);
			unknown += calls[i]->err == ERR_UNKNOWN_OUTCOME;
		}
		assert_int_not_equal(calls[1]->err, ERR_OK);
		last = calls[2]->err;
		/* Little happens while it connects; every byte counts after that. */
		limit += calls[0]->err == ERR_UNAVAILABLE ? 29 : 1;
		admin("TRUNCATE t");
	}
	assert_true(unknown > 20);
	peer_free(peer);
}

static void *
cancel_standby_wait(void *arg)
{
	(void)arg;
	admin_until("SELECT count(*) FROM pg_stat_activity WHERE" OURS
		    " AND wait_event = 'SyncRep'",
	    1);
	admin("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE" OURS
	      " AND wait_event = 'SyncRep'");
	return NULL;
}

static void
a_cut_standby_wait_is_unknown(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;

	f->conf.conns = 1;
	open_pool(f);
	admin("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
	admin("SELECT pg_reload_conf()");
	admin_until("SELECT count(*) FROM pg_settings WHERE"
		    " name = 'synchronous_standby_names' AND setting = 'nobody'",
	    1);
	pthread_create(&thread, NULL, cancel_standby_wait, NULL);
	exec(f, &one, NULL);
	exec_insert(f, &insert, 1, "a");
	exec(f, &one, NULL);
	finish(f);
	pthread_join(thread, NULL);
	assert_int_equal(f->calls[0].err, ERR_OK);
	assert_int_equal(f->calls[1].err, ERR_UNKNOWN_OUTCOME);
	assert_int_equal(f->calls[2].err, ERR_OK);
}

static int
forget_standby(void **state)
{
	admin("ALTER SYSTEM RESET synchronous_standby_names");
	admin("SELECT pg_reload_conf()");
	return tear_down(state);
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
		TEST(a_missed_deadline_makes_all_that_was_sent_unknown),
		TEST(killed_backends_leave_unknown_and_come_back),
		TEST(one_lost_connection_leaves_the_other),
		TEST(a_crashed_server_is_unavailable_and_comes_back),
		TEST(without_a_server_the_answer_is_immediate),
		TEST(a_silent_server_is_never_up),
		TEST(the_next_host_gets_its_turn),
		TEST(a_role_that_does_not_wait_for_commits_is_refused),
		TEST(a_connection_may_end_at_every_byte),
		cmocka_unit_test_setup_teardown(
		    a_cut_standby_wait_is_unknown, set_up, forget_standby),
		TEST(what_is_pending_at_the_end_is_told),
		TEST(a_callback_may_send_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
