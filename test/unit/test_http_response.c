/* Heads of responses, and percent-decoding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "http/http_parse.h"

static struct http_head head;
static enum err err;

static enum http_parse
parse(const char *text, enum http_method method)
{
	size_t scanned = 0;

	return http_parse_response(str_of(text), &scanned, method, &head, &err);
}

static void
good(const char *text, enum http_method method, enum http_framing framing)
{
	if (parse(text, method) != HTTP_PARSE_DONE)
		fail_msg("refused: %s", text);
	assert_int_equal(err, ERR_OK);
	assert_int_equal(head.framing, framing);
}

static void
test_response(void **state)
{
	(void)state;
	good("HTTP/1.1 200 OK \xe9\r\nContent-Length: 2\r\n\r\n{}", HTTP_GET,
	    HTTP_BODY_LENGTH);
	assert_int_equal(head.status, 200);
	assert_int_equal(head.content_length, 2);
	assert_int_equal(head.minor, 1);
	assert_true(head.keep_alive);
	assert_true(str_eq(http_header(&head, STR("content-length")), STR("2")));
	good("HTTP/1.1 599 \r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
	    HTTP_POST, HTTP_BODY_CHUNKED);
	assert_int_equal(head.status, 599);
	assert_false(head.keep_alive);
}

static void
test_until_close(void **state)
{
	(void)state;
	good("HTTP/1.1 404 x\r\n\r\n", HTTP_GET, HTTP_BODY_UNTIL_CLOSE);
	assert_false(head.keep_alive);
	good("HTTP/1.0 200 x\r\nConnection: keep-alive\r\n\r\n", HTTP_GET,
	    HTTP_BODY_UNTIL_CLOSE);
	assert_false(head.keep_alive);
}

static void
test_no_body(void **state)
{
	(void)state;
	good("HTTP/1.1 100 Continue\r\n\r\n", HTTP_POST, HTTP_BODY_NONE);
	good("HTTP/1.1 101 x\r\nUpgrade: x\r\n\r\n", HTTP_GET, HTTP_BODY_NONE);
	good("HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n", HTTP_GET, HTTP_BODY_NONE);
	good("HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n", HTTP_GET, HTTP_BODY_NONE);
	good("HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_GET,
	    HTTP_BODY_NONE);
	good("HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\n", HTTP_HEAD, HTTP_BODY_NONE);
	assert_true(head.keep_alive);
	good("HTTP/1.1 200 x\r\n\r\n", HTTP_HEAD, HTTP_BODY_NONE);
	assert_true(head.keep_alive);
}

static void
test_pieces(void **state)
{
	const str text = STR("HTTP/1.1 200 OK\r\nX: y\r\n\r\n");
	size_t scanned = 0;

	(void)state;
	for (size_t n = 0; n < text.n; n++) {
		size_t from_start = 0;

		assert_int_equal(http_parse_response(
				     (str){ text.p, n }, &scanned, HTTP_GET, &head, &err),
		    HTTP_PARSE_MORE);
		assert_int_equal(http_parse_response((str){ text.p, n }, &from_start,
				     HTTP_GET, &head, &err),
		    HTTP_PARSE_MORE);
	}
	assert_int_equal(
	    http_parse_response(text, &scanned, HTTP_GET, &head, &err), HTTP_PARSE_DONE);
}
static void
test_bad_response(void **state)
{
	static const char *const texts[] = { "HTTP/1.1 200\r\n\r\n",
		"HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
		"HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 600 OK\r\n\r\n",
		"HTTP/1.1 -20 OK\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n",
		"ICY 200 OK\r\n\r\n", "\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\n\n", "HTTP/1.1 200 O\rK\r\n\r\n",
		"HTTP/1.1 200 O\x01K\r\n\r\n", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
		"HTTP/1.1 200 \r\nContent-Length:1\r\nTransfer-Encoding:chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 204 x\r\nContent-Length: 1\r\n\r\n",
		"HTTP/1.1 103 x\r\nTransfer-Encoding: chunked\r\n\r\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (parse(texts[i], HTTP_GET) != HTTP_PARSE_BAD)
			fail_msg("accepted: %s", texts[i]);
		assert_int_equal(err, ERR_BAD_GATEWAY);
	}
}

static void
test_too_large(void **state)
{
	static char text[HTTP_MAX_HEAD + 64] = "HTTP/1.1 200 ";
	size_t start = strlen(text);

	(void)state;
	memset(text + start, 'x', HTTP_MAX_HEAD);
	assert_int_equal(parse(text, HTTP_GET), HTTP_PARSE_BAD);
	assert_int_equal(err, ERR_BAD_GATEWAY);
	text[HTTP_MAX_HEAD - 1] = '\0';
	assert_int_equal(parse(text, HTTP_GET), HTTP_PARSE_MORE);
}

static void
test_unescape(void **state)
{
	char out[16];
	str decoded;

	(void)state;
	assert_true(http_unescape(STR("a%20%c3%A9+%25"), out, &decoded));
	assert_true(str_eq(decoded, STR("a \xc3\xa9+%")));
	assert_true(http_unescape(STR(""), out, &decoded));
	assert_int_equal(decoded.n, 0);
	assert_false(http_unescape(STR("%"), out, &decoded));
	assert_false(http_unescape(STR("%4"), out, &decoded));
	assert_false(http_unescape(STR("%4g"), out, &decoded));
	assert_false(http_unescape(STR("a%00"), out, &decoded));
	assert_false(http_unescape(STR("a\0"), out, &decoded));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_response),
		cmocka_unit_test(test_until_close),
		cmocka_unit_test(test_no_body),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_bad_response),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_unescape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
