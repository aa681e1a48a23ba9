/* Reading JSON: what is refused, and that integers are exact. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "http/json.h"

static struct arena *arena;
static struct json_reader r;

static int
set_up(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	json_close(&r);
	arena_free(arena);
	return 0;
}

/* Opens a copy of exactly this size, so that ASan sees a read behind it. */
static void
open_str(str text)
{
	char *copy = text.n > 0 ? xmalloc(text.n) : NULL;

	json_close(&r);
	if (copy != NULL)
		memcpy(copy, text.p, text.n);
	json_open(&r, arena, (str){ copy, text.n });
	free(copy);
}

static void
good(const char *text)
{
	open_str(str_of(text));
	if (r.err != ERR_OK)
		fail_msg("%s: %s", r.why, text);
	assert_non_null(r.root);
}

static void
bad_str(str text, const char *why)
{
	open_str(text);
	if (r.err != ERR_BAD_JSON || strstr(r.why, why) == NULL)
		fail_msg("%s, not %s: %.*s", r.why, why, STR_ARG(text));
	assert_null(r.root);
	/* Whoever goes on reading gets nothing, and the first reason stays. */
	assert_int_equal(json_i64(&r, r.root, "a", 1, 2), 0);
	assert_int_equal(r.err, ERR_BAD_JSON);
}

static void
bad(const char *text, const char *why)
{
	bad_str(str_of(text), why);
}

/* The last getter complained, in these words. */
static void
assert_why(const char *why)
{
	assert_int_equal(r.err, ERR_BAD_PARAMETER);
	assert_string_equal(r.why, why);
}

/* --- the document --------------------------------------------------------------------
 */

static void
test_good(void **state)
{
	(void)state;
	good("{}");
	good(" [ ] ");
	good("\t{\r\n \"a\" : [ 1 , { } , [ ] , null , true , false , \"\" ] }\n");
	good("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\ud83d\\ude00\\uD7FF\\uE000\", "
	     "\"\x7f\xc2\x80\"]");
	good("[0, -0, 0.0, 1.5e3, -1E-2, 1e+2, 123456789012345678901234567890]");
	good("{\"\": {\"\": 1}, \"A\": 1, \"a\": 2}");
}

