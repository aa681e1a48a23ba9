/* The HTTP server: answers, routes, keys and ids as a client sees them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_site.h"

static rq_next
whoami(struct rq *rq)
{
	char *text = arena_printf(rq->arena, "%.*s %.*s %.*s", STR_ARG(rq->id),
	    STR_ARG(rq->traceparent), STR_ARG(rq->peer));

	return rq_reply(rq, 200, STR("text/plain"), str_of(text));
}

static rq_next
created(struct rq *rq)
{
	return rq_ok_status(rq, 201, "Created", STR_NULL);
}

static rq_next
nothing(struct rq *rq)
{
	return rq_reply(rq, 204, STR_NULL, STR_NULL);
}

static rq_next
because(struct rq *rq)
{
	return rq_fail_because(rq, ERR_IN_PROGRESS, "a \"%s\" reason", "good");
}

static const struct route routes[] = {
	{ HTTP_POST, "/echo", echo, 1000000, 100000, 0 },
	{ HTTP_PUT, "/echo", echo, 1000000, 10, 0 },
	{ HTTP_GET, "/users/{userId}/coupons/{couponId}", params, 1000000, 0, 0 },
	{ HTTP_GET, "/whoami", whoami, 1000000, 0, 0 },
	{ HTTP_GET, "/ok", ok, 1000000, 0, 0 },
	{ HTTP_POST, "/created", created, 1000000, 0, 0 },
	{ HTTP_GET, "/nothing", nothing, 1000000, 0, 0 },
	{ HTTP_GET, "/because", because, 1000000, 0, 0 },
	{ HTTP_GET, "/admin/ok", ok, 1000000, 0, ROUTE_ADMIN },
};

static int
start(void **state)
{
	(void)state;
	site_start(routes, ARRAY_LEN(routes));
	return 0;
}

/* --- answers -------------------------------------------------------------------------
 */

static void
test_answers(void **state)
{
	(void)state;
	assert_int_equal(ask("GET /ok HTTP/1.1\r\n" HOST "\r\n"), 200);
	expect_body("{\"code\":200,\"message\":\"OK\",\"data\":{\"n\":1}}");
	assert_string_equal(rig_header(&reply, "Content-Type"), "application/json");
	assert_string_equal(rig_header(&reply, "Server"), "onrush");
	assert_string_equal(rig_header(&reply, "X-Extra"), "yes");
	assert_int_equal(strlen(rig_header(&reply, "Date")), 29);
	assert_null(rig_header(&reply, "Connection"));
	assert_int_equal(ask("POST /created HTTP/1.1\r\n" HOST "\r\n"), 201);
	expect_body("{\"code\":201,\"message\":\"Created\",\"data\":null}");
	assert_int_equal(ask("GET /because HTTP/1.1\r\n" HOST "\r\n"), 409);
	expect_body("{\"code\":409,\"error\":\"REQUEST_IN_PROGRESS\","
		    "\"message\":\"a \\\"good\\\" reason\"}");
	assert_string_equal(rig_header(&reply, "Retry-After"), "1");
}

static void
test_no_content_has_no_length(void **state)
{
	(void)state;
	int fd = rig_dial(&rig);

	rig_put(fd, "GET /nothing HTTP/1.1\r\n" HOST "\r\n");
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 204);
	assert_null(rig_header(&reply, "Content-Length"));
	rig_put(fd, "GET /ok HTTP/1.1\r\n" HOST "\r\n");
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 200);
	close(fd);
}

static void
test_head_is_get_without_body(void **state)
{
	(void)state;
	int fd = rig_dial(&rig);

	for (int i = 0; i < 2; i++) {
		rig_put(fd, "HEAD /ok HTTP/1.1\r\n" HOST "\r\n");
		rig_read_as(fd, &reply, true);
		assert_int_equal(reply.status, 200);
		assert_string_equal(rig_header(&reply, "Content-Length"), "42");
	}
	close(fd);
}

