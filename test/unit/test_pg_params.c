/* The texts of PostgreSQL parameters and the meaning of SQLSTATEs. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "store/pg_impl.h"

struct fixture {
	struct arena *arena;
	struct pg_params p;
};

static struct fixture fixture;

static int
set_up(void **state)
{
	fixture.arena = arena_new();
	pg_params_init(&fixture.p, fixture.arena);
	*state = &fixture.p;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_free(fixture.arena);
	return 0;
}

static void
scalars(void **state)
{
	struct pg_params *p = *state;

	pg_add_i64(p, INT64_MIN);
	pg_add_i64(p, INT64_MAX);
	pg_add_i64(p, 0);
	pg_add_str(p, STR("it's"));
	pg_add_str(p, STR(""));
	pg_add_str(p, STR_NULL);
	pg_add_null(p);
	pg_add_time(p, 0);
	pg_add_time(p, INT64_C(1795230245123456));
	pg_add_bytes(p, "\0\xab", 2);
	pg_add_bytes(p, NULL, 0);
	pg_add_uuid(p, (uuid){ { 0x01, 0x9a } });
	assert_int_equal(p->count, 12);
	assert_string_equal(p->values[0], "-9223372036854775808");
	assert_string_equal(p->values[1], "9223372036854775807");
	assert_string_equal(p->values[2], "0");
	assert_string_equal(p->values[3], "it's");
	assert_string_equal(p->values[4], "");
	assert_null(p->values[5]);
	assert_null(p->values[6]);
	assert_string_equal(p->values[7], "1970-01-01T00:00:00.000000Z");
	assert_string_equal(p->values[8], "2026-11-21T03:04:05.123456Z");
	assert_string_equal(p->values[9], "\\x00ab");
	assert_string_equal(p->values[10], "\\x");
	assert_string_equal(p->values[11], "019a0000-0000-0000-0000-000000000000");
}

static void
arrays(void **state)
{
	const int64_t ids[] = { INT64_MIN, -1, 0, INT64_MAX };
	const int64_t times[] = { 0, 1 };
	const str texts[] = { STR("a"), STR(""), STR_NULL, STR("\"\\,{}"), STR("NULL") };
	struct pg_params *p = *state;

	pg_add_i64_array(p, ids, 4);
	pg_add_i64_array(p, ids + 1, 1);
	pg_add_str_array(p, texts, 5);
	pg_add_bytes_array(p, "\1\2\3\4", 2, 2);
	pg_add_time_array(p, times, 2);
	pg_add_uuid_array(p, (uuid[]){ { { 1 } }, { { 2 } } }, 2);
	assert_string_equal(
	    p->values[0], "{-9223372036854775808,-1,0,9223372036854775807}");
	assert_string_equal(p->values[1], "{-1}");
	assert_string_equal(p->values[2], "{\"a\",\"\",NULL,\"\\\"\\\\,{}\",\"NULL\"}");
	assert_string_equal(p->values[3], "{\"\\\\x0102\",\"\\\\x0304\"}");
	assert_string_equal(
	    p->values[4], "{1970-01-01T00:00:00.000000Z,1970-01-01T00:00:00.000001Z}");
	assert_string_equal(p->values[5], "{01000000-0000-0000-0000-000000000000,"
					  "02000000-0000-0000-0000-000000000000}");
}

static void
empty_arrays(void **state)
{
	struct pg_params *p = *state;

	pg_add_i64_array(p, NULL, 0);
	pg_add_str_array(p, NULL, 0);
	pg_add_bytes_array(p, NULL, 32, 0);
	pg_add_time_array(p, NULL, 0);
	pg_add_uuid_array(p, NULL, 0);
	for (int i = 0; i < 5; i++)
		assert_string_equal(p->values[i], "{}");
}

static void
sqlstates(void **state)
{
	static const struct {
		const char *sqlstate;
		enum err err;
		bool stale;
	} cases[] = {
		{ "23505", ERR_INTERNAL, false },
		{ "42P01", ERR_INTERNAL, false },
		{ "XX000", ERR_INTERNAL, false },
		{ "0A000", ERR_INTERNAL, true },
		{ "26000", ERR_CONFLICT_RETRY, true },
		{ "40001", ERR_CONFLICT_RETRY, false },
		{ "40P01", ERR_CONFLICT_RETRY, false },
		{ "40003", ERR_UNKNOWN_OUTCOME, false },
		{ "55P03", ERR_CONFLICT_RETRY, false },
		{ "57014", ERR_CONFLICT_RETRY, false },
		{ "08006", ERR_UNAVAILABLE, false },
		{ "25006", ERR_UNAVAILABLE, true },
		{ "53300", ERR_UNAVAILABLE, false },
		{ "57P01", ERR_UNAVAILABLE, false },
		{ "57P03", ERR_UNAVAILABLE, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(pg_classify(cases[i].sqlstate), cases[i].err);
		assert_int_equal(pg_is_stale(cases[i].sqlstate), cases[i].stale);
	}
}

static void
prepared_statements(void **state)
{
	static const struct pg_stmt stmts[40];
	struct pg_prepared p = { 0 };

	(void)state;
	for (size_t i = 0; i < 40; i++) {
		assert_false(pg_prepared_has(&p, &stmts[i]));
		pg_prepared_add(&p, &stmts[i]);
		assert_true(pg_prepared_has(&p, &stmts[i]));
	}
	pg_prepared_remove(&p, &stmts[0]);
	pg_prepared_remove(&p, &stmts[39]);
	assert_false(pg_prepared_has(&p, &stmts[0]));
	assert_true(pg_prepared_has(&p, &stmts[1]));
	assert_false(pg_prepared_has(&p, &stmts[39]));
	pg_prepared_fini(&p);
	assert_false(pg_prepared_has(&p, &stmts[1]));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(scalars),
		TEST(arrays),
		TEST(empty_arrays),
		TEST(sqlstates),
		TEST(prepared_statements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
