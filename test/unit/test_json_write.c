/* Writing JSON, and that json_open reads back what was written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "json_fixture.h"

static void
assert_written(const char *want)
{
	if (!str_eq(buf_str(&out), str_of(want)))
		fail_msg("%.*s is not %s", STR_ARG(buf_str(&out)), want);
}

static void
test_nesting(void **state)
{
	(void)state;
	json_begin_object(&w, NULL);
	json_begin_array(&w, "a");
	json_end_array(&w);
	json_begin_object(&w, "b");
	json_end_object(&w);
	json_begin_array(&w, "c");
	json_put_i64(&w, NULL, 1);
	json_begin_object(&w, NULL);
	json_put_null(&w, "d");
	json_put_bool(&w, "e", true);
	json_end_object(&w);
	json_begin_array(&w, NULL);
	json_put_bool(&w, NULL, false);
	json_end_array(&w);
	json_put_str(&w, NULL, STR("f"));
	json_end_array(&w);
	json_put_raw(&w, "g", STR("{\"h\": 1}"));
	json_put_i64(&w, "i", 2);
	json_end_object(&w);
	assert_written(
	    "{\"a\":[],\"b\":{},\"c\":[1,{\"d\":null,\"e\":true},[false],\"f\"],"
	    "\"g\":{\"h\": 1},\"i\":2}");
}

static void
test_integers(void **state)
{
	(void)state;
	json_begin_array(&w, NULL);
	json_put_i64(&w, NULL, 0);
	json_put_i64(&w, NULL, INT64_C(9007199254740992));
	json_put_i64(&w, NULL, -INT64_C(9007199254740992));
	json_put_i64(&w, NULL, INT64_C(9007199254740993));
	json_put_i64(&w, NULL, -INT64_C(9007199254740993));
	json_put_i64(&w, NULL, INT64_MAX);
	json_put_i64(&w, NULL, INT64_MIN);
	json_end_array(&w);
	assert_written("[0,9007199254740992,-9007199254740992,\"9007199254740993\","
		       "\"-9007199254740993\",\"9223372036854775807\","
		       "\"-9223372036854775808\"]");
}

static void
test_doubles(void **state)
{
	(void)state;
	json_begin_array(&w, NULL);
	json_put_double(&w, NULL, 0.3);
	json_put_double(&w, NULL, 0.1 + 0.2);
	json_put_double(&w, NULL, -0.0);
	json_put_double(&w, NULL, 100);
	json_put_double(&w, NULL, 1e300);
	json_put_double(&w, NULL, DBL_MAX);
	json_put_double(&w, NULL, (double)NAN);
	json_put_double(&w, NULL, -(double)INFINITY);
	json_end_array(&w);
	assert_written("[0.3,0.30000000000000004,-0,100,1e+300,1.7976931348623157e+308,"
		       "null,null]");
}

static void
test_strings(void **state)
{
	(void)state;
	json_begin_object(&w, NULL);
	json_put_str(&w, "q\"", STR("\"\\/\n\x01\x7f\xc3\xa9"));
	json_put_str(&w, "e", STR(""));
	json_put_str(&w, "n", STR_NULL);
	json_put_hex(&w, "h", "\x00\xab\xff", 3);
	json_put_hex(&w, "i", "", 0);
	json_put_time(&w, "t", INT64_C(1795230245123456));
	json_end_object(&w);
	assert_written("{\"q\\\"\":\"\\\"\\\\/\\u000a\\u0001\x7f\xc3\xa9\",\"e\":\"\","
		       "\"n\":\"\",\"h\":\"00abff\",\"i\":\"\","
		       "\"t\":\"2026-11-21T03:04:05.123456Z\"}");
}

/* Every integer of this kind comes back as it went. */
static void
test_round_trip(void **state)
{
	static const int64_t values[] = { 0, 1, -1, INT32_MAX, INT64_C(1) << 53,
		(INT64_C(1) << 53) + 1, -(INT64_C(1) << 53) - 1, INT64_MAX, INT64_MIN };
	struct arena *arena = arena_new();
	const struct json *e;
	struct json_reader r;
	size_t i = 0;

	(void)state;
	json_begin_object(&w, NULL);
	json_begin_array(&w, "v");
	for (size_t k = 0; k < ARRAY_LEN(values); k++)
		json_put_i64(&w, NULL, values[k]);
	json_end_array(&w);
	json_put_str(&w, "s", STR("\x01\t\"\\\xf0\x9f\x98\x80"));
	json_end_object(&w);
	json_open(&r, arena, buf_str(&out));
	e = json_first(json_array(&r, r.root, "v", 1, 100));
	for (; e != NULL; e = json_next(e))
		assert_int_equal(
		    json_element_i64(&r, e, INT64_MIN, INT64_MAX), values[i++]);
	assert_int_equal(i, ARRAY_LEN(values));
	assert_true(
	    str_eq(json_str(&r, r.root, "s", 100), STR("\x01\t\"\\\xf0\x9f\x98\x80")));
	assert_int_equal(r.err, ERR_OK);
	json_close(&r);
	arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_nesting, begin),
		cmocka_unit_test_setup(test_integers, begin),
		cmocka_unit_test_setup(test_doubles, begin),
		cmocka_unit_test_setup(test_strings, begin),
		cmocka_unit_test_setup(test_round_trip, begin),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
