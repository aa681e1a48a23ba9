/* The HTTP client: what it sends, and what it makes of every kind of answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_up.h"

/* --- scripts and their tests ---------------------------------------------------------
 */

static void
test_one_connection_serves_all(void **state)
{
	(void)state;
	struct result r;
	size_t conns, busy, queued;

	server_start(polite);
	connect_with(10);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(ask(&r, i % 2 ? &get : &post), ERR_OK);
		assert_int_equal(r.status, 200);
		assert_string_equal(r.body, "hello");
	}
	assert_int_equal(server.accepted, 1);
	httpc_stats(client, &conns, &busy, &queued);
	assert_int_equal(conns, 1);
	assert_int_equal(busy, 0);
	assert_int_equal(queued, 0);
}

static char seen[4096];

static void
recorder(int fd, int n)
{
	(void)n;
	while (read_request(fd, seen, sizeof(seen)))
		put(fd, OK5);
}

static void
test_what_is_sent(void **state)
{
	(void)state;
	struct result r;
	struct http_header headers[] = { { STR("X-A"), STR("1") },
		{ STR("X-B"), STR("two words") } };
	struct httpc_request request = post;

	server_start(recorder);
	connect_with(1);
	ask(&r, &get);
	assert_string_equal(seen, "GET /x HTTP/1.1\r\nHost: up\r\n\r\n");
	request.headers = headers;
	request.header_count = 2;
	ask(&r, &request);
	assert_string_equal(seen,
	    "POST /x HTTP/1.1\r\nHost: up\r\nX-A: 1\r\nX-B: two words\r\n"
	    "Content-Length: 4\r\n\r\nbody");
	request.body = STR("");
	ask(&r, &request);
	assert_non_null(strstr(seen, "Content-Length: 0\r\n\r\n"));
}

/* Responses in every framing, in pieces of every size. */
static const char *const framings[] = {
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nX: y\r\n\r\n" OK5,
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	"2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\nT: v\r\n\r\n",
	"HTTP/1.1 200 OK\r\n\r\nhello", /* until the end */
};

static atomic_int which;
static atomic_size_t cut;

static void
in_pieces(int fd, int n)
{
	const int on = 1;

	(void)n;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	while (next_request(fd)) {
		const char *text = framings[which];
		size_t size = strlen(text), part = cut;
		bool last = which == 2;

		for (size_t at = 0; at < size; at += part) {
			(void)!send(fd, text + at, size - at < part ? size - at : part,
			    MSG_NOSIGNAL);
			usleep(100);
		}
		if (last)
			return;
	}
}

static void
test_responses_in_pieces(void **state)
{
	(void)state;
	struct result r;

	server_start(in_pieces);
	connect_with(1);
	for (which = 0; which < (int)ARRAY_LEN(framings); which++) {
		for (cut = 1; cut <= strlen(framings[which]); cut++) {
			assert_int_equal(ask(&r, &get), ERR_OK);
			assert_int_equal(r.status, 200);
			assert_string_equal(r.body, "hello");
		}
	}
	/* Only those without a length cost a connection each. */
	assert_int_equal(server.accepted, strlen(framings[2]));
}

struct character {
	const char *answer;
	enum err err;
	int status;
	int accepted; /* connections after two requests */
};

