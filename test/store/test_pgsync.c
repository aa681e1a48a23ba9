/* pgsync against a real PostgreSQL: outcomes, transactions, lost connections. */
#include "support.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define TIMEOUT_US (2 * CLOCK_US_PER_SEC)
#define COUNT_T    "SELECT count(*) FROM t"

static const struct pg_stmt insert = { "insert", "INSERT INTO t VALUES ($1, $2)" };
static const struct pg_stmt count_t = { "count", COUNT_T };
static const struct pg_stmt my_pid = { "my_pid", "SELECT pg_backend_pid()" };
static const struct pg_stmt sleep_long = { "sleep_long", "SELECT pg_sleep(30)" };
static const struct pg_stmt no_limit = { "no_limit", "SET statement_timeout = 0" };

struct fixture {
	struct pgsync *pg;
	struct arena *arena;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	admin("DROP TABLE IF EXISTS t;"
	      "CREATE TABLE t (id bigint PRIMARY KEY, note text,"
	      " UNIQUE (note) DEFERRABLE INITIALLY DEFERRED)");
	f->pg = pgsync_new(test_pg_dsn(), "test", TIMEOUT_US);
	f->arena = arena_new();
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	pgsync_free(f->pg);
	arena_free(f->arena);
	free(f);
	return 0;
}

static void
queue_insert(struct fixture *f, int64_t id, const char *note)
{
	struct pg_params *p = ARENA_NEW(f->arena, struct pg_params);

	pg_params_init(p, f->arena);
	pg_add_i64(p, id);
	pg_add_str(p, str_of(note));
	pgsync_queue(f->pg, &insert, p);
}

static int64_t
backend_pid(struct fixture *f)
{
	pgsync_queue(f->pg, &my_pid, NULL);
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	return pg_i64(pgsync_result(f->pg, 0), 0, 0);
}

static void
terminate(int64_t pid)
{
	char sql[200];

	snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%lld)", (long long)pid);
	admin(sql);
	snprintf(sql, sizeof(sql),
	    "SELECT count(*) FROM pg_stat_activity WHERE pid = %lld", (long long)pid);
	admin_until(sql, 0);
}

/* --- values --------------------------------------------------------------------------
 */

static void
scalars_come_back(void **state)
{
	static const struct pg_stmt echo = { "echo",
		"SELECT $1::bigint, $2::text, $3::timestamptz, $4::bytea, $5::bigint,"
		" true, 1.5::float8, 'infinity'::timestamptz, $6::text" };
	struct fixture *f = *state;
	const int64_t when = INT64_C(1795230245123456);
	struct pg_params p;
	const struct pg_result *r;
	char bytes[3];

	pg_params_init(&p, f->arena);
	pg_add_i64(&p, INT64_MIN);
	pg_add_str(&p, STR("a 'b' \"c\" \\ \xed\x95\x9c"));
	pg_add_time(&p, when);
	pg_add_bytes(&p, "\0\xff\\", 3);
	pg_add_null(&p);
	pg_add_str(&p, STR(""));
	pgsync_queue(f->pg, &echo, &p);
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	r = pgsync_result(f->pg, 0);
	assert_int_equal(pg_rows(r), 1);
	assert_true(pg_i64(r, 0, 0) == INT64_MIN);
	assert_true(str_eq(pg_str(r, 0, 1), STR("a 'b' \"c\" \\ \xed\x95\x9c")));
	assert_true(pg_time_us(r, 0, 2) == when);
	assert_true(pg_bytes(r, 0, 3, bytes, 3));
	assert_memory_equal(bytes, "\0\xff\\", 3);
	assert_false(pg_bytes(r, 0, 3, bytes, 2));
	assert_true(pg_is_null(r, 0, 4));
	assert_true(pg_i64(r, 0, 4) == 0);
	assert_false(pg_bytes(r, 0, 4, bytes, 0));
	assert_true(pg_bool(r, 0, 5));
	assert_true(pg_double(r, 0, 6) > 1.4 && pg_double(r, 0, 6) < 1.6);
	assert_true(pg_time_us(r, 0, 7) == INT64_MAX);
	assert_false(pg_is_null(r, 0, 8));
}

