/* Heads: what is understood of good ones, and that every kind of bad one is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/http_parse.h"

static struct http_head head;
static enum err err;

static void
assert_str(str got, const char *want)
{
	if (!str_eq(got, str_of(want)))
		fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(got), want);
}

/* Parses a copy of exactly this size, so that ASan sees a read behind it. */
static enum http_parse
parse(str text)
{
	static char *copy;
	size_t scanned = 0;

	free(copy);
	copy = xmalloc(text.n > 0 ? text.n : 1);
	memcpy(copy, text.p, text.n);
	return http_parse_request((str){ copy, text.n }, &scanned, &head, &err);
}

static void
good(const char *text)
{
	if (parse(str_of(text)) != HTTP_PARSE_DONE)
		fail_msg("refused (%s): %s", err_info(err)->code, text);
}

static void
bad(const char *text, enum err want)
{
	enum http_parse result = parse(str_of(text));

	if (result != HTTP_PARSE_BAD || err != want)
		fail_msg("result %d, %s instead of %s: %s", (int)result,
		    err_info(err)->code, err_info(want)->code, text);
}

/* --- requests ------------------------------------------------------------------------
 */

static void
test_request(void **state)
{
	(void)state;
	good("POST /a/b%20c?x=1?y HTTP/1.1\r\nHost: shop:8080\r\nX-One:\t first \t\r\n"
	     "x-two:\r\nContent-Length: 12\r\n\r\n{");
	assert_int_equal(head.method, HTTP_POST);
	assert_str(head.method_text, "POST");
	assert_str(head.target, "/a/b%20c?x=1?y");
	assert_str(head.path, "/a/b%20c");
	assert_str(head.query, "x=1?y");
	assert_int_equal(head.minor, 1);
	assert_true(head.keep_alive);
	assert_false(head.expect_continue);
	assert_int_equal(head.framing, HTTP_BODY_LENGTH);
	assert_int_equal(head.content_length, 12);
	assert_int_equal(head.header_count, 4);
	assert_str(http_header(&head, STR("x-one")), "first");
	assert_str(http_header(&head, STR("X-Two")), "");
	assert_non_null(http_header(&head, STR("X-Two")).p);
	assert_null(http_header(&head, STR("X-Three")).p);
	/* The head ends behind the empty line; "{" is the body. */
	assert_int_equal(head.head_size, strlen("POST /a/b%20c?x=1?y HTTP/1.1\r\n"
						"Host: shop:8080\r\nX-One:\t first \t\r\n"
						"x-two:\r\nContent-Length: 12\r\n\r\n"));
}

