/* Bodies of every framing, whole and in every pair of pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "http/http_parse.h"

/* What came out of a decoder. */
struct decoded {
	enum http_parse result;
	struct buf content; /* owned */
	size_t used;        /* of all that was put in */
};

/* Gives the decoder what it has not taken before and `more` bytes behind that, as a
 * connection would. */
static void
decode_up_to(struct http_body *b, struct decoded *d, const char *text, size_t end)
{
	size_t used;
	str data;

	do {
		str in = { text + d->used, end - d->used };

		d->result = http_body_decode(b, in, &used, &data);
		assert_true(used <= in.n);
		assert_true(data.n <= used);
		d->used += used;
		buf_add_str(&d->content, data);
	} while (d->result == HTTP_PARSE_MORE && used > 0);
}

/* Decodes the text in two pieces, cut at `cut`. */
static struct decoded
decode(struct http_head head, str text, size_t cut)
{
	struct decoded d = { .result = HTTP_PARSE_MORE };
	struct http_body b;

	buf_reserve(&d.content, text.n + 1);
	http_body_init(&b, &head);
	if (cut < text.n)
		decode_up_to(&b, &d, text.p, cut);
	if (d.result == HTTP_PARSE_MORE)
		decode_up_to(&b, &d, text.p, text.n);
	return d;
}

static void
assert_decodes(struct http_head head, str text, const char *content, size_t rest)
{
	for (size_t cut = 0; cut <= text.n; cut++) {
		struct decoded d = decode(head, text, cut);

		if (d.result != HTTP_PARSE_DONE)
			fail_msg("result %d, cut at %zu: %s", (int)d.result, cut, text.p);
		assert_true(str_eq(buf_str(&d.content), str_of(content)));
		assert_int_equal(text.n - d.used, rest);
		buf_fini(&d.content);
	}
}

static const struct http_head chunked = { .framing = HTTP_BODY_CHUNKED };

static void
good(const char *text, const char *content, size_t rest)
{
	assert_decodes(chunked, str_of(text), content, rest);
}

static void
bad_str(str text)
{
	for (size_t cut = 0; cut <= text.n; cut++) {
		struct decoded d = decode(chunked, text, cut);

		if (d.result != HTTP_PARSE_BAD)
			fail_msg("result %d, cut at %zu: %s", (int)d.result, cut, text.p);
		buf_fini(&d.content);
	}
}

static void
bad(const char *text)
{
	bad_str(str_of(text));
}

/* Not complete and not wrong. */
static void
open_ended(const char *text)
{
	struct decoded d = decode(chunked, str_of(text), 0);

	assert_int_equal(d.result, HTTP_PARSE_MORE);
	buf_fini(&d.content);
}

static void
test_no_body(void **state)
{
	(void)state;
	assert_decodes(
	    (struct http_head){ .framing = HTTP_BODY_NONE }, STR("GET /"), "", 5);
}

static void
test_length(void **state)
{
	struct http_head head = { .framing = HTTP_BODY_LENGTH, .content_length = 5 };
	struct decoded d;

	(void)state;
	assert_decodes(head, STR("hello"), "hello", 0);
	assert_decodes(head, STR("helloGET"), "hello", 3);
	d = decode(head, STR("hell"), 2);
	assert_int_equal(d.result, HTTP_PARSE_MORE);
	buf_fini(&d.content);
	head.content_length = 0;
	assert_decodes(head, STR("GET"), "", 3);
}

static void
test_until_close(void **state)
{
	struct decoded d = decode((struct http_head){ .framing = HTTP_BODY_UNTIL_CLOSE },
	    STR("0\r\n\r\nanything"), 3);

	(void)state;
	assert_int_equal(d.result, HTTP_PARSE_MORE);
	assert_int_equal(buf_size(&d.content), 13);
	buf_fini(&d.content);
}

static void
test_chunked(void **state)
{
	(void)state;
	good("0\r\n\r\n", "", 0);
	good("5\r\nhello\r\n0\r\n\r\nGET", "hello", 3);
	good("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", 0);
	good("A\r\n0123456789\r\n000a\r\n0123456789\r\n0000\r\n\r\n",
	    "01234567890123456789", 0);
	good("4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", 0);
	good("00000001\r\nx\r\n00000000\r\n\r\n", "x", 0);
}

static void
test_extensions(void **state)
{
	static const char *const lines[] = { "1;", "1;=b", "1;a=", "1;a b", "1;a=b c",
		"1;a=\"b", "1;a=\"\\\"", "1;a=\"b\"c", "1;a=b;", "1;;a", "1 ;a", "1; a",
		"1;a =b", "1;a= b", "1;a\rb", "1;a=\"\r\"", "1;a=\"\x01\"",
		"1;a=\"\\\x01\"", "1;a(", "1;a=b,c", "1;a\x7f" };
	char text[64];

	(void)state;
	good("1;a\r\nx\r\n0;b\r\n\r\n", "x", 0);
	good("1;a=b;c=\"d;\\\"\t\xe9 e\";f\r\nx\r\n0\r\n\r\n", "x", 0);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		snprintf(text, sizeof(text), "%s\r\nx\r\n0\r\n\r\n", lines[i]);
		bad(text);
	}
	bad_str(STR("1;a\0b\r\nx\r\n0\r\n\r\n"));
}