static void
arrays_come_back(void **state)
{
	static const struct pg_stmt echo = { "echo_arrays",
		"SELECT i, s, b, t FROM unnest($1::bigint[], $2::text[], $3::bytea[],"
		" $4::timestamptz[]) WITH ORDINALITY AS u(i, s, b, t, n) ORDER BY n" };
	struct fixture *f = *state;
	const int64_t ids[] = { INT64_MIN, 0, INT64_MAX, 7 };
	const str texts[] = { STR("\"{a,b}\" \\"), STR_NULL, STR(""), STR("NULL") };
	const int64_t times[] = { 0, 1, INT64_C(-1000000000000001), 1795230245000000 };
	struct pg_params p;
	const struct pg_result *r;

	pg_params_init(&p, f->arena);
	pg_add_i64_array(&p, ids, 4);
	pg_add_str_array(&p, texts, 4);
	pg_add_bytes_array(&p, "\0a\\b\"c,d", 2, 4);
	pg_add_time_array(&p, times, 4);
	pgsync_queue(f->pg, &echo, &p);
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	r = pgsync_result(f->pg, 0);
	assert_int_equal(pg_rows(r), 4);
	for (int i = 0; i < 4; i++) {
		char bytes[2];

		assert_true(pg_i64(r, i, 0) == ids[i]);
		assert_true(str_eq(pg_str(r, i, 1), texts[i]));
		assert_true(pg_is_null(r, i, 1) == (texts[i].p == NULL));
		assert_true(pg_bytes(r, i, 2, bytes, 2));
		assert_memory_equal(bytes, &"\0a\\b\"c,d"[2 * i], 2);
		assert_true(pg_time_us(r, i, 3) == times[i]);
	}
}

static void
empty_arrays_have_no_rows(void **state)
{
	static const struct pg_stmt echo = { "echo_empty",
		"SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[],"
		" $4::timestamptz[])" };
	struct fixture *f = *state;
	struct pg_params p;

	pg_params_init(&p, f->arena);
	pg_add_i64_array(&p, NULL, 0);
	pg_add_str_array(&p, NULL, 0);
	pg_add_bytes_array(&p, NULL, 32, 0);
	pg_add_time_array(&p, NULL, 0);
	pgsync_queue(f->pg, &echo, &p);
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	assert_int_equal(pg_rows(pgsync_result(f->pg, 0)), 0);
}

/* --- outcomes ------------------------------------------------------------------------
 */

static void
a_run_without_begin_is_one_transaction(void **state)
{
	struct fixture *f = *state;

	queue_insert(f, 1, "a");
	queue_insert(f, 2, "b");
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	assert_int_equal(pg_affected(pgsync_result(f->pg, 1)), 1);
	assert_int_equal(admin_i64(COUNT_T), 2);

	queue_insert(f, 3, "c");
	queue_insert(f, 1, "d");
	queue_insert(f, 4, "e");
	assert_int_equal(pgsync_run(f->pg), ERR_INTERNAL);
	assert_string_equal(pgsync_sqlstate(f->pg), "23505");
	assert_non_null(strstr(pgsync_message(f->pg), "t_pkey"));
	assert_int_equal(admin_i64(COUNT_T), 2);

	queue_insert(f, 5, "f");
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	assert_string_equal(pgsync_sqlstate(f->pg), "");
	assert_int_equal(admin_i64(COUNT_T), 3);
}

static void
a_transaction_spans_runs(void **state)
{
	struct fixture *f = *state;

	pgsync_queue(f->pg, &PGSYNC_BEGIN, NULL);
	queue_insert(f, 1, "a");
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	assert_int_equal(admin_i64(COUNT_T), 0);
	queue_insert(f, 2, "b");
	pgsync_queue(f->pg, &count_t, NULL);
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	assert_true(pg_i64(pgsync_result(f->pg, 1), 0, 0) == 2);
	pgsync_queue(f->pg, &PGSYNC_COMMIT, NULL);
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	assert_int_equal(admin_i64(COUNT_T), 2);
}