static void
test_methods(void **state)
{
	static const char *const names[] = { "GET", "HEAD", "POST", "PUT", "PATCH",
		"DELETE", "OPTIONS" };
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(
		    text, sizeof(text), "%s / HTTP/1.1\r\nHost: a\r\n\r\n", names[i]);
		good(text);
		assert_int_equal(head.method, (int)i);
		assert_str(http_method_name(head.method), names[i]);
	}
	good("get / HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(head.method, HTTP_OTHER);
	assert_str(head.method_text, "get");
	good("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_str(head.path, "*");
	bad("GET * HTTP/1.1\r\nHost: a\r\n\r\n", ERR_BAD_REQUEST);
	bad("OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n", ERR_BAD_REQUEST);
	bad("CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n", ERR_BAD_REQUEST);
	bad("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", ERR_BAD_REQUEST);
	bad("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", ERR_BAD_REQUEST);
}

static void
test_request_line(void **state)
{
	static const char *const lines[] = { "", " GET / HTTP/1.1", "GET  / HTTP/1.1",
		"GET /  HTTP/1.1", "GET / HTTP/1.1 ", "GET\t/ HTTP/1.1",
		"GET /\tHTTP/1.1", "GET /", "GET HTTP/1.1", "GET  HTTP/1.1", "GET",
		"GET / http/1.1", "GET / HTTP/1", "GET / HTTP/1.", "GET / HTTP/11",
		"GET / HTTP/1.11", "GET / HTTP/01.1", "GET / HTTP/ 1.1",
		"GET / HTTP/1.1x", "GET / HTTPS/1.1", "GET / HTTP/1,1",
		"GET /a b HTTP/1.1", "GET a HTTP/1.1", "GET http://a/ HTTP/1.1",
		"GET /a#b HTTP/1.1", "GET /%00 HTTP/1.1", "GET /%0 HTTP/1.1",
		"GET /%g0 HTTP/1.1", "GET /? HTTP/1.1\r", "GET /\" HTTP/1.1",
		"GET /\\ HTTP/1.1", "GET /^ HTTP/1.1", "GET /{a} HTTP/1.1",
		"GET /| HTTP/1.1", "GET /` HTTP/1.1", "GET /<> HTTP/1.1",
		"GET /[a] HTTP/1.1", "GET /caf\xc3\xa9 HTTP/1.1", "GET /\x7f HTTP/1.1",
		"GET /\x01 HTTP/1.1", "\xef\xbb\xbfGET / HTTP/1.1", "\x16\x03\x01\x02" };
	char text[96];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		snprintf(text, sizeof(text), "%s\r\nHost: a\r\n\r\n", lines[i]);
		bad(text, ERR_BAD_REQUEST);
	}
	bad("GET / HTTP/1.1\nHost: a\r\n\r\n", ERR_BAD_REQUEST);
	bad("GET / HTTP/1.1\rHost: a\r\n\r\n", ERR_BAD_REQUEST);
	bad("GET / HTTP/2.0\r\n\r\n", ERR_HTTP_VERSION);
	bad("GET / HTTP/1.2\r\n\r\n", ERR_HTTP_VERSION);
	bad("GET / HTTP/0.9\r\n\r\n", ERR_HTTP_VERSION);
	good("GET /-._~!$&'()*+,;=:@/%7e%Fa?-._~!$&'()*+,;=:@/?%20 HTTP/1.1\r\n"
	     "Host: a\r\n\r\n");
	good("GET //a/../b? HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_str(head.path, "//a/../b");
	assert_non_null(head.query.p);
	assert_int_equal(head.query.n, 0);
}

static void
test_field_lines(void **state)
{
	static const char *const lines[] = { "X: a\nY: b", "X: a\rb", "X: a\r\n b",
		"X: a\r\n\tb", "X : a", "X\t: a", ": a", ":", "X", "X a", "X(: a",
		"X\xe4: a", "X@Y: a", "X: a\x01", "X: a\x7f", "X: \x0b", "X\r\n: a",
		" X: a", "\r", "X: a\r\r" };
	char text[96];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n",
		    lines[i]);
		bad(text, ERR_BAD_REQUEST);
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n%s\r\nHost: a\r\n\r\n",
		    lines[i]);
		bad(text, ERR_BAD_REQUEST);
	}
	assert_int_equal(
	    parse(STR("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n")), HTTP_PARSE_BAD);
	assert_int_equal(
	    parse(STR("GET / HTTP/1.1\r\nHost: a\r\nX\0: a\r\n\r\n")), HTTP_PARSE_BAD);
	assert_int_equal(
	    parse(STR("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n")), HTTP_PARSE_BAD);
	good("GET / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~9aZ: \xc3\xa9\t\"x\r\n\r\n");
	assert_str(head.headers[1].name, "!#$%&'*+-.^_`|~9aZ");
	assert_str(head.headers[1].value, "\xc3\xa9\t\"x");
}

