/* The growable buffer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <string.h>

#include "base/buf.h"

static void
assert_holds(const struct buf *b, const char *want)
{
	assert_int_equal(buf_size(b), strlen(want));
	assert_memory_equal(buf_str(b).p, want, strlen(want));
}

/* The first print into an empty buffer, which has no memory yet. */
static void
test_printf_into_an_empty_buffer(void **state)
{
	(void)state;
	struct buf b = { 0 };

	buf_printf(&b, "{\"seconds\":%d}", 7);
	assert_holds(&b, "{\"seconds\":7}");
	buf_fini(&b);
}

/* Around the room that a print reserves before it knows its length. */
static void
test_printf_of_every_length(void **state)
{
	(void)state;
	char want[600] = "";

	for (size_t n = 0; n < sizeof(want) - 1; n++) {
		struct buf b = { 0 };
		buf_printf(&b, "%s", want);
		assert_holds(&b, want);
		buf_printf(&b, "%d", 5);
		assert_int_equal(buf_size(&b), n + 1);
		buf_fini(&b);
		want[n] = (char)('a' + n % 26);
	}
}

static void
test_consume_and_append(void **state)
{
	(void)state;
	struct buf b = { 0 };

	buf_add_str(&b, STR("hello"));
	buf_consume(&b, 2);
	assert_holds(&b, "llo");
	buf_add_i64(&b, INT64_MIN);
	assert_holds(&b, "llo-9223372036854775808");
	buf_consume(&b, buf_size(&b));
	assert_holds(&b, "");
	buf_fini(&b);
}

/* Bytes come and go in pieces of changing size; what is in between must not change, and
 * the buffer must not grow with what has passed through it. */
static void
test_streams_without_growing(void **state)
{
	(void)state;
	struct buf b = { 0 };
	unsigned char next_in = 0, next_out = 0;

	for (size_t round = 0; round < 20000; round++) {
		size_t in = round * 7 % 100, out = round * 13 % 100;
		char *room = buf_reserve(&b, in);

		for (size_t i = 0; i < in; i++)
			room[i] = (char)next_in++;
		buf_grew(&b, in);
		if (buf_size(&b) < 300)
			continue;
		out += 200;
		for (size_t i = 0; i < out; i++)
			assert_int_equal((unsigned char)buf_str(&b).p[i], next_out++);
		buf_consume(&b, out);
	}
	assert_true(b.cap <= 1024);
	buf_fini(&b);
}

static void
test_empty_buffers_are_harmless(void **state)
{
	(void)state;
	struct buf b = { 0 };

	assert_int_equal(buf_str(&b).n, 0);
	assert_null(buf_str(&b).p);
	buf_add(&b, NULL, 0);
	buf_add_str(&b, STR_NULL);
	buf_consume(&b, 0);
	buf_clear(&b);
	assert_non_null(buf_reserve(&b, 0));
	buf_fini(&b);
	buf_fini(&b);
	buf_add_str(&b, STR("again"));
	assert_holds(&b, "again");
	buf_clear(&b);
	assert_holds(&b, "");
	buf_fini(&b);
}

static void
test_numbers(void **state)
{
	(void)state;
	struct buf b = { 0 };

	buf_add_i64(&b, 0);
	buf_add(&b, " ", 1);
	buf_add_i64(&b, -1);
	buf_add(&b, " ", 1);
	buf_add_i64(&b, INT64_MAX);
	assert_holds(&b, "0 -1 9223372036854775807");
	buf_fini(&b);
}

static void
test_json_strings(void **state)
{
	(void)state;
	struct buf b = { 0 };

	buf_add_json_str(&b, STR_NULL);
	buf_add_json_str(&b, STR("\"a\\b/"));
	buf_add_json_str(&b, STR("\n\x1f\0\x7f\""));
	buf_add_json_str(&b, STR("é€😀"));
	assert_holds(&b, "\"\""
			 "\"\\\"a\\\\b/\""
			 "\"\\u000a\\u001f\\u0000\x7f\\\"\""
			 "\"é€😀\"");
	buf_fini(&b);
}

/* Eight bytes are looked at together: each byte at each place among others that are
 * plain. */
static void
test_each_byte_of_a_json_string(void **state)
{
	(void)state;

	for (int c = 0; c < 256; c++) {
		for (size_t at = 0; at < 20; at++) {
			char text[20], want[64];
			struct buf b = { 0 };
			int n;

			memset(text, 'x', sizeof(text));
			text[at] = (char)c;
			if (c == '"' || c == '\\')
				n = sprintf(want, "%.*s\\%c", (int)at, text, c);
			else if (c < 0x20)
				n = sprintf(want, "%.*s\\u%04x", (int)at, text, c);
			else
				n = sprintf(want, "%.*s%c", (int)at, text, c);
			sprintf(want + n, "%.*s", (int)(19 - at), "xxxxxxxxxxxxxxxxxxx");
			buf_add_json_str(&b, (str){ text, sizeof(text) });
			buf_consume(&b, 1);
			b.len--;
			assert_holds(&b, want);
			buf_fini(&b);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_printf_into_an_empty_buffer),
		cmocka_unit_test(test_printf_of_every_length),
		cmocka_unit_test(test_consume_and_append),
		cmocka_unit_test(test_streams_without_growing),
		cmocka_unit_test(test_empty_buffers_are_harmless),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_json_strings),
		cmocka_unit_test(test_each_byte_of_a_json_string),
	};
	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
