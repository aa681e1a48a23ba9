/* Websocket handshakes, and where frames end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/forward/ws_rules.h"

#define KEY     "dGhlIHNhbXBsZSBub25jZQ==" /* the example of RFC 6455, 1.3 */
#define ACCEPT  "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define UPGRADE "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"

static enum ws_ask
asks(const char *line, const char *fields)
{
	static char text[2000];
	struct http_head head;
	size_t scanned = 0;
	enum err err;

	snprintf(text, sizeof(text), "%s\r\nHost: a\r\n%s\r\n", line, fields);
	assert_int_equal(
	    http_parse_request(str_of(text), &scanned, &head, &err), HTTP_PARSE_DONE);
	return ws_ask(&head);
}

static void
test_who_asks(void **state)
{
	static const struct {
		const char *line, *fields;
		enum ws_ask expected;
	} cases[] = {
		{ "GET / HTTP/1.1", UPGRADE VERSION "Sec-WebSocket-Key: " KEY "\r\n",
		    WS_ASKED },
		{ "GET / HTTP/1.1",
		    "Connection: keep-alive, UPGRADE\r\nUpgrade: h2c, "
		    "WebSocket\r\n" VERSION "Sec-WebSocket-Key: " KEY "\r\n",
		    WS_ASKED },
		{ "GET / HTTP/1.1", VERSION "Sec-WebSocket-Key: " KEY "\r\n",
		    WS_NOT_ASKED },
		{ "GET / HTTP/1.1", "Connection: Upgrade\r\n", WS_NOT_ASKED },
		{ "GET / HTTP/1.1", "Upgrade: websocket\r\n", WS_NOT_ASKED },
		{ "GET / HTTP/1.1", "Connection: Upgrade\r\nUpgrade: h2c\r\n",
		    WS_NOT_ASKED },
		{ "GET / HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websockets\r\n",
		    WS_NOT_ASKED },
		{ "GET / HTTP/1.0", UPGRADE VERSION "Sec-WebSocket-Key: " KEY "\r\n",
		    WS_NOT_ASKED },
		{ "POST / HTTP/1.1", UPGRADE VERSION "Sec-WebSocket-Key: " KEY "\r\n",
		    WS_NOT_ASKED },
		{ "GET / HTTP/1.1", UPGRADE "Sec-WebSocket-Key: " KEY "\r\n",
		    WS_OTHER_VERSION },
		{ "GET / HTTP/1.1", UPGRADE "Sec-WebSocket-Version: 8\r\n",
		    WS_OTHER_VERSION },
		{ "GET / HTTP/1.1", UPGRADE VERSION VERSION, WS_OTHER_VERSION },
		{ "GET / HTTP/1.1", UPGRADE VERSION, WS_MALFORMED },
		{ "GET / HTTP/1.1",
		    UPGRADE VERSION "Sec-WebSocket-Key: " KEY
				    "\r\nSec-WebSocket-Key: " KEY "\r\n",
		    WS_MALFORMED },
		{ "GET / HTTP/1.1",
		    UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n",
		    WS_MALFORMED },
		{ "GET / HTTP/1.1",
		    UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n",
		    WS_MALFORMED },
		{ "GET / HTTP/1.1",
		    UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ-==\r\n",
		    WS_MALFORMED },
		{ "GET / HTTP/1.1",
		    UPGRADE VERSION "Content-Length: 0\r\nSec-WebSocket-Key: " KEY "\r\n",
		    WS_MALFORMED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(asks(cases[i].line, cases[i].fields), cases[i].expected);
}

static bool
accepts(const char *fields)
{
	static char text[2000];
	struct http_head head;
	size_t scanned = 0;
	enum err err;

	snprintf(text, sizeof(text), "HTTP/1.1 101 Yes\r\n%s\r\n", fields);
	assert_int_equal(
	    http_parse_response(str_of(text), &scanned, HTTP_GET, &head, &err),
	    HTTP_PARSE_DONE);
	return ws_accepts(&head, STR(KEY));
}

static void
test_right_answers(void **state)
{
	(void)state;
	assert_true(accepts(UPGRADE "Sec-WebSocket-Accept: " ACCEPT "\r\n"));
	assert_false(accepts(UPGRADE));
	assert_false(accepts("Sec-WebSocket-Accept: " ACCEPT "\r\n"));
	assert_false(
	    accepts(UPGRADE "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK-xOo=\r\n"));
	assert_false(accepts(UPGRADE "Sec-WebSocket-Accept: " ACCEPT
				     "\r\nSec-WebSocket-Accept: " ACCEPT "\r\n"));
}

/* Passes a frame byte by byte; the edge is at its end and nowhere before. */
static void
pass(struct ws_frames *f, const char *head, size_t head_size, size_t payload)
{
	assert_true(ws_frames_at_edge(f));
	for (size_t i = 0; i < head_size; i++) {
		ws_frames_pass(f, (str){ head + i, 1 });
		assert_int_equal(
		    ws_frames_at_edge(f), i + 1 == head_size && payload == 0);
	}
	for (size_t i = 0; i < payload; i++) {
		ws_frames_pass(f, STR("x"));
		assert_int_equal(ws_frames_at_edge(f), i + 1 == payload);
	}
}

static void
test_where_frames_end(void **state)
{
	static const char many[] = "\x81\x01x\x89\x00\x82\x7e\x00\x03xyz\x81";
	struct ws_frames f = { 0 };

	(void)state;
	pass(&f, "\x89\x00", 2, 0);
	pass(&f, "\x82\x05", 2, 5);
	pass(&f, "\x82\x85", 2, 4 + 5); /* masked */
	pass(&f, "\x82\x80", 2, 4);
	pass(&f, "\x82\x7e\x01\x00", 4, 256);
	pass(&f, "\x82\xfe\x00\x00", 4, 4);
	pass(&f, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10, 65536);
	/* Several at once, the last is not whole. */
	ws_frames_pass(&f, (str){ many, sizeof(many) - 1 });
	assert_false(ws_frames_at_edge(&f));
	ws_frames_pass(&f, (str){ "\x02xy", 3 });
	assert_true(ws_frames_at_edge(&f));
	ws_frames_pass(&f, STR(""));
	assert_true(ws_frames_at_edge(&f));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_asks),
		cmocka_unit_test(test_right_answers),
		cmocka_unit_test(test_where_frames_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
