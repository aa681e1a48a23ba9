/* The HTTP server's connections: bodies, keep-alive, pipelining, in whatever pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_site.h"

static rq_next
large(struct rq *rq)
{
	size_t size = 700000;
	char *text = arena_alloc(rq->arena, size);

	memset(text, 'x', size);
	return rq_reply(rq, 200, STR("text/plain"), (str){ text, size });
}

static const struct route routes[] = {
	{ HTTP_POST, "/echo", echo, 1000000, 100000, 0 },
	{ HTTP_PUT, "/echo", echo, 1000000, 10, 0 },
	{ HTTP_GET, "/users/{userId}/coupons/{couponId}", params, 1000000, 0, 0 },
	{ HTTP_GET, "/large", large, 1000000, 0, 0 },
	{ HTTP_GET, "/ok", ok, 1000000, 0, 0 },
	{ HTTP_GET, "/admin/ok", ok, 1000000, 0, ROUTE_ADMIN },
};

static int
start(void **state)
{
	(void)state;
	site_start(routes, ARRAY_LEN(routes));
	return 0;
}

/* --- bodies and connections ----------------------------------------------------------
 */

static void
test_bodies(void **state)
{
	(void)state;
	assert_int_equal(
	    ask("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"), 200);
	expect_body("hello");
	assert_int_equal(ask("POST /echo HTTP/1.1\r\n" HOST "\r\n"), 200);
	expect_body("");
	assert_int_equal(
	    ask("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
		"3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nT: v\r\n\r\n"),
	    200);
	expect_body("hello");
	assert_int_equal(
	    ask("PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n0123456789"),
	    200);
	expect_body("0123456789");
}

static void
test_too_large(void **state)
{
	(void)state;
	int fd = rig_dial(&rig);

	/* All of it is here: the connection goes on. */
	rig_put(
	    fd, "PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 11\r\n\r\n01234567890");
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 413);
	assert_null(rig_header(&reply, "Connection"));
	rig_put(fd, "GET /ok HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx");
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 413);
	/* It is not: it will not be read. */
	rig_put(fd, "PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 99999999\r\n\r\nx");
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 413);
	assert_string_equal(rig_header(&reply, "Connection"), "close");
	rig_expect_end(fd);

	fd = rig_dial(&rig);
	rig_put(fd, "PUT /echo HTTP/1.1\r\n" HOST
		    "Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n6\r\n567890");
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 413);
	rig_expect_end(fd);
}

/* The client gets the answer although it is still sending: no reset may overtake it. */
static void
test_answer_to_an_unread_body_arrives(void **state)
{
	(void)state;
	static char junk[400000];
	int fd;

	for (int i = 0; i < 20; i++) {
		fd = rig_dial(&rig);
		rig_put(
		    fd, "PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 400000\r\n\r\n");
		rig_send(fd, junk, sizeof(junk));
		rig_read(fd, &reply);
		assert_int_equal(reply.status, 413);
		rig_expect_end(fd);
	}
}

static void
test_expect_continue(void **state)
{
	(void)state;
	int fd = rig_dial(&rig);

	rig_put(fd, "POST /echo HTTP/1.1\r\n" HOST
		    "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 100);
	rig_put(fd, "hello");
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 200);
	expect_body("hello");
	/* A refusal comes instead of the 100. */
	rig_put(fd, "PUT /echo HTTP/1.1\r\n" HOST
		    "Content-Length: 500\r\nExpect: 100-continue\r\n\r\n");
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 413);
	rig_expect_end(fd);
	assert_int_equal(ask("POST /echo HTTP/1.1\r\n" HOST
			     "Content-Length: 5\r\nExpect: 200-ok\r\n\r\nhello"),
	    417);
}

