/* The gateway's own pages: their bytes, tags, and the way to the waiting room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/passes/pages.h"
#include "http_rig.h"

static struct rig rig;
static struct reply reply;

static rq_next
seats(struct rq *rq)
{
	if (pages_wanted(rq->head))
		return pages_send_to_line(rq, 7);
	return rq_fail(rq, ERR_FORBIDDEN);
}

static const struct route routes[] = {
	{ HTTP_GET, "/waiting-room", pages_show, CLOCK_US_PER_SEC, 0, 0 },
	{ HTTP_GET, "/waiting-room.css", pages_show, CLOCK_US_PER_SEC, 0, 0 },
	{ HTTP_GET, "/waiting-room.js", pages_show, CLOCK_US_PER_SEC, 0, 0 },
	{ HTTP_GET, "/waiting-room-texts.js", pages_show, CLOCK_US_PER_SEC, 0, 0 },
	{ HTTP_GET, "/seats/{id}", seats, CLOCK_US_PER_SEC, 0, 0 },
	{ HTTP_POST, "/seats/{id}", seats, CLOCK_US_PER_SEC, 64, 0 },
};

static int
start(void **state)
{
	(void)state;
	pages_init();
	rig_init(&rig);
	rig_start(&rig, routes, ARRAY_LEN(routes), NULL);
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

static int
ask(const char *method, const char *target, const char *headers)
{
	static char request[8192];

	snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: t\r\n%s\r\n", method,
	    target, headers);
	return rig_ask(&rig, &reply, request);
}

static void
assert_is_file(const char *target, const char *path, const char *type)
{
	static char bytes[65536];
	FILE *file = fopen(path, "rb");

	assert_non_null(file);
	size_t size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	assert_int_equal(ask("GET", target, ""), 200);
	assert_string_equal(rig_header(&reply, "Content-Type"), type);
	assert_int_equal(reply.size - reply.body, size);
	assert_memory_equal(reply.text + reply.body, bytes, size);
}

static void
test_pages_are_their_files(void **state)
{
	(void)state;
	assert_is_file("/waiting-room", "services/gateway/passes/pages/waiting-room.html",
	    "text/html; charset=utf-8");
	assert_is_file("/waiting-room.css",
	    "services/gateway/passes/pages/waiting-room.css", "text/css; charset=utf-8");
	assert_is_file("/waiting-room.js",
	    "services/gateway/passes/pages/waiting-room.js",
	    "text/javascript; charset=utf-8");
	assert_is_file("/waiting-room-texts.js",
	    "services/gateway/passes/pages/waiting-room-texts.js",
	    "text/javascript; charset=utf-8");
}

static void
test_who_has_the_page_is_told_so(void **state)
{
	char headers[640], tag[512];

	(void)state;
	assert_int_equal(ask("GET", "/waiting-room?line=1", ""), 200);
	snprintf(tag, sizeof(tag), "%s", rig_header(&reply, "ETag"));
	snprintf(headers, sizeof(headers), "If-None-Match: \"old\", %s\r\n", tag);
	assert_int_equal(ask("GET", "/waiting-room", headers), 304);
	assert_int_equal(reply.size, reply.body);
	assert_string_equal(rig_header(&reply, "ETag"), tag);
	assert_string_equal(rig_header(&reply, "Cache-Control"), "no-cache");
	assert_int_equal(ask("GET", "/waiting-room.css", headers), 200);
}

static void
test_tags(void **state)
{
	str tag = STR("\"a1\"");

	(void)state;
	assert_true(pages_tag_matches(STR("\"a1\""), tag));
	assert_true(pages_tag_matches(STR("W/\"a1\""), tag));
	assert_true(pages_tag_matches(STR("\"b\" ,\t\"a1\""), tag));
	assert_true(pages_tag_matches(STR("*"), tag));
	assert_false(pages_tag_matches(STR("\"a\""), tag));
	assert_false(pages_tag_matches(STR("a1"), tag));
	assert_false(pages_tag_matches(STR("W/"), tag));
	assert_false(pages_tag_matches(STR(","), tag));
	assert_false(pages_tag_matches(STR_NULL, tag));
}

static void
test_a_browser_is_sent_to_the_line_and_back(void **state)
{
	const char *browser = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n";

	(void)state;
	assert_int_equal(ask("GET", "/seats/8?a=1&b=%20", browser), 303);
	assert_string_equal(rig_header(&reply, "Location"),
	    "/waiting-room?line=7&to=%2Fseats%2F8%3Fa%3D1%26b%3D%2520");
	assert_string_equal(rig_header(&reply, "Cache-Control"), "no-store");
	assert_string_equal(rig_header(&reply, "Vary"), "Accept");
	assert_memory_equal(reply.text, "HTTP/1.1 303 See Other\r\n", 24);
	assert_int_equal(reply.size, reply.body);
	assert_int_equal(ask("GET", "/seats/8", browser), 303);
	assert_string_equal(
	    rig_header(&reply, "Location"), "/waiting-room?line=7&to=%2Fseats%2F8");
}

static void
test_programs_get_their_answer(void **state)
{
	(void)state;
	assert_int_equal(ask("GET", "/seats/8", ""), 403);
	assert_int_equal(ask("GET", "/seats/8", "Accept: application/json\r\n"), 403);
	assert_int_equal(ask("GET", "/seats/8", "Accept: */*\r\n"), 403);
	assert_int_equal(
	    ask("POST", "/seats/8", "Accept: text/html\r\nContent-Length: 0\r\n"), 403);
}

