/* Which answers are compressed, and for whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/edge/compress_rules.h"

static void
test_who_takes_it(void **state)
{
	static const char *const yes[] = { "gzip", "GZIP", "x-gzip", "*",
		"deflate, gzip;q=1.0, *;q=0.5", "gzip, deflate, br",
		"br;q=1,gzip;q=0.001", "identity;q=0.5, gzip;q=0.5", "gzip ; q=0.8",
		"gzip;x=y", "*;q=0.1", "identity;q=0, gzip;q=0.2", " gzip ",
		"gzip;q=1.000" };
	static const char *const no[] = { "", "br", "deflate", "identity", "gzip;q=0",
		"gzip;q=0.000", "*, gzip;q=0", "identity, gzip;q=0.9", "*;q=0", "xgzip",
		"gzip;q=2", "gzip;q=1.001", "gzip;q=0.5x", "gzip;q=", "gzip;q=-1",
		"gzip;q=0.0001", "gzip;q=.5", "gzipped", "identity;q=0.9, *;q=0.5" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		if (!compress_accepts_gzip(str_of(yes[i])))
			fail_msg("%s", yes[i]);
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (compress_accepts_gzip(str_of(no[i])))
			fail_msg("%s", no[i]);
	assert_false(compress_accepts_gzip(STR_NULL));
}

static void
test_what_is_text(void **state)
{
	static const char *const yes[] = { "application/json", "Application/JSON",
		"application/json; charset=utf-8", "application/problem+json",
		"image/svg+xml", "application/javascript", "text/html", "text/plain;x=y",
		"application/x-ndjson", "application/xml" };
	static const char *const no[] = { "", "text/", "text/event-stream",
		"text/event-stream; charset=utf-8", "image/png",
		"application/octet-stream", "application/gzip", "video/mp4",
		"application/jsonx", "+jso" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		if (!compress_is_text(str_of(yes[i])))
			fail_msg("%s", yes[i]);
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (compress_is_text(str_of(no[i])))
			fail_msg("%s", no[i]);
}

static bool
fits(int status, const char *fields)
{
	char text[512];
	struct http_head head;
	size_t scanned = 0;
	enum err err;

	snprintf(text, sizeof(text), "HTTP/1.1 %d X\r\nContent-Length: 0\r\n%s\r\n",
	    status, fields);
	assert_int_equal(
	    http_parse_response(str_of(text), &scanned, HTTP_GET, &head, &err),
	    HTTP_PARSE_DONE);
	return compress_fits(&head);
}

static void
test_what_fits(void **state)
{
#define JSON "Content-Type: application/json\r\n"
	(void)state;
	assert_true(fits(200, JSON));
	assert_true(fits(404, JSON));
	assert_true(fits(200, JSON "Cache-Control: no-cache\r\n"));
	assert_false(fits(200, ""));
	assert_false(fits(200, "Content-Type: image/png\r\n"));
	assert_false(fits(206, JSON));
	assert_false(fits(200, JSON "Content-Range: bytes 0-1/2\r\n"));
	assert_false(fits(200, JSON "Content-Encoding: br\r\n"));
	assert_false(fits(200, JSON "Cache-Control: public, no-transform\r\n"));
}

static void
test_tags(void **state)
{
	char out[32];

	(void)state;
	assert_true(str_eq(compress_weak_tag(STR("\"a\""), out), STR("W/\"a\"")));
	assert_true(str_eq(compress_weak_tag(STR("W/\"a\""), out), STR("W/\"a\"")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_takes_it),
		cmocka_unit_test(test_what_is_text),
		cmocka_unit_test(test_what_fits),
		cmocka_unit_test(test_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