static void
a_failure_leaves_no_transaction_open(void **state)
{
	struct fixture *f = *state;

	pgsync_queue(f->pg, &PGSYNC_BEGIN, NULL);
	queue_insert(f, 1, "a");
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	queue_insert(f, 1, "again");
	pgsync_queue(f->pg, &PGSYNC_COMMIT, NULL);
	assert_int_equal(pgsync_run(f->pg), ERR_INTERNAL);
	assert_int_equal(admin_i64("SELECT count(*) FROM pg_stat_activity WHERE"
				   " state LIKE 'idle in transaction%'"),
	    0);
	assert_int_equal(admin_i64(COUNT_T), 0);
	queue_insert(f, 2, "b");
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	assert_int_equal(admin_i64(COUNT_T), 1);
}

static void
a_constraint_may_fail_the_commit_itself(void **state)
{
	struct fixture *f = *state;

	queue_insert(f, 1, "same");
	queue_insert(f, 2, "same");
	assert_int_equal(pgsync_run(f->pg), ERR_INTERNAL);
	assert_string_equal(pgsync_sqlstate(f->pg), "23505");
	pgsync_queue(f->pg, &PGSYNC_BEGIN, NULL);
	queue_insert(f, 1, "same");
	queue_insert(f, 2, "same");
	pgsync_queue(f->pg, &PGSYNC_COMMIT, NULL);
	assert_int_equal(pgsync_run(f->pg), ERR_INTERNAL);
	assert_int_equal(admin_i64(COUNT_T), 0);
	queue_insert(f, 1, "a");
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	assert_int_equal(admin_i64(COUNT_T), 1);
}

static void
statements_are_prepared_once(void **state)
{
	static const struct pg_stmt prepared = { "prepared",
		"SELECT count(*) FROM pg_prepared_statements WHERE name = 'insert'" };
	struct fixture *f = *state;
	int64_t pid = backend_pid(f);

	for (int i = 0; i < 5; i++) {
		queue_insert(f, 10 * i, NULL);
		queue_insert(f, 10 * i + 1, NULL);
		pgsync_queue(f->pg, &prepared, NULL);
		assert_int_equal(pgsync_run(f->pg), ERR_OK);
		assert_true(pg_i64(pgsync_result(f->pg, 2), 0, 0) == 1);
	}
	assert_int_equal(backend_pid(f), pid);
	assert_int_equal(admin_i64(COUNT_T), 10);
}

static void
a_statement_that_cannot_be_prepared_fails(void **state)
{
	static const struct pg_stmt wrong = { "wrong", "SELEC 1" };
	static const struct pg_stmt copy = { "copy", "COPY t TO STDOUT" };
	struct fixture *f = *state;

	queue_insert(f, 1, "a");
	pgsync_queue(f->pg, &wrong, NULL);
	assert_int_equal(pgsync_run(f->pg), ERR_INTERNAL);
	assert_string_equal(pgsync_sqlstate(f->pg), "42601");
	pgsync_queue(f->pg, &copy, NULL);
	assert_int_not_equal(pgsync_run(f->pg), ERR_OK);
	queue_insert(f, 1, "a");
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	assert_int_equal(admin_i64(COUNT_T), 1);
}

/* A migration under a running program: the plan's result type changes. */
static void
a_changed_table_is_prepared_again(void **state)
{
	static const struct pg_stmt all = { "all", "SELECT * FROM t" };
	struct fixture *f = *state;

	pgsync_queue(f->pg, &all, NULL);
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	admin("ALTER TABLE t ADD COLUMN more int");
	pgsync_queue(f->pg, &all, NULL);
	assert_int_equal(pgsync_run(f->pg), ERR_INTERNAL);
	pgsync_queue(f->pg, &all, NULL);
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
}