/* The waiting room's address must be one that we take ourselves. */
static void
test_a_long_way_back_is_left_out(void **state)
{
	char target[2048] = "/seats/8?";

	(void)state;
	memset(target + strlen(target), 'a', 1400);
	assert_int_equal(ask("GET", target, "Accept: text/html\r\n"), 303);
	assert_string_equal(rig_header(&reply, "Location"), "/waiting-room?line=7");
}

static void
assert_pass(const char *method, const char *cookie, const char *want)
{
	char text[256];
	size_t scanned = 0;
	struct http_head head;
	enum err err;

	snprintf(text, sizeof(text), "%s /seats/8 HTTP/1.1\r\nHost: t\r\n%s\r\n", method,
	    cookie);
	assert_int_equal(
	    http_parse_request(str_of(text), &scanned, &head, &err), HTTP_PARSE_DONE);
	assert_true(str_eq(pages_pass(&head), str_of(want)));
	assert_int_equal(pages_pass(&head).p == NULL, want == NULL);
}

static void
test_the_pass_in_a_cookie(void **state)
{
	(void)state;
	assert_pass("GET", "Cookie: onrush_pass=a.b.c\r\n", "a.b.c");
	assert_pass("HEAD", "Cookie: x=1; onrush_pass=a.b.c;y=2\r\n", "a.b.c");
	assert_pass("GET", "Cookie: xonrush_pass=a; onrush_passes=b\r\n", NULL);
	assert_pass("GET", "Cookie: ;;\r\n", NULL);
	assert_pass("GET", "", NULL);
	assert_pass("POST", "Cookie: onrush_pass=a.b.c\r\n", NULL);
	assert_pass("DELETE", "Cookie: onrush_pass=a.b.c\r\n", NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_the_pass_in_a_cookie),
		cmocka_unit_test_setup_teardown(test_pages_are_their_files, start, stop),
		cmocka_unit_test_setup_teardown(
		    test_who_has_the_page_is_told_so, start, stop),
		cmocka_unit_test_setup_teardown(
		    test_a_browser_is_sent_to_the_line_and_back, start, stop),
		cmocka_unit_test_setup_teardown(
		    test_programs_get_their_answer, start, stop),
		cmocka_unit_test_setup_teardown(
		    test_a_long_way_back_is_left_out, start, stop),
	};
	return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