/* Each byte alone, where it is allowed and where not (RFC 9110, 5.5 and 5.6.2). */
static void
test_every_byte(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		bool token =
		    c > 0 && c < 127 &&
		    (strchr("!#$%&'*+-.^_`|~", c) != NULL || (c >= '0' && c <= '9') ||
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
		bool value = c == '\t' || (c >= ' ' && c != 127);
		char in_name[] = "GET / HTTP/1.0\r\nX?Y: a\r\n\r\n";
		char in_value[] = "GET / HTTP/1.0\r\nX: a?b\r\n\r\n";

		*strchr(in_name, '?') = (char)c;
		*strchr(in_value, '?') = (char)c;
		if (c == ':')
			token = true; /* the name is "X" then */
		assert_int_equal(parse((str){ in_name, sizeof(in_name) - 1 }),
		    token ? HTTP_PARSE_DONE : HTTP_PARSE_BAD);
		assert_int_equal(parse((str){ in_value, sizeof(in_value) - 1 }),
		    value ? HTTP_PARSE_DONE : HTTP_PARSE_BAD);
	}
}

/* --- what fields mean ----------------------------------------------------------------
 */

/* A request with this field beside Host. */
static char *
with(const char *field)
{
	static char text[256];

	snprintf(text, sizeof(text), "POST / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", field);
	return text;
}

static void
test_host(void **state)
{
	static const char *const hosts[] = { "a", "a.b-c_d~9", "127.0.0.1:80",
		"a:", "[::1]", "[::1]:65535", "[::ffff:1.2.3.4]" };
	static const char *const not_hosts[] = { "", "a b", "a,b", "u@a", "a/b", "a?b",
		"a#b", "a:b", "a:1:2", "a:123456", ":80", "[]", "[::1", "::1", "[::1]80",
		"[g]", "a%41", "http://a", "a\xc3\xa9", "[::1]:x" };
	char text[96];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		snprintf(
		    text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", hosts[i]);
		good(text);
	}
	for (size_t i = 0; i < ARRAY_LEN(not_hosts); i++) {
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n",
		    not_hosts[i]);
		bad(text, ERR_BAD_REQUEST);
	}
	bad("GET / HTTP/1.1\r\n\r\n", ERR_BAD_REQUEST);
	bad("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", ERR_BAD_REQUEST);
	bad("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", ERR_BAD_REQUEST);
	good("GET / HTTP/1.0\r\n\r\n");
}

static void
test_length(void **state)
{
	static const char *const lengths[] = { "", "+5", "-5", "-0", "5 5", "5,5", "0x5",
		"05", "00", "5a", "1_0", "5.0", "1e1", "\"5\"", "9223372036854775808",
		"18446744073709551621", "99999999999999999999", "\xc2\xb2" };
	char field[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		snprintf(field, sizeof(field), "Content-Length: %s", lengths[i]);
		bad(with(field), ERR_BAD_REQUEST);
	}
	bad(with("Content-Length: 5\r\nContent-Length: 5"), ERR_BAD_REQUEST);
	bad(with("Content-Length: 0\r\ncontent-length: 1"), ERR_BAD_REQUEST);
	good(with("content-LENGTH:  9223372036854775807\t"));
	assert_int_equal(head.content_length, INT64_MAX);
	good(with("Content-Length: 0"));
	assert_int_equal(head.framing, HTTP_BODY_LENGTH);
	assert_int_equal(head.content_length, 0);
	good(with("Content_Length: 5"));
	assert_int_equal(head.framing, HTTP_BODY_NONE);
}

static void
test_coding(void **state)
{
	static const char *const codings[] = { "", "gzip", "identity", "xchunked",
		"chunkedx", "chunked,", ",chunked", "chunked, chunked",
		"chunked, identity", "chunked, gzip", "gzip, chunked, chunked",
		"foo, chunked", "identity, chunked", "chunked;a=b", "\"chunked\"",
		"chun ked", "\240chunked", "gzip,, chunked", "chunked gzip" };
	char field[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
		snprintf(field, sizeof(field), "Transfer-Encoding: %s", codings[i]);
		bad(with(field), ERR_BAD_REQUEST);
	}
	bad(with("Transfer-Encoding: gzip, chunked"), ERR_NOT_IMPLEMENTED);
	bad(with("Transfer-Encoding: deflate ,\tx-gzip,chunked"), ERR_NOT_IMPLEMENTED);
	bad(with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
	    ERR_BAD_REQUEST);
	bad(with("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip"),
	    ERR_BAD_REQUEST);
	bad(with("Transfer-Encoding: chunked\r\nContent-Length: 5"), ERR_BAD_REQUEST);
	bad(with("Content-Length: 0\r\nTransfer-Encoding: chunked"), ERR_BAD_REQUEST);
	bad("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", ERR_BAD_REQUEST);
	good(with("transfer-encoding: \tCHUNKED "));
	assert_int_equal(head.framing, HTTP_BODY_CHUNKED);
}