static void
a_held_lock_is_a_retry(void **state)
{
	static const struct pg_stmt lock = { "lock", "LOCK TABLE t" };
	struct fixture *f = *state;
	struct pgsync *other = pgsync_new(test_pg_dsn(), "other", TIMEOUT_US);

	pgsync_queue(other, &PGSYNC_BEGIN, NULL);
	pgsync_queue(other, &lock, NULL);
	assert_int_equal(pgsync_run(other), ERR_OK);
	queue_insert(f, 1, "a");
	assert_int_equal(pgsync_run(f->pg), ERR_CONFLICT_RETRY);
	assert_string_equal(pgsync_sqlstate(f->pg), "55P03");
	pgsync_free(other);
	queue_insert(f, 1, "a");
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
}

static void
a_slow_statement_is_a_retry(void **state)
{
	struct fixture *f = *state;

	pgsync_queue(f->pg, &sleep_long, NULL);
	assert_int_equal(pgsync_run(f->pg), ERR_CONFLICT_RETRY);
	assert_string_equal(pgsync_sqlstate(f->pg), "57014");
}

static void
a_missed_deadline_is_unknown_only_if_it_may_have_committed(void **state)
{
	struct fixture *f = *state;
	int64_t begin_us = clock_mono_us();

	queue_insert(f, 1, "a");
	pgsync_queue(f->pg, &no_limit, NULL);
	pgsync_queue(f->pg, &sleep_long, NULL);
	assert_int_equal(pgsync_run(f->pg), ERR_UNKNOWN_OUTCOME);
	pgsync_queue(f->pg, &PGSYNC_BEGIN, NULL);
	pgsync_queue(f->pg, &no_limit, NULL);
	pgsync_queue(f->pg, &sleep_long, NULL);
	assert_int_equal(pgsync_run(f->pg), ERR_UNAVAILABLE);
	assert_true(clock_mono_us() - begin_us < 3 * TIMEOUT_US);
	admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
	      " WHERE application_name = 'onrush-test'");
	queue_insert(f, 2, "b");
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
}

/* Both directions are fuller than any buffer: a client that does not read while it writes
 * would hang. */
static void
large_pipelines_do_not_hang(void **state)
{
	static const struct pg_stmt echo = { "echo_text", "SELECT $1::text" };
	struct fixture *f = *state;
	const size_t size = 1 << 20;
	char *text = arena_alloc(f->arena, size);
	struct pg_params p;

	memset(text, 'x', size);
	pg_params_init(&p, f->arena);
	pg_add_str(&p, (str){ text, size });
	for (int i = 0; i < PGSYNC_MAX_QUEUE; i++)
		pgsync_queue(f->pg, &echo, &p);
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	for (int i = 0; i < PGSYNC_MAX_QUEUE; i++)
		assert_int_equal(pg_str(pgsync_result(f->pg, i), 0, 0).n, size);
}

static void
scripts_are_one_transaction(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(pgsync_script(f->pg, "INSERT INTO t VALUES (1, 'a');"
					      "INSERT INTO t VALUES (2, 'b');"
					      "SELECT * FROM t"),
	    ERR_OK);
	assert_int_equal(pgsync_script(f->pg, "INSERT INTO t VALUES (3, 'c');"
					      "INSERT INTO t VALUES (1, 'd')"),
	    ERR_INTERNAL);
	assert_string_equal(pgsync_sqlstate(f->pg), "23505");
	assert_int_equal(admin_i64(COUNT_T), 2);

	pgsync_queue(f->pg, &PGSYNC_BEGIN, NULL);
	queue_insert(f, 4, "d");
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	assert_int_equal(pgsync_script(f->pg, "INSERT INTO t VALUES (5, 'e')"), ERR_OK);
	pgsync_queue(f->pg, &PGSYNC_ROLLBACK, NULL);
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	assert_int_equal(admin_i64(COUNT_T), 2);
}

/* --- lost connections ----------------------------------------------------------------
 */

static void
a_closed_idle_connection_is_opened_again(void **state)
{
	struct fixture *f = *state;
	int64_t pid = backend_pid(f);

	terminate(pid);
	queue_insert(f, 1, "a");
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	assert_int_not_equal(backend_pid(f), pid);
}

