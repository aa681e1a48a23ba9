/* Heads of HTTP/2: what they become, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/h2_head.h"

static struct arena *arena;
static struct h2_head in;
static struct http_head out;

static int
set_up(void **state UNUSED)
{
	arena = arena_new();
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	h2_head_fini(&in);
	arena_free(arena);
	return 0;
}

static void
field(const char *name, const char *value)
{
	h2_head_field(&in, str_of(name), str_of(value));
}

/* The four that a request has. */
static void
begin(const char *method, const char *path)
{
	h2_head_clear(&in);
	field(":method", method);
	field(":scheme", "https");
	field(":authority", "shop.example:443");
	field(":path", path);
}

static enum err
end(bool body)
{
	return h2_head_end(&in, body, arena, &out);
}

static void
assert_str(str s, const char *text)
{
	assert_true(str_eq(s, str_of(text)));
}

static void
test_a_head_reads_as_if_it_had_come_by_http_1(void **state UNUSED)
{
	begin("GET", "/coupons/7?x=y");
	field("accept", "*/*");
	assert_int_equal(end(false), ERR_OK);
	assert_int_equal(out.method, HTTP_GET);
	assert_str(out.path, "/coupons/7");
	assert_str(out.query, "x=y");
	assert_str(http_header(&out, STR("host")), "shop.example:443");
	assert_str(http_header(&out, STR("accept")), "*/*");
	assert_int_equal(out.header_count, 2);
	assert_int_equal(out.framing, HTTP_BODY_NONE);
	assert_true(out.keep_alive && out.minor == 1);
}

static void
test_crumbs_of_cookies_become_one_field(void **state UNUSED)
{
	begin("GET", "/");
	field("cookie", "a=1");
	field("cookie", "b=2");
	assert_int_equal(end(false), ERR_OK);
	assert_str(http_header(&out, STR("cookie")), "a=1; b=2");
	assert_int_equal(out.header_count, 2);
}

static void
test_host_stands_for_a_missing_authority(void **state UNUSED)
{
	h2_head_clear(&in);
	field(":method", "GET");
	field(":scheme", "http");
	field(":path", "/");
	field("host", "shop.example");
	assert_int_equal(end(false), ERR_OK);
	assert_str(http_header(&out, STR("host")), "shop.example");
}

static void
test_host_may_repeat_the_authority_only(void **state UNUSED)
{
	begin("GET", "/");
	field("host", "SHOP.example:443");
	assert_int_equal(end(false), ERR_OK);
	assert_int_equal(out.header_count, 1);
	begin("GET", "/");
	field("host", "other.example");
	assert_int_equal(end(false), ERR_BAD_REQUEST);
}

static void
test_how_a_body_is_framed(void **state UNUSED)
{
	begin("POST", "/");
	assert_int_equal(end(true), ERR_OK);
	assert_int_equal(out.framing, HTTP_BODY_CHUNKED);
	begin("POST", "/");
	field("content-length", "5");
	assert_int_equal(end(true), ERR_OK);
	assert_int_equal(out.framing, HTTP_BODY_LENGTH);
	assert_int_equal(out.content_length, 5);
	assert_int_equal(end(false), ERR_BAD_REQUEST);
	begin("POST", "/");
	field("content-length", "0");
	assert_int_equal(end(false), ERR_OK);
	assert_int_equal(out.framing, HTTP_BODY_NONE);
}

static void
test_what_a_field_may_not_be(void **state UNUSED)
{
	static const struct {
		const char *name, *value;
	} cases[] = {
		{ "Accept", "*/*" },
		{ "", "x" },
		{ "a b", "x" },
		{ "a:b", "x" },
		{ "x", "a\r\nhost: b" },
		{ "x", "a\nb" },
		{ "x", " a" },
		{ "x", "a\t" },
		{ "x", "\x01" },
		{ "connection", "close" },
		{ "keep-alive", "timeout=5" },
		{ "proxy-connection", "close" },
		{ "transfer-encoding", "chunked" },
		{ "upgrade", "websocket" },
		{ "te", "gzip" },
		{ "content-length", "+1" },
		{ "content-length", "01" },
		{ ":path", "/again" },
		{ ":method", "GET" },
		{ ":authority", "again" },
		{ ":status", "200" },
		{ ":protocol", "websocket" },
		{ ":scheme", "ftp" },
		{ ":path", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		begin("GET", "/");
		field(cases[i].name, cases[i].value);
		assert_int_equal(end(false), ERR_BAD_REQUEST);
	}
	begin("GET", "/");
	h2_head_field(&in, STR("x"), STR("a\0b"));
	assert_int_equal(end(false), ERR_BAD_REQUEST);
	begin("GET", "/");
	field("te", "trailers");
	field("empty", "");
	assert_int_equal(end(false), ERR_OK);
}

static void
test_pseudo_fields_come_first(void **state UNUSED)
{
	static const char *const before[] = { "accept", "cookie" };

	for (size_t i = 0; i < ARRAY_LEN(before); i++) {
		h2_head_clear(&in);
		field(before[i], "x");
		field(":method", "GET");
		assert_int_equal(end(false), ERR_BAD_REQUEST);
	}
}

static void
test_targets_are_those_of_http_1(void **state UNUSED)
{
	static const char *const refused[] = {
		"relative",
		"http://x/",
		"*",
		"/a b",
		"/a HTTP/1.1",
		"/%zz",
		"/%00",
		"/a#b",
		"/\x7f",
		"/\xc3\xa4",
	};
	static char longest[HTTP_MAX_TARGET + 2];

	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		begin("GET", refused[i]);
		assert_int_equal(end(false), ERR_BAD_REQUEST);
	}
	begin("OPTIONS", "*");
	assert_int_equal(end(false), ERR_OK);
	begin("CONNECT", "/");
	assert_int_equal(end(false), ERR_BAD_REQUEST);
	begin("A B", "/");
	assert_int_equal(end(false), ERR_BAD_REQUEST);
	memset(longest, 'a', sizeof(longest) - 1);
	longest[0] = '/';
	begin("GET", longest);
	assert_int_equal(end(false), ERR_URI_TOO_LONG);
}