static void
test_structure(void **state)
{
	static const char *const texts[] = { " ", "{", "[", "{\"a\"",
		"{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "[1,]", "[,1]", "[1 2]",
		"{a:1}", "{'a':1}", "{1:1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{,}",
		"[1}", "{\"a\":1]", "}", "]", "[tru]", "[True]", "[nul", "[NaN]",
		"[Infinity]", "[-Infinity]", "[undefined]", "[a]", "[/**/1]", "[1]//",
		"\xef\xbb\xbf[1]", "[\v1]" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		bad(texts[i], "The JSON is malformed: ");
	bad("", "it is empty");
	bad("[1,\n x]", "a value is malformed (at byte 5)");
	bad("{} {}", "something follows the value (at byte 3)");
	bad("[]x", "something follows the value");
	bad_str(STR("[]\0"), "something follows the value");
	bad_str(STR("[1,\0 2]"), "a value is malformed");
	bad_str(STR_NULL, "it is empty");
}

static void
test_root(void **state)
{
	static const char *const texts[] = { "1", "\"a\"", "true", "null" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		bad(texts[i], "must be an object or an array");
}

static void
test_numbers(void **state)
{
	static const char *const texts[] = { "-", "+1", ".5", "1.", "1.e1", "1e", "1e+",
		"-a", "0x10", "1_0", "--1", "1.2.3", "\xd9\xa1" };
	char text[80];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		snprintf(text, sizeof(text), "[%s]", texts[i]);
		bad(text, "malformed");
	}
	bad("[01]", "leading zero");
	bad("[-00]", "leading zero");
	bad("[007]", "leading zero");
	bad("[1e999]", "too large");
	bad("[-1e999]", "too large");
	snprintf(text, sizeof(text), "[1%062d]", 0);
	good(text);
	snprintf(text, sizeof(text), "[1%063d]", 0);
	bad(text, "a number is too long");
}

static void
test_strings(void **state)
{
	(void)state;
	bad("[\"", "a string does not end");
	bad("[\"a", "a string does not end");
	bad("[\"a\\", "unknown escape");
	bad("[\"a\\\"]", "a string does not end");
	bad("[\"\\a\"]", "unknown escape");
	bad("[\"\\x41\"]", "unknown escape");
	bad_str(STR("[\"\\\0\"]"), "unknown escape");
	bad("[\"\\u\"]", "escape is malformed");
	bad("[\"\\u12\"]", "escape is malformed");
	bad("[\"\\u12g4\"]", "escape is malformed");
	bad("[\"\\u0000\"]", "contains NUL");
	bad("{\"\\u0000\":1}", "contains NUL");
	bad_str(STR("[\"a\0\"]"), "raw control character");
	bad("[\"\x1f\"]", "raw control character");
	bad("[\"a\nb\"]", "raw control character");
	bad("[\"\\ud800\"]", "not in a pair");
	bad("[\"\\ud800\\n\"]", "not in a pair");
	bad("[\"\\ud800\\u0041\"]", "not in a pair");
	bad("[\"\\ud800\\u12\"]", "escape is malformed");
	bad("[\"\\udc00\\ud800\"]", "not in a pair");
	bad("[\"\\ud800\\ud800\"]", "not in a pair");
	bad("[\"\xff\"]", "not UTF-8");
	bad("[\"\xc0\x80\"]", "not UTF-8");
	bad("[\"\xed\xa0\x80\"]", "not UTF-8");
	bad("[\"\xf4\x90\x80\x80\"]", "not UTF-8");
	bad("[\"\xc3\"]", "not UTF-8");
	bad("{\"\x80\":1}", "not UTF-8");
}

static void
test_duplicates(void **state)
{
	(void)state;
	bad("{\"a\":1,\"a\":1}", "a member twice");
	bad("{\"a\":1,\"b\":2,\"\\u0061\":3}", "a member twice");
	bad("[{\"x\":{\"\":1,\"\":2}}]", "a member twice");
	good("[{\"a\":{\"a\":1}},{\"a\":1}]");
}

/* `count` times `part` between `open` and `close`, with `last` in front of the latter. */
static void
open_repeated(
    const char *open, const char *part, size_t count, const char *last, const char *close)
{
	struct buf text = { 0 };

	buf_add_str(&text, str_of(open));
	for (size_t i = 0; i < count; i++)
		buf_add_str(&text, str_of(part));
	buf_add_str(&text, str_of(last));
	for (size_t i = 0; i < (close[0] == '*' ? count : 1); i++)
		buf_add_str(&text, str_of(close[0] == '*' ? close + 1 : close));
	open_str(buf_str(&text));
	buf_fini(&text);
}

static void
test_limits(void **state)
{
	struct buf text = { 0 };

	(void)state;
	open_repeated("", "[", 16, "", "*]");
	assert_int_equal(r.err, ERR_OK);
	open_repeated("", "[", 17, "", "*]");
	assert_non_null(strstr(r.why, "nested too deeply"));
	open_repeated("", "{\"a\":", 16, "1", "*}");
	assert_int_equal(r.err, ERR_OK);
	open_repeated("", "{\"a\":", 17, "1", "*}");
	assert_non_null(strstr(r.why, "nested too deeply"));
	open_repeated("", "[", 100000, "", "");
	assert_non_null(strstr(r.why, "nested too deeply"));
	open_repeated("[", "1,", 999, "1", "]");
	assert_int_equal(r.err, ERR_OK);
	open_repeated("[", "1,", 1000, "1", "]");
	assert_non_null(strstr(r.why, "too many elements"));
	for (int members = 64; members <= 65; members++) {
		buf_clear(&text);
		for (int i = 0; i < members; i++)
			buf_printf(&text, "%c\"%d\":1", i == 0 ? '{' : ',', i);
		buf_add_str(&text, STR("}"));
		open_str(buf_str(&text));
		if (members == 64)
			assert_int_equal(r.err, ERR_OK);
		else
			assert_non_null(strstr(r.why, "too many members"));
	}
	buf_fini(&text);
}

/* --- members -------------------------------------------------------------------------
 */

static void
test_integers(void **state)
{
	static const char *const refused[] = { "9007199254740993", "-9007199254740993",
		"9223372036854775807", "1.0", "1e3", "1.5", "-0", "true", "null", "[1]",
		"{}", "\"\"", "\"01\"", "\"+1\"", "\" 1\"", "\"1 \"", "\"1.0\"",
		"\"0x1\"", "\"9223372036854775808\"", "\"-9223372036854775809\"" };
	char text[64];

	(void)state;
	good("{\"a\":9007199254740992,\"b\":-9007199254740992,\"c\":"
	     "\"9223372036854775807\","
	     "\"d\":\"-9223372036854775808\",\"e\":0,\"f\":3000000000,\"g\":\"7\"}");
	assert_int_equal(json_i64(&r, r.root, "a", 1, INT64_MAX), INT64_C(1) << 53);
	assert_int_equal(json_i64(&r, r.root, "b", INT64_MIN, 0), -(INT64_C(1) << 53));
	assert_int_equal(json_i64(&r, r.root, "c", 1, INT64_MAX), INT64_MAX);
	assert_int_equal(json_i64(&r, r.root, "d", INT64_MIN, 0), INT64_MIN);
	assert_int_equal(json_i64(&r, r.root, "e", 0, 0), 0);
	assert_int_equal(json_i64(&r, r.root, "f", 0, INT64_MAX), 3000000000);
	assert_int_equal(json_i64(&r, r.root, "g", 7, 7), 7);
	assert_int_equal(r.err, ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		snprintf(text, sizeof(text), "{\"a\":%s}", refused[i]);
		good(text);
		assert_int_equal(json_i64(&r, r.root, "a", INT64_MIN, INT64_MAX), 0);
		if (r.err != ERR_BAD_PARAMETER)
			fail_msg("taken: %s", refused[i]);
	}
}

/* Marks belong to their numbers, whatever stands around them. */
static void
test_marks(void **state)
{
	const struct json *a;

	(void)state;
	good(
	    "{\"1\":\"2\\\"3\",\"x\":1.0,\"\\\\\":[4,5e0,{\"6\":-7}],\"y\":8,\"z\":9.5}");
	a = json_array(&r, r.root, "\\", 3, 3);
	assert_int_equal(json_element_i64(&r, a = json_first(a), 0, 9), 4);
	a = json_next(json_next(a));
	assert_int_equal(json_i64(&r, a, "6", -9, 9), -7);
	assert_int_equal(json_i64(&r, r.root, "y", 0, 9), 8);
	assert_int_equal(r.err, ERR_OK);
	assert_int_equal(json_i64(&r, r.root, "x", 0, 9), 0);
	assert_why("\"x\" must be a whole number from 0 to 9.");
}

static void
test_ranges(void **state)
{
	(void)state;
	good("{\"userId\":0,\"s\":\"10\"}");
	json_i64(&r, r.root, "userId", 1, INT64_MAX);
	assert_why("\"userId\" must be a whole number from 1 to 9223372036854775807.");
	/* The first complaint stays. */
	json_i64(&r, r.root, "s", 1, 9);
	assert_why("\"userId\" must be a whole number from 1 to 9223372036854775807.");
	good("{\"userId\":0,\"s\":\"10\"}");
	json_i64(&r, r.root, "s", 1, 9);
	assert_why("\"s\" must be a whole number from 1 to 9.");
	good("{\"userId\":1}");
	json_i64(&r, r.root, "userid", 1, 9);
	assert_why("\"userid\" must be a whole number from 1 to 9.");
	good("[1]");
	json_i64(&r, r.root, "a", 1, 9);
	assert_why("\"a\" must be a whole number from 1 to 9.");
}

static void
test_optional(void **state)
{
	(void)state;
	good("{\"n\":null,\"i\":5,\"d\":0.3,\"b\":false,\"s\":\"x\"}");
	assert_int_equal(json_i64_or(&r, r.root, "n", 1, 9, -1), -1);
	assert_int_equal(json_i64_or(&r, r.root, "none", 1, 9, -1), -1);
	assert_int_equal(json_i64_or(&r, r.root, "i", 1, 9, -1), 5);
	assert_true(json_double_or(&r, r.root, "none", 0, 1, 0.5) == 0.5);
	assert_true(json_double_or(&r, r.root, "d", 0, 1, 0.5) == 0.3);
	assert_true(json_double_or(&r, r.root, "i", 0, 9, 0.5) == 5);
	assert_true(json_bool_or(&r, r.root, "none", true));
	assert_false(json_bool_or(&r, r.root, "b", true));
	assert_true(str_eq(json_str_or(&r, r.root, "n", 9, STR("y")), STR("y")));
	assert_true(str_eq(json_str_or(&r, r.root, "s", 9, STR("y")), STR("x")));
	assert_int_equal(r.err, ERR_OK);
	assert_int_equal(json_i64_or(&r, r.root, "s", 1, 9, -1), 0);
	assert_why("\"s\" must be a whole number from 1 to 9.");
	/* Without an object all are zero, not absent. */
	assert_int_equal(json_i64_or(&r, NULL, "i", 1, 9, -1), 0);
	assert_true(json_double_or(&r, NULL, "d", 0, 1, 0.5) == 0);
	assert_false(json_bool_or(&r, NULL, "b", true));
	assert_null(json_str(&r, NULL, "s", 9).p);
	assert_null(json_str_or(&r, NULL, "s", 9, STR("y")).p);
	assert_null(json_object(&r, NULL, "s"));
	assert_null(json_array(&r, NULL, "s", 0, 9));
}

static void
test_wrong_types(void **state)
{
	static const char text[] = "{\"d\":1.5,\"s\":\"xyz\",\"a\":[1,2],\"o\":{}}";

	(void)state;
	good(text);
	assert_true(json_double_or(&r, r.root, "d", 0, 1, 0) == 0);
	assert_why("\"d\" must be a number from 0 to 1.");
	good(text);
	assert_true(json_double_or(&r, r.root, "s", 0, 1, 0) == 0);
	assert_why("\"s\" must be a number from 0 to 1.");
	good(text);
	assert_false(json_bool_or(&r, r.root, "d", true));
	assert_why("\"d\" must be true or false.");
	good(text);
	assert_null(json_str(&r, r.root, "s", 2).p);
	assert_why("\"s\" must be a string of at most 2 bytes.");
	good(text);
	assert_null(json_str(&r, r.root, "none", 9).p);
	assert_why("\"none\" must be a string of at most 9 bytes.");
	good(text);
	assert_null(json_object(&r, r.root, "a"));
	assert_why("\"a\" must be an object.");
	good(text);
	assert_null(json_array(&r, r.root, "o", 0, 9));
	assert_why("\"o\" must be an array of 0 to 9 elements.");
	good(text);
	assert_null(json_array(&r, r.root, "a", 3, 9));
	assert_why("\"a\" must be an array of 3 to 9 elements.");
	good(text);
	assert_null(json_array(&r, r.root, "a", 0, 1));
	assert_why("\"a\" must be an array of 0 to 1 elements.");
}

static void
test_strings_out(void **state)
{
	str s;

	(void)state;
	good("{\"a\":\"\\ud83d\\ude00\\n\xc3\xa9\",\"b\":\"\"}");
	s = json_str(&r, r.root, "a", 7);
	json_close(&r); /* what was read stays in the arena */
	assert_true(str_eq(s, STR("\xf0\x9f\x98\x80\n\xc3\xa9")));
	good("{\"b\":\"\"}");
	s = json_str(&r, r.root, "b", 0);
	assert_non_null(s.p);
	assert_int_equal(s.n, 0);
}

static void
test_elements(void **state)
{
	const struct json *e;
	int64_t sum = 0;

	(void)state;
	good("{\"a\":[1,\"2\",3],\"e\":[],\"s\":[\"x\",null],\"o\":{\"p\":{\"q\":9}}}");
	for (e = json_first(json_array(&r, r.root, "a", 1, 3)); e != NULL;
	     e = json_next(e))
		sum += json_element_i64(&r, e, 1, 3);
	assert_int_equal(sum, 6);
	assert_null(json_first(json_array(&r, r.root, "e", 0, 3)));
	assert_null(json_first(NULL));
	e = json_first(json_array(&r, r.root, "s", 2, 2));
	assert_true(str_eq(json_element_str(&r, e, 1), STR("x")));
	assert_int_equal(
	    json_i64(&r, json_object(&r, json_object(&r, r.root, "o"), "p"), "q", 1, 9),
	    9);
	assert_int_equal(r.err, ERR_OK);
	assert_null(json_element_str(&r, json_next(e), 1).p);
	assert_why("An element must be a string of at most 1 bytes.");
	assert_int_equal(json_element_i64(&r, NULL, 1, 3), 0);
	assert_null(json_element_str(&r, NULL, 1).p);
}

static void
test_has(void **state)
{
	(void)state;
	good("{\"a\":0,\"n\":null}");
	assert_true(json_has(r.root, "a"));
	assert_false(json_has(r.root, "A"));
	assert_false(json_has(r.root, "n"));
	assert_false(json_has(NULL, "a"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_optional),
		cmocka_unit_test(test_wrong_types),
		cmocka_unit_test(test_strings_out),
		cmocka_unit_test(test_elements),
		cmocka_unit_test(test_has),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