static void
a_lost_transaction_does_not_go_on_elsewhere(void **state)
{
	struct fixture *f = *state;
	int64_t pid = backend_pid(f);

	pgsync_queue(f->pg, &PGSYNC_BEGIN, NULL);
	queue_insert(f, 1, "a");
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	terminate(pid);
	queue_insert(f, 2, "b");
	pgsync_queue(f->pg, &PGSYNC_COMMIT, NULL);
	assert_int_equal(pgsync_run(f->pg), ERR_UNAVAILABLE);
	assert_int_equal(admin_i64(COUNT_T), 0);
	queue_insert(f, 2, "b");
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
}

static void *
terminate_sleeper(void *arg)
{
	admin_until("SELECT count(*) FROM pg_stat_activity WHERE"
		    " application_name = 'onrush-test' AND wait_event = 'PgSleep'",
	    1);
	admin(arg);
	return NULL;
}

static void
a_killed_backend_has_not_committed(void **state)
{
	static char kill[] = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
			     " WHERE application_name = 'onrush-test'";
	struct fixture *f = *state;
	pthread_t thread;

	pthread_create(&thread, NULL, terminate_sleeper, kill);
	queue_insert(f, 1, "a");
	pgsync_queue(f->pg, &sleep_long, NULL);
	assert_int_equal(pgsync_run(f->pg), ERR_UNAVAILABLE);
	assert_string_equal(pgsync_sqlstate(f->pg), "57P01");
	pthread_join(thread, NULL);
	assert_int_equal(admin_i64(COUNT_T), 0);
	queue_insert(f, 1, "a");
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
}

/* The server's bytes end after 0, 1, 2, … of them: what is reported must be true. */
static void
a_connection_may_end_at_every_byte(void **state)
{
	struct fixture *f = *state;
	enum err seen = ERR_UNKNOWN_OUTCOME;
	char host[64], dsn[1024];
	struct peer *peer;
	int unknown = 0;
	int port;

	pg_address(host, &port);
	peer = peer_new(host, port);
	snprintf(dsn, sizeof(dsn), "%s host=127.0.0.1 port=%d sslmode=disable",
	    test_pg_dsn(), peer_port(peer));
	pgsync_free(f->pg);
	for (int limit = 0; limit < 4000 && seen != ERR_OK;
	     limit += limit < 300 ? 7 : 1) {
		const char *how =
		    limit % 2 ? "SELECT count(*) FROM t WHERE id = 1" : COUNT_T;

		peer_limit(peer, limit);
		f->pg = pgsync_new(dsn, "test", TIMEOUT_US);
		if (limit % 2)
			pgsync_queue(f->pg, &PGSYNC_BEGIN, NULL);
		queue_insert(f, 1, "a");
		if (limit % 2)
			pgsync_queue(f->pg, &PGSYNC_COMMIT, NULL);
		seen = pgsync_run(f->pg);
		pgsync_free(f->pg);
		admin_until("SELECT count(*) FROM pg_stat_activity WHERE"
			    " application_name = 'onrush-test'",
		    0);
		if (seen == ERR_OK)
			assert_int_equal(admin_i64(how), 1);
		else if (seen == ERR_UNAVAILABLE)
			assert_int_equal(admin_i64(how), 0);
		else
			assert_int_equal(seen, ERR_UNKNOWN_OUTCOME);
		unknown += seen == ERR_UNKNOWN_OUTCOME;
		admin("TRUNCATE t");
	}
	assert_int_equal(seen, ERR_OK);
	assert_true(unknown > 10);
	peer_free(peer);
	f->pg = NULL;
}

