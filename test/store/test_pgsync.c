/* pgsync against a real PostgreSQL: values, outcomes and transactions. */
#include "pgsync_fixture.h"

#include <string.h>

static const struct pg_stmt count_t = { "count", COUNT_T };

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

/* Whatever server, database or role say. */
static void
a_session_is_as_the_code_needs_it(void **state)
{
	static const struct {
		const char *name, *value;
	} settings[] = {
		{ "TimeZone", "UTC" },
		{ "DateStyle", "ISO, YMD" },
		{ "bytea_output", "hex" },
		{ "client_encoding", "UTF8" },
		{ "standard_conforming_strings", "on" },
		{ "statement_timeout", "7500ms" },
		{ "lock_timeout", "1s" },
		{ "idle_in_transaction_session_timeout", "5s" },
		/* A scan that cannot be avoided counts as dear where scans are off, and
		 * compiling it takes a hundred milliseconds. */
		{ "jit", "off" },
	};
	static const struct pg_stmt setting = { "setting", "SELECT current_setting($1)" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		struct pg_params p;
		str value;

		pg_params_init(&p, f->arena);
		pg_add_str(&p, str_of(settings[i].name));
		pgsync_queue(f->pg, &setting, &p);
		assert_int_equal(pgsync_run(f->pg), ERR_OK);
		value = pg_str(pgsync_result(f->pg, 0), 0, 0);
		if (!str_eq(value, str_of(settings[i].value)))
			fail_msg("%s is %.*s", settings[i].name, STR_ARG(value));
	}
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
	static const struct pg_stmt short_limit = { "short_limit",
		"SET lock_timeout = 100" };
	struct fixture *f = *state;
	struct pgsync *other = pgsync_new(test_pg_dsn(), "other", TIMEOUT_US);

	pgsync_queue(other, &PGSYNC_BEGIN, NULL);
	pgsync_queue(other, &lock, NULL);
	assert_int_equal(pgsync_run(other), ERR_OK);
	pgsync_queue(f->pg, &short_limit, NULL);
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
	static const struct pg_stmt short_limit = { "short_limit",
		"SET statement_timeout = 100" };
	struct fixture *f = *state;

	pgsync_free(f->pg);
	f->pg = pgsync_new(test_pg_dsn(), "test", 20 * CLOCK_US_PER_SEC);
	pgsync_queue(f->pg, &short_limit, NULL);
	pgsync_queue(f->pg, &sleep_long, NULL);
	assert_int_equal(pgsync_run(f->pg), ERR_CONFLICT_RETRY);
	assert_string_equal(pgsync_sqlstate(f->pg), "57014");
}

static void
a_missed_deadline_is_unknown_only_if_it_may_have_committed(void **state)
{
	struct fixture *f = *state;
	int64_t begin_us = clock_mono_us();

	pgsync_free(f->pg);
	f->pg = pgsync_new(test_pg_dsn(), "test", SHORT_US);
	queue_insert(f, 1, "a");
	pgsync_queue(f->pg, &no_limit, NULL);
	pgsync_queue(f->pg, &sleep_long, NULL);
	assert_int_equal(pgsync_run(f->pg), ERR_UNKNOWN_OUTCOME);
	pgsync_queue(f->pg, &PGSYNC_BEGIN, NULL);
	pgsync_queue(f->pg, &no_limit, NULL);
	pgsync_queue(f->pg, &sleep_long, NULL);
	assert_int_equal(pgsync_run(f->pg), ERR_UNAVAILABLE);
	assert_true(clock_mono_us() - begin_us < FOREVER_US);
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

	pgsync_free(f->pg);
	f->pg = pgsync_new(test_pg_dsn(), "test", 60 * CLOCK_US_PER_SEC);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(scalars_come_back),
		TEST(arrays_come_back),
		TEST(empty_arrays_have_no_rows),
		TEST(a_session_is_as_the_code_needs_it),
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