static void
test_keep_alive(void **state)
{
	(void)state;
	int fd = rig_dial(&rig);

	rig_put(fd, "GET /ok HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	rig_read(fd, &reply);
	assert_string_equal(rig_header(&reply, "Connection"), "keep-alive");
	rig_put(fd, "GET /ok HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	rig_read(fd, &reply);
	assert_string_equal(rig_header(&reply, "Connection"), "close");
	rig_expect_end(fd);
	fd = rig_dial(&rig);
	rig_put(fd, "GET /ok HTTP/1.0\r\n\r\n");
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 200);
	rig_expect_end(fd);
}

static void
test_malformed(void **state)
{
	(void)state;
	static const struct {
		const char *request;
		int status;
	} cases[] = {
		{ "GARBAGE\r\n\r\n", 400 },
		{ "GET /ok HTTP/1.1\r\n\r\n", 400 },
		{ "GET /ok HTTP/2.0\r\n" HOST "\r\n", 505 },
		{ "GET /ok HTTP/1.1\n\n", 400 },
		{ "POST /echo HTTP/1.1\r\n" HOST
		  "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		    400 },
		{ "POST /echo HTTP/1.1\r\n" HOST
		  "Transfer-Encoding: gzip, chunked\r\n\r\n",
		    501 },
		{ "POST /echo HTTP/1.1\r\n" HOST
		  "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
		    400 },
		{ "GET /users/%zz/coupons/1 HTTP/1.1\r\n" HOST "\r\n", 400 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int fd = rig_dial(&rig);

		rig_put(fd, cases[i].request);
		rig_read(fd, &reply);
		assert_int_equal(reply.status, cases[i].status);
		rig_expect_end(fd);
	}
}

static void
test_head_too_large(void **state)
{
	(void)state;
	static char field[20000];
	int fd = rig_dial(&rig);

	memset(field, 'x', sizeof(field) - 1);
	rig_put(fd, "GET /ok HTTP/1.1\r\n" HOST "X: ");
	rig_put(fd, field);
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 431);
	rig_expect_end(fd);
}

static const char three[] = "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\none"
			    "POST /echo HTTP/1.1\r\n" HOST
			    "Transfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
			    "GET /users/3/coupons/4 HTTP/1.1\r\n" HOST "\r\n";

static void
expect_three(int fd)
{
	rig_read(fd, &reply);
	expect_body("one");
	rig_read(fd, &reply);
	expect_body("two");
	rig_read(fd, &reply);
	expect_body("3|4|");
}

static void
test_pipelined(void **state)
{
	(void)state;
	int fd = rig_dial(&rig);

	rig_put(fd, three);
	expect_three(fd);
	rig_put(fd, three);
	shutdown(fd, SHUT_WR);
	expect_three(fd);
	rig_expect_end(fd);
}

/* Wherever the network cuts three pipelined requests, they are the same three. */
static void
test_split_at_every_byte(void **state)
{
	(void)state;
	int fd = rig_dial(&rig);

	for (size_t at = 1; at < sizeof(three) - 1; at++) {
		rig_send(fd, three, at);
		poll(NULL, 0, 1);
		rig_send(fd, three + at, sizeof(three) - 1 - at);
		expect_three(fd);
	}
	for (size_t at = 0; at < sizeof(three) - 1; at++)
		rig_send(fd, three + at, 1);
	expect_three(fd);
	close(fd);
}

/* More pipelined requests than are read at once, and than sockets buffer: the client only
 * writes until it cannot any more. */
static void
test_long_pipeline(void **state)
{
	(void)state;
	enum {
		COUNT = 20000,
		ANSWER_ENDS = 2 /* closing braces in one */
	};
	static char text[COUNT * 40], in[65536];
	size_t size = 0, sent = 0;
	int fd = rig_dial(&rig), ends = 0;

	for (int i = 0; i < COUNT; i++)
		size += (size_t)sprintf(text + size, "GET /ok HTTP/1.1\r\n" HOST "\r\n");
	while (ends < COUNT * ANSWER_ENDS) {
		bool more = sent < size;
		struct pollfd p = { fd, more ? POLLOUT : POLLIN, 0 };
		ssize_t n;

		if (poll(&p, 1, more ? 20 : 10000) == 1 && more) {
			n = send(fd, text + sent, size - sent, MSG_DONTWAIT);
			assert_true(n > 0);
			sent += (size_t)n;
			continue;
		}
		n = recv(fd, in, sizeof(in), 0);
		assert_true(n > 0);
		for (ssize_t i = 0; i < n; i++)
			ends += in[i] == '}';
	}
	close(fd);
}

static void
test_large_answer_to_a_slow_reader(void **state)
{
	(void)state;
	int fd = rig_dial(&rig);
	const int small = 65536;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	rig_put(
	    fd, "GET /large HTTP/1.1\r\n" HOST "\r\nGET /ok HTTP/1.1\r\n" HOST "\r\n");
	poll(NULL, 0, 50);
	rig_read(fd, &reply);
	assert_int_equal(reply.size - reply.body, 700000);
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 200);
	close(fd);
}

/* Every place where a client can leave; the server must go on. */
static void
test_client_leaves_anywhere(void **state)
{
	(void)state;
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	for (size_t at = 0; at < sizeof(three); at++) {
		for (int how = 0; how < 2; how++) {
			int fd = rig_dial(&rig);

			if (at > 0)
				rig_send(fd, three, at);
			if (how == 1)
				setsockopt(
				    fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
			close(fd);
		}
	}
	assert_int_equal(ask("GET /ok HTTP/1.1\r\n" HOST "\r\n"), 200);
	do
		ask("GET /metrics HTTP/1.1\r\n" HOST "\r\n");
	while (strstr(reply.text, "onrush_http_connections 1\n") == NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bodies, start, stop),
		cmocka_unit_test_setup_teardown(test_too_large, start, stop),
		cmocka_unit_test_setup_teardown(
		    test_answer_to_an_unread_body_arrives, start, stop),
		cmocka_unit_test_setup_teardown(test_expect_continue, start, stop),
		cmocka_unit_test_setup_teardown(test_keep_alive, start, stop),
		cmocka_unit_test_setup_teardown(test_malformed, start, stop),
		cmocka_unit_test_setup_teardown(test_head_too_large, start, stop),
		cmocka_unit_test_setup_teardown(test_pipelined, start, stop),
		cmocka_unit_test_setup_teardown(test_split_at_every_byte, start, stop),
		cmocka_unit_test_setup_teardown(test_long_pipeline, start, stop),
		cmocka_unit_test_setup_teardown(
		    test_large_answer_to_a_slow_reader, start, stop),
		cmocka_unit_test_setup_teardown(test_client_leaves_anywhere, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