static const struct character characters[] = {
	{ OK5, ERR_OK, 200, 1 },
	{ "HTTP/1.1 204 No Content\r\n\r\n", ERR_OK, 204, 1 },
	{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", ERR_OK, 304, 1 },
	{ "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", ERR_OK, 503, 1 },
	{ "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", ERR_OK,
	    200, 2 },
	{ "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", ERR_OK, 200, 2 },
	{ OK5 "x", ERR_OK, 200, 2 },
	{ OK5 OK5, ERR_OK, 200, 2 },
	{ "HTTP/1.1 204 No Content\r\n\r\nx", ERR_OK, 204, 2 },
	{ "garbage\r\n\r\n", ERR_BAD_GATEWAY, 0, 2 },
	{ "HTTP/1.1 101 Switching\r\n\r\n", ERR_BAD_GATEWAY, 0, 2 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
	    ERR_BAD_GATEWAY, 0, 2 },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ERR_BAD_GATEWAY,
	    0, 2 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5001\r\n\r\n", ERR_BAD_GATEWAY, 0, 2 },
};

static atomic_int character;

static void
as_told(int fd, int n)
{
	(void)n;
	while (next_request(fd))
		put(fd, characters[character].answer);
}

static void
test_characters(void **state)
{
	(void)state;
	struct result r;

	for (size_t i = 0; i < ARRAY_LEN(characters); i++) {
		character = (int)i;
		server_start(as_told);
		connect_with(4);
		for (int round = 0; round < 2; round++) {
			assert_int_equal(ask(&r, &get), characters[i].err);
			assert_int_equal(r.status, characters[i].status);
		}
		assert_int_equal(server.accepted, characters[i].accepted);
		fini(NULL);
		server_stop();
		init(NULL);
	}
}

static void
answers_head(int fd, int n)
{
	(void)n;
	while (next_request(fd))
		put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
}

static void
test_head_has_no_body(void **state)
{
	(void)state;
	struct result r;
	struct httpc_request head = get;

	head.method = HTTP_HEAD;
	server_start(answers_head);
	connect_with(1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ask(&r, &head), ERR_OK);
		assert_int_equal(r.size, 0);
	}
	assert_int_equal(server.accepted, 1);
}

static void
endless(int fd, int n)
{
	(void)n;
	next_request(fd);
	put(fd, "HTTP/1.1 200 OK\r\n\r\n");
	for (int i = 0; i < 10000; i++)
		put(fd, "0123456789");
}

static void
test_endless_response(void **state)
{
	(void)state;
	struct result r;

	server_start(endless);
	connect_with(1);
	assert_int_equal(ask(&r, &get), ERR_BAD_GATEWAY);
}

static void
test_response_timeout(void **state)
{
	(void)state;
	struct result r;
	size_t conns, busy, queued;

	server_start(silent);
	connect_with(1);
	httpc_free(client);
	conf.response_us = 50000;
	client = httpc_new(loop, &conf);
	assert_int_equal(ask(&r, &get), ERR_TIMEOUT);
	httpc_stats(client, &conns, &busy, &queued);
	assert_int_equal(conns, 0);
}

/* --- from a step ---------------------------------------------------------------------
 */

static rq_next
relay(struct rq *rq)
{
	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	return rq_reply(rq, rq->http->head->status, STR("text/plain"), rq->http->body);
}

static rq_next
forward(struct rq *rq)
{
	struct httpc_request request = get;

	return rq_http(rq, relay, rq->service, &request);
}

static const struct route routes[] = {
	{ HTTP_GET, "/forward", forward, 5000000, 0, 0 },
};

static void
free_client(void *arg)
{
	(void)arg;
	httpc_free(client);
	client = NULL;
}

static void
test_from_a_step(void **state)
{
	(void)state;
	static struct rig rig;
	static struct reply reply;

	server_start(polite);
	rig_init(&rig);
	loop_free(loop);
	loop = rig.worker.loop;
	connect_with(2);
	rig_start(&rig, routes, ARRAY_LEN(routes), client);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
		    rig_ask(&rig, &reply, "GET /forward HTTP/1.1\r\nHost: t\r\n\r\n"),
		    200);
		assert_string_equal(reply.text + reply.body, "hello");
	}
	rig_call(&rig, free_client, NULL);
	rig_stop(&rig);
	server_stop();
	loop = loop_new();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_one_connection_serves_all, init, fini),
		cmocka_unit_test_setup_teardown(test_what_is_sent, init, fini),
		cmocka_unit_test_setup_teardown(test_responses_in_pieces, init, fini),
		cmocka_unit_test_setup_teardown(test_characters, init, fini),
		cmocka_unit_test_setup_teardown(test_head_has_no_body, init, fini),
		cmocka_unit_test_setup_teardown(test_endless_response, init, fini),
		cmocka_unit_test_setup_teardown(test_response_timeout, init, fini),
		cmocka_unit_test_setup_teardown(test_from_a_step, init, fini),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