static void
test_routes(void **state)
{
	(void)state;
	assert_int_equal(
	    ask("GET /users/7/coupons/a%2Fb?x=1 HTTP/1.1\r\n" HOST "\r\n"), 200);
	expect_body("7|a/b|x=1");
	assert_int_equal(ask("GET /users//coupons/1 HTTP/1.1\r\n" HOST "\r\n"), 404);
	assert_int_equal(ask("GET /users/1/coupons/ HTTP/1.1\r\n" HOST "\r\n"), 404);
	assert_int_equal(ask("GET /users/1/coupons/2/3 HTTP/1.1\r\n" HOST "\r\n"), 404);
	assert_int_equal(ask("GET /ok/ HTTP/1.1\r\n" HOST "\r\n"), 404);
	assert_int_equal(ask("GET /o HTTP/1.1\r\n" HOST "\r\n"), 404);
	expect_body("{\"code\":404,\"error\":\"NOT_FOUND\",\"message\":\"There is "
		    "nothing at this address.\"}");
	assert_int_equal(ask("DELETE /echo HTTP/1.1\r\n" HOST "\r\n"), 405);
	assert_string_equal(rig_header(&reply, "Allow"), "POST, PUT");
	assert_int_equal(ask("BREW /ok HTTP/1.1\r\n" HOST "\r\n"), 405);
	assert_string_equal(rig_header(&reply, "Allow"), "GET, HEAD");
	assert_int_equal(ask("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), 404);
}

static void
test_operations(void **state)
{
	(void)state;
	assert_int_equal(ask("GET /healthz HTTP/1.1\r\n" HOST "\r\n"), 200);
	assert_int_equal(ask("GET /readyz HTTP/1.1\r\n" HOST "\r\n"), 200);
	rig_ready = false;
	assert_int_equal(ask("GET /readyz HTTP/1.1\r\n" HOST "\r\n"), 503);
	assert_non_null(strstr(reply.text, "the test is not ready"));
	rig_ready = true;
	assert_int_equal(ask("GET /ok HTTP/1.1\r\n" HOST "\r\n"), 200);
	assert_int_equal(ask("GET /metrics HTTP/1.1\r\n" HOST "\r\n"), 200);
	assert_non_null(strstr(reply.text,
	    "onrush_http_requests_total{route=\"/ok\",method=\"GET\",code=\"2xx\"} "));
	/* The others were closed, which the server may see later. */
	RIG_UNTIL(rig_metric(&rig, &reply, "onrush_http_connections") == 1);
}

static void
test_admin_needs_the_key(void **state)
{
	(void)state;
	assert_int_equal(ask("GET /admin/ok HTTP/1.1\r\n" HOST "\r\n"), 401);
	assert_string_equal(rig_header(&reply, "WWW-Authenticate"), "Bearer");
	assert_int_equal(
	    ask("GET /admin/ok HTTP/1.1\r\n" HOST "Authorization: Basic sesame\r\n\r\n"),
	    401);
	assert_int_equal(
	    ask("GET /admin/ok HTTP/1.1\r\n" HOST "Authorization: Bearer\r\n\r\n"), 401);
	assert_int_equal(
	    ask("GET /admin/ok HTTP/1.1\r\n" HOST "Authorization: Bearer sesam\r\n\r\n"),
	    403);
	assert_int_equal(
	    ask("GET /admin/ok HTTP/1.1\r\n" HOST "Authorization: bearer sesame\r\n\r\n"),
	    200);
	rig.settings.admin_key = "";
	assert_int_equal(
	    ask("GET /admin/ok HTTP/1.1\r\n" HOST "Authorization: Bearer sesame\r\n\r\n"),
	    403);
	assert_int_equal(
	    ask("GET /admin/ok HTTP/1.1\r\n" HOST "Authorization: Bearer \r\n\r\n"), 401);
}

#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void
test_ids(void **state)
{
	(void)state;
	char id[64], trace[64], peer[64];

	assert_int_equal(ask("GET /whoami HTTP/1.1\r\n" HOST "\r\n"), 200);
	assert_int_equal(
	    sscanf(reply.text + reply.body, "%63s %63s %63s", id, trace, peer), 3);
	assert_string_equal(rig_header(&reply, "X-Request-Id"), id);
	assert_int_equal(strlen(id), 32);
	assert_int_equal(strlen(trace), 55);
	assert_memory_equal(trace + 3, id, 32);
	assert_string_equal(peer, "127.0.0.1");

	ask("GET /whoami HTTP/1.1\r\n" HOST "X-Request-Id: a.B_9-z\r\ntraceparent: " TRACE
	    "\r\n\r\n");
	expect_body("a.B_9-z " TRACE " 127.0.0.1");
	assert_string_equal(rig_header(&reply, "X-Request-Id"), "a.B_9-z");

	ask("GET /whoami HTTP/1.1\r\n" HOST "X-Request-Id: a b\r\ntraceparent: "
	    "00-00000000000000000000000000000000-b7ad6b7169203331-01\r\n\r\n");
	assert_int_equal(sscanf(reply.text + reply.body, "%63s %63s", id, trace), 2);
	assert_int_equal(strlen(id), 32);
	assert_memory_equal(trace + 3, id, 32);
	ask("GET /whoami HTTP/1.1\r\n" HOST "X-Request-Id: "
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n");
	assert_int_equal(strlen(rig_header(&reply, "X-Request-Id")), 32);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, start, stop),
		cmocka_unit_test_setup_teardown(
		    test_no_content_has_no_length, start, stop),
		cmocka_unit_test_setup_teardown(
		    test_head_is_get_without_body, start, stop),
		cmocka_unit_test_setup_teardown(test_routes, start, stop),
		cmocka_unit_test_setup_teardown(test_operations, start, stop),
		cmocka_unit_test_setup_teardown(test_admin_needs_the_key, start, stop),
		cmocka_unit_test_setup_teardown(test_ids, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