static void
a_silent_server_is_unavailable_in_time(void **state)
{
	struct fixture *f = *state;
	struct peer *peer = peer_new(NULL, 0);
	int64_t begin_us = clock_mono_us();
	char dsn[1024];

	snprintf(dsn, sizeof(dsn), "%s host=127.0.0.1 port=%d", test_pg_dsn(),
	    peer_port(peer));
	pgsync_free(f->pg);
	f->pg = pgsync_new(dsn, "test", CLOCK_US_PER_SEC / 5);
	queue_insert(f, 1, "a");
	assert_int_equal(pgsync_run(f->pg), ERR_UNAVAILABLE);
	assert_true(clock_mono_us() - begin_us < CLOCK_US_PER_SEC);
	peer_free(peer);
	assert_int_equal(pgsync_connect(f->pg), ERR_UNAVAILABLE);
	assert_non_null(strstr(pgsync_message(f->pg), "refused"));
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
	pgsync_free(f->pg);
	f->pg = pgsync_new(dsn, "test", CLOCK_US_PER_SEC);
	queue_insert(f, 1, "a");
	assert_int_equal(pgsync_run(f->pg), ERR_UNAVAILABLE);
	queue_insert(f, 1, "a");
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	peer_free(peer);
}

static void
a_role_that_does_not_wait_for_commits_is_refused(void **state)
{
	struct fixture *f = *state;
	char dsn[1024];

	snprintf(
	    dsn, sizeof(dsn), "%s options='-c synchronous_commit=off'", test_pg_dsn());
	pgsync_free(f->pg);
	f->pg = pgsync_new(dsn, "test", TIMEOUT_US);
	assert_int_equal(pgsync_connect(f->pg), ERR_UNAVAILABLE);
}

static void *
cancel_standby_wait(void *arg)
{
	(void)arg;
	/* This connection must not wait for the standby itself: it only reads. */
	admin_until("SELECT count(*) FROM pg_stat_activity WHERE"
		    " application_name = 'onrush-test' AND wait_event = 'SyncRep'",
	    1);
	admin("SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
	      " WHERE application_name = 'onrush-test'");
	return NULL;
}

/* Someone cancels the wait for the synchronous standby: the server says INSERT 0 1, but
 * the commit is local only. */
static void
a_cut_standby_wait_is_unknown(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;

	admin("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
	admin("SELECT pg_reload_conf()");
	admin_until("SELECT count(*) FROM pg_settings WHERE"
		    " name = 'synchronous_standby_names' AND setting = 'nobody'",
	    1);
	pthread_create(&thread, NULL, cancel_standby_wait, NULL);
	queue_insert(f, 1, "a");
	assert_int_equal(pgsync_run(f->pg), ERR_UNKNOWN_OUTCOME);
	pthread_join(thread, NULL);
}

static int
forget_standby(void **state)
{
	admin("ALTER SYSTEM RESET synchronous_standby_names");
	admin("SELECT pg_reload_conf()");
	return tear_down(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(scalars_come_back),
		TEST(arrays_come_back),
		TEST(empty_arrays_have_no_rows),
		TEST(a_run_without_begin_is_one_transaction),
		TEST(a_transaction_spans_runs),
		TEST(a_failure_leaves_no_transaction_open),
		TEST(a_constraint_may_fail_the_commit_itself),
		TEST(statements_are_prepared_once),
		TEST(a_statement_that_cannot_be_prepared_fails),
		TEST(a_changed_table_is_prepared_again),
		TEST(a_held_lock_is_a_retry),
		TEST(a_slow_statement_is_a_retry),
		TEST(a_missed_deadline_is_unknown_only_if_it_may_have_committed),
		TEST(large_pipelines_do_not_hang),
		TEST(scripts_are_one_transaction),
		TEST(a_closed_idle_connection_is_opened_again),
		TEST(a_lost_transaction_does_not_go_on_elsewhere),
		TEST(a_killed_backend_has_not_committed),
		TEST(a_connection_may_end_at_every_byte),
		TEST(a_silent_server_is_unavailable_in_time),
		TEST(the_next_host_gets_its_turn),
		TEST(a_role_that_does_not_wait_for_commits_is_refused),
		cmocka_unit_test_setup_teardown(
		    a_cut_standby_wait_is_unknown, set_up, forget_standby),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