static void
test_connection(void **state)
{
	(void)state;
	good(with("Connection: close"));
	assert_false(head.keep_alive);
	good(with("Connection: keep-alive, Close"));
	assert_false(head.keep_alive);
	good(with("Connection: close\r\nConnection: keep-alive"));
	assert_false(head.keep_alive);
	good(with("Connection: , Upgrade,,te ,"));
	assert_true(head.keep_alive);
	good("GET / HTTP/1.0\r\n\r\n");
	assert_false(head.keep_alive);
	good("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
	assert_true(head.keep_alive);
	bad(with("Connection: Content-Length"), ERR_BAD_REQUEST);
	bad(with("Connection: close, transfer-encoding"), ERR_BAD_REQUEST);
	bad(with("Connection: host"), ERR_BAD_REQUEST);
	bad(with("Connection: close;a"), ERR_BAD_REQUEST);
	bad(with("Connection: keep alive"), ERR_BAD_REQUEST);
}

/* Names as long as those that mean something. */
static void
test_other_fields(void **state)
{
	(void)state;
	good(with("Date: close\r\nCookie: x\r\nUser-Agent: close\r\n"
		  "Accept-Charset: 5\r\nX-Forwarded-Proto: chunked"));
	assert_int_equal(head.header_count, 6);
	assert_int_equal(head.framing, HTTP_BODY_NONE);
	assert_true(head.keep_alive);
}

static void
test_expect(void **state)
{
	(void)state;
	good(with("Expect: 100-Continue\r\nContent-Length: 1"));
	assert_true(head.expect_continue);
	bad(with("Expect: 200-ok"), ERR_EXPECTATION);
	bad(with("Expect: 100-continue, 200-ok"), ERR_EXPECTATION);
	bad(with("Expect:"), ERR_EXPECTATION);
	good("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n");
	assert_false(head.expect_continue);
}

/* --- pieces and limits ---------------------------------------------------------------
 */

static void
test_pieces(void **state)
{
	const str text = STR("POST /a?b=%41 HTTP/1.1\r\nHost: [::1]:80\r\nX: y z \r\n"
			     "Transfer-Encoding: chunked\r\n\r\n5\r\n");
	const size_t head_size = text.n - 3;
	size_t scanned = 0;

	(void)state;
	for (size_t n = 0; n < head_size; n++) {
		/* All that there is at once, and byte after byte. */
		assert_int_equal(parse((str){ text.p, n }), HTTP_PARSE_MORE);
		assert_int_equal(
		    http_parse_request((str){ text.p, n }, &scanned, &head, &err),
		    HTTP_PARSE_MORE);
	}
	for (size_t n = head_size; n <= text.n; n++)
		assert_int_equal(parse((str){ text.p, n }), HTTP_PARSE_DONE);
	assert_int_equal(
	    http_parse_request(text, &scanned, &head, &err), HTTP_PARSE_DONE);
	assert_int_equal(head.head_size, head_size);
	assert_int_equal(head.header_count, 3);
}

/* A bad line is refused when it is complete, though the head is not. */
static void
test_bad_in_pieces(void **state)
{
	static const char *const texts[] = { "\r\n", "GET /\r\n", "GET / HTTP/3.0\r\n",
		"GET / HTTP/1.1\r\nHost: a\n", "GET / HTTP/1.1\r\nX : a\r\n",
		"GET / HTTP/1.1\r\nContent-Length: x\r\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		enum http_parse result = HTTP_PARSE_MORE;
		size_t scanned = 0, n = 0;

		while (result == HTTP_PARSE_MORE && n < strlen(texts[i]))
			result = http_parse_request(
			    (str){ texts[i], ++n }, &scanned, &head, &err);
		assert_int_equal(result, HTTP_PARSE_BAD);
	}
}

/* A request whose target, name and value have this many bytes, with that many fields. */
static str
big(size_t target, size_t name, size_t value, int fields)
{
	static char text[64 * 1024];
	char *p = text;

	p += sprintf(p, "GET /");
	memset(p, 'a', target - 1);
	p += target - 1;
	p += sprintf(p, " HTTP/1.0\r\n");
	for (int i = 0; i < fields; i++) {
		memset(p, 'n', name);
		p += name;
		*p++ = ':';
		memset(p, 'v', value);
		p += value;
		p += sprintf(p, "\r\n");
	}
	p += sprintf(p, "\r\n");
	return (str){ text, (size_t)(p - text) };
}

static void
assert_result(str text, enum http_parse want, enum err want_err)
{
	assert_int_equal(parse(text), want);
	assert_int_equal(err, want_err);
}

static void
test_limits(void **state)
{
	str text;

	(void)state;
	assert_result(big(HTTP_MAX_TARGET, 1, 1, 1), HTTP_PARSE_DONE, ERR_OK);
	text = big(HTTP_MAX_TARGET + 1, 1, 1, 1);
	assert_result(text, HTTP_PARSE_BAD, ERR_URI_TOO_LONG);
	text.n = HTTP_MAX_TARGET + 5;
	assert_result(text, HTTP_PARSE_BAD, ERR_URI_TOO_LONG);
	assert_result(big(1, 1, 1, HTTP_MAX_HEADERS), HTTP_PARSE_DONE, ERR_OK);
	assert_int_equal(head.header_count, HTTP_MAX_HEADERS);
	assert_result(
	    big(1, 1, 1, HTTP_MAX_HEADERS + 1), HTTP_PARSE_BAD, ERR_HEADERS_TOO_LARGE);

	/* "GET / HTTP/1.0\r\n", "n:", "\r\n\r\n": 22 bytes beside the value. */
	text = big(1, 1, HTTP_MAX_HEAD - 22, 1);
	assert_int_equal(text.n, HTTP_MAX_HEAD);
	assert_result(text, HTTP_PARSE_DONE, ERR_OK);
	text = big(1, 1, HTTP_MAX_HEAD - 21, 1);
	assert_result(text, HTTP_PARSE_BAD, ERR_HEADERS_TOO_LARGE);
	text.n = HTTP_MAX_HEAD - 1;
	assert_result(text, HTTP_PARSE_MORE, ERR_OK);
	text = big(1, 30000, 1, 1);
	assert_result(text, HTTP_PARSE_BAD, ERR_HEADERS_TOO_LARGE);
	memset((char *)(uintptr_t)text.p, 'M', text.n);
	assert_result(text, HTTP_PARSE_BAD, ERR_HEADERS_TOO_LARGE);
}

static void
test_lists(void **state)
{
	(void)state;

	assert_true(http_list_has(STR("gzip"), STR("GZip")));
	assert_true(http_list_has(STR("br , gzip,\tzstd "), STR("zstd")));
	assert_false(http_list_has(STR("br, gzip2"), STR("gzip")));
	assert_false(http_list_has(STR("br gzip"), STR("gzip")));
	assert_false(http_list_has(STR_NULL, STR("gzip")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_request_line),
		cmocka_unit_test(test_field_lines),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_coding),
		cmocka_unit_test(test_connection),
		cmocka_unit_test(test_other_fields),
		cmocka_unit_test(test_expect),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_bad_in_pieces),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