static void
test_bad_chunks(void **state)
{
	static const char *const texts[] = { "\r\n", "\r\n0\r\n\r\n", "x\r\n",
		"0x5\r\nhello", "+5\r\nhello\r\n", "-1\r\n", " 5\r\nhello\r\n",
		"5 \r\nhello\r\n", "5\t\r\nhello\r\n", "1_0\r\n", "5\nhello\r\n0\r\n\r\n",
		"5\rhello\r\n", "5\r\r\nhello\r\n", "5\r\nhello\n0\r\n\r\n",
		"5\r\nhello0\r\n\r\n", "5\r\nhello\r0\r\n\r\n", "5\r\nhello0",
		"5\r\nhello\r0", "5\r\nhelloworld\r\n0\r\n\r\n", "5\r\nhell\r\n0\r\n\r\n",
		"5\r\nhello\r\n\r\n0\r\n\r\n", "100000000\r\n", "000000005\r\nhello\r\n",
		"fffffffffffffffff\r\n", "5g\r\nhello\r\n", "0\n\r\n", "0\r\n\n",
		"0\r\nX\r\n\r\n", "0\r\nX : y\r\n\r\n", "0\r\n: y\r\n\r\n",
		"0\r\nX: y\n\r\n", "0\r\nX: y\r\n z\r\n\r\n", "0\r\nX: \x01\r\n\r\n",
		"0\r\nX: a\rb\r\n\r\n", "0\r\nContent-Length: 5\r\n\r\n",
		"0\r\nX: y\r\ntransfer-encoding: a\r\n\r\n", "0\r\nHOST: a\r\n\r\n",
		"INVALID!!!\r\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		bad(texts[i]);
	bad_str(STR("5\0\r\nhello\r\n0\r\n\r\n"));
	open_ended("");
	open_ended("5");
	open_ended("ffffffff\r\nx");
	open_ended("5\r\nhello");
	open_ended("5\r\nhello\r\n0\r\n");
	open_ended("0\r\nX: y\r\n");
}

static void
test_trailers(void **state)
{
	(void)state;
	good("0\r\nX: y\r\nY:\r\n\r\nGET", "", 3);
	good("1;a\r\nx\r\n0;a\r\nContent-Lengths: 1\r\n\r\n", "x", 0);
}

/* A decoder that refused goes on refusing, and one that is done stays so. */
static void
test_final(void **state)
{
	struct http_body b;
	size_t used;
	str data;

	(void)state;
	http_body_init(&b, &chunked);
	assert_int_equal(
	    http_body_decode(&b, STR("x\r\n"), &used, &data), HTTP_PARSE_BAD);
	assert_int_equal(
	    http_body_decode(&b, STR("0\r\n\r\n"), &used, &data), HTTP_PARSE_BAD);
	http_body_init(&b, &chunked);
	assert_int_equal(
	    http_body_decode(&b, STR("0\r\n\r\n"), &used, &data), HTTP_PARSE_DONE);
	assert_int_equal(used, 5);
	assert_int_equal(
	    http_body_decode(&b, STR("0\r\n\r\n"), &used, &data), HTTP_PARSE_DONE);
	assert_int_equal(used, 0);
}

/* Extensions and trailers of a whole body may not exceed the head limit, nor may a line
 * that does not end. */
static void
test_extra_limit(void **state)
{
	const size_t line = strlen("1;aaaaaaaaaaaaaa\r\nx\r\n"); /* 15 of them extra */
	struct buf text = { 0 };
	struct decoded d;

	(void)state;
	for (int i = 0; i < HTTP_MAX_HEAD / 15; i++)
		buf_printf(&text, "1;aaaaaaaaaaaaaa\r\nx\r\n");
	d = decode(chunked, buf_str(&text), line);
	assert_int_equal(d.result, HTTP_PARSE_MORE);
	assert_int_equal(buf_size(&d.content), HTTP_MAX_HEAD / 15);
	buf_fini(&d.content);
	buf_printf(&text, "1;aaaaaaaaaaaaaa\r\nx\r\n");
	d = decode(chunked, buf_str(&text), line);
	assert_int_equal(d.result, HTTP_PARSE_BAD);
	buf_fini(&d.content);

	buf_clear(&text);
	buf_printf(&text, "0\r\n");
	for (int i = 0; i < HTTP_MAX_HEAD / 6 + 1; i++)
		buf_printf(&text, "X: y\r\n");
	d = decode(chunked, buf_str(&text), 0);
	assert_int_equal(d.result, HTTP_PARSE_BAD);
	buf_fini(&d.content);

	buf_clear(&text);
	memset(buf_reserve(&text, HTTP_MAX_HEAD), '0', HTTP_MAX_HEAD);
	buf_grew(&text, HTTP_MAX_HEAD - 1);
	d = decode(chunked, buf_str(&text), 0);
	assert_int_equal(d.result, HTTP_PARSE_MORE);
	buf_fini(&d.content);
	buf_grew(&text, 1);
	d = decode(chunked, buf_str(&text), 0);
	assert_int_equal(d.result, HTTP_PARSE_BAD);
	buf_fini(&d.content);
	buf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_body),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_until_close),
		cmocka_unit_test(test_chunked),
		cmocka_unit_test(test_extensions),
		cmocka_unit_test(test_bad_chunks),
		cmocka_unit_test(test_trailers),
		cmocka_unit_test(test_final),
		cmocka_unit_test(test_extra_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