static void
test_authorities_are_hosts(void **state UNUSED)
{
	static const char *const refused[] = { "user@shop", "a b", "shop:port", "" };

	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		h2_head_clear(&in);
		field(":method", "GET");
		field(":scheme", "https");
		field(":path", "/");
		field(":authority", refused[i]);
		assert_int_equal(end(false), ERR_BAD_REQUEST);
	}
	h2_head_clear(&in);
	field(":method", "GET");
	field(":path", "/");
	assert_int_equal(end(false), ERR_BAD_REQUEST); /* nobody is asked */
}

static void
test_heads_have_the_bounds_of_http_1(void **state UNUSED)
{
	static char large[HTTP_MAX_HEAD];

	begin("GET", "/");
	for (int i = 0; i < HTTP_MAX_HEADERS - 1; i++)
		field("x", "y");
	assert_int_equal(end(false), ERR_OK);
	field("x", "y");
	assert_int_equal(end(false), ERR_HEADERS_TOO_LARGE);
	memset(large, 'a', sizeof(large) - 1);
	begin("GET", "/");
	field("x", large);
	assert_int_equal(end(false), ERR_HEADERS_TOO_LARGE);
	begin("GET", "/");
	field("cookie", large);
	assert_int_equal(end(false), ERR_HEADERS_TOO_LARGE);
	begin(large, "/");
	assert_int_equal(end(false), ERR_HEADERS_TOO_LARGE);
}

static void
test_what_only_parts_of_a_request_are(void **state UNUSED)
{
	h2_head_clear(&in);
	assert_int_equal(end(false), ERR_BAD_REQUEST);
	field(":method", "GET");
	assert_int_equal(end(false), ERR_BAD_REQUEST);
	begin("POST", "/");
	field("expect", "200-ok");
	assert_int_equal(end(true), ERR_EXPECTATION);
	begin("POST", "/");
	field("expect", "100-continue");
	assert_int_equal(end(true), ERR_OK);
	assert_true(out.expect_continue);
}

static void
test_what_a_trailer_may_be(void **state UNUSED)
{
	assert_true(h2_head_is_trailer(STR("checksum"), STR("1")));
	assert_false(h2_head_is_trailer(STR("content-length"), STR("1")));
	assert_false(h2_head_is_trailer(STR("host"), STR("a")));
	assert_false(h2_head_is_trailer(STR("connection"), STR("close")));
	assert_false(h2_head_is_trailer(STR(":path"), STR("/")));
	assert_false(h2_head_is_trailer(STR("x"), STR("a\rb")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_head_reads_as_if_it_had_come_by_http_1),
		cmocka_unit_test(test_crumbs_of_cookies_become_one_field),
		cmocka_unit_test(test_host_stands_for_a_missing_authority),
		cmocka_unit_test(test_host_may_repeat_the_authority_only),
		cmocka_unit_test(test_how_a_body_is_framed),
		cmocka_unit_test(test_what_a_field_may_not_be),
		cmocka_unit_test(test_pseudo_fields_come_first),
		cmocka_unit_test(test_targets_are_those_of_http_1),
		cmocka_unit_test(test_authorities_are_hosts),
		cmocka_unit_test(test_heads_have_the_bounds_of_http_1),
		cmocka_unit_test(test_what_only_parts_of_a_request_are),
		cmocka_unit_test(test_what_a_trailer_may_be),
	};

	return cmocka_run_group_tests_name("h2_head", tests, set_up, tear_down);
}
