/* Spans in OTLP's JSON: the bytes, and that what is in them reads back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/trace/trace_encode.h"

#include "json_fixture.h"

static const struct trace_resource resource = {
	.service = STR_INIT("onrush-gateway"),
	.version = STR_INIT("1.2.3"),
	.instance = STR_INIT("019aa5c8-0000-7000-8000-000000000001"),
};

static struct trace_request
request(void)
{
	return (struct trace_request){
		.trace = STR("0af7651916cd43dd8448eb211c80319c"),
		.parent = STR("b7ad6b7169203331"),
		.span = "00000000000000a1",
		.call = "00000000000000b2",
		.start_us = INT64_C(1795273200000100),
		.end_us = INT64_C(1795273200000900),
		.wall_from_mono_us = INT64_C(1795273200000000),
		.method = HTTP_GET,
		.method_text = STR("GET"),
		.path = STR("/api/v1/coupons/7"),
		.route = STR("/api/v1/coupons/{couponId}"),
		.client = STR("192.0.2.7"),
		.status = 200,
	};
}

static struct rq_behind
call(void)
{
	return (struct rq_behind){
		.service = STR("coupon"),
		.server = STR("127.0.0.1:8081"),
		.tries = 1,
		.method = HTTP_GET,
		.target = STR("/coupons/7?token=secret"),
		.us = 500,
		.start_us = 200,
		.end_us = 700,
		.status = 200,
	};
}

static void
encode(const struct trace_request *r)
{
	trace_encode_begin(&w, &resource);
	trace_encode_request(&w, r);
	trace_encode_end(&w);
}

#define ATTRIBUTE(key, type, value)                                                      \
	"{\"key\":\"" key "\",\"value\":{\"" type "\":\"" value "\"}}"
#define TEXT(key, value)   ATTRIBUTE(key, "stringValue", value)
#define NUMBER(key, value) ATTRIBUTE(key, "intValue", value)

static void
assert_written(const char *want)
{
	if (!str_eq(buf_str(&out), str_of(want)))
		fail_msg("%.*s is not\n%s", STR_ARG(buf_str(&out)), want);
}

static bool
has(const char *part)
{
	str text = buf_str(&out);

	return memmem(text.p, text.n, part, strlen(part)) != NULL;
}

#define RESOURCE                                                                         \
	"{\"resourceSpans\":[{\"resource\":{\"attributes\":[" TEXT(                      \
	    "service.name", "onrush-gateway") "," TEXT("service.version",                \
	    "1.2.3") "," TEXT("service.instance.id",                                     \
	    "019aa5c8-0000-7000-8000-000000000001") "]},"                                \
						    "\"scopeSpans\":[{\"scope\":{"       \
						    "\"name\":\"onrush-gateway\","       \
						    "\"version\":\"1.2.3\"}"             \
						    ",\"spans\":["

static void
test_a_batch(void **state)
{
	struct rq_behind behind = call();
	struct trace_request r = request();

	(void)state;
	r.behind = &behind;
	encode(&r);
	assert_written(RESOURCE
	    "{\"traceId\":\"0af7651916cd43dd8448eb211c80319c\","
	    "\"spanId\":\"00000000000000a1\",\"parentSpanId\":\"b7ad6b7169203331\","
	    "\"flags\":769,\"name\":\"GET /api/v1/coupons/{couponId}\",\"kind\":2,"
	    "\"startTimeUnixNano\":\"1795273200000100000\","
	    "\"endTimeUnixNano\":\"1795273200000900000\",\"attributes\":[" TEXT(
		"http.request.method", "GET") "," TEXT("url.scheme",
		"http") "," TEXT("url.path", "/api/v1/coupons/7") "," TEXT("http.route",
		"/api/v1/coupons/{couponId}") "," TEXT("client.address",
		"192.0.2.7") "," NUMBER("http.response.status_code",
		"200") "]},"
		       "{\"traceId\":\"0af7651916cd43dd8448eb211c80319c\","
		       "\"spanId\":\"00000000000000b2\",\"parentSpanId\":"
		       "\"00000000000000a1\","
		       "\"flags\":257,\"name\":\"GET\",\"kind\":3,"
		       "\"startTimeUnixNano\":\"1795273200000200000\","
		       "\"endTimeUnixNano\":\"1795273200000700000\",\"attributes\":"
		       "[" TEXT("http.request.method", "GET") "," TEXT("url.full",
			   "http://127.0.0.1:8081/coupons/7") "," TEXT("server.address",
			   "127.0.0.1") "," NUMBER("server.port",
			   "8081") "," TEXT("onrush.upstream.name",
			   "coupon") "," NUMBER("onrush.upstream.tries",
			   "1") "," NUMBER("onrush.upstream.answer_us",
			   "500") "," NUMBER("http.response.status_code",
			   "200") "]}]}]}]}");
}

static void
test_several_requests(void **state)
{
	struct trace_request r = request();
	struct arena *arena = arena_new();
	struct json_reader reader;
	const struct json *spans, *span;

	(void)state;
	trace_encode_begin(&w, &resource);
	for (int i = 0; i < 3; i++)
		trace_encode_request(&w, &r);
	trace_encode_end(&w);
	json_open(&reader, arena, buf_str(&out));
	span = json_first(json_array(&reader, reader.root, "resourceSpans", 1, 1));
	span = json_first(json_array(&reader, span, "scopeSpans", 1, 1));
	spans = json_array(&reader, span, "spans", 3, 3);
	for (span = json_first(spans); span != NULL; span = json_next(span))
		assert_true(str_eq(
		    json_str(&reader, span, "spanId", 16), STR("00000000000000a1")));
	assert_int_equal(reader.err, ERR_OK);
	json_close(&reader);
	arena_free(arena);
}

/* No parent, no route, a method that nobody knows, TLS. */
static void
test_a_trace_that_begins_here(void **state)
{
	struct trace_request r = request();

	(void)state;
	r.parent = STR_NULL;
	r.route = STR_NULL;
	r.method = HTTP_OTHER;
	r.method_text = STR("BREW");
	r.secure = true;
	r.status = 405;
	r.err = ERR_METHOD_NOT_ALLOWED;
	encode(&r);
	assert_false(has("parentSpanId"));
	assert_false(has("http.route"));
	assert_false(has("error.type"));
	assert_true(has("\"flags\":257,\"name\":\"HTTP\""));
	assert_true(has(TEXT("http.request.method", "_OTHER")));
	assert_true(has(TEXT("http.request.method_original", "BREW")));
	assert_true(has(TEXT("url.scheme", "https")));
}

static void
test_escaping(void **state)
{
	struct trace_request r = request();
	struct arena *arena = arena_new();
	struct json_reader reader;

	(void)state;
	r.path = STR("/a\"b\\c\n\x01/\xec\xbf\xa0");
	encode(&r);
	json_open(&reader, arena, buf_str(&out));
	assert_int_equal(reader.err, ERR_OK);
	assert_true(has(TEXT("url.path", "/a\\\"b\\\\c\\u000a\\u0001/\xec\xbf\xa0")));
	json_close(&reader);
	arena_free(arena);
}

/* What a request's span says has failed: "" for nothing. */
static void
assert_failure(int status, enum err err, const char *want)
{
	struct trace_request r = request();
	char part[128];

	begin(NULL);
	r.status = status;
	r.err = err;
	encode(&r);
	if (want[0] == '\0') {
		assert_false(has("error.type"));
		assert_false(has("\"status\":{"));
		return;
	}
	snprintf(part, sizeof(part), TEXT("error.type", "%s") "],\"status\":{\"code\":2}",
	    want);
	if (!has(part))
		fail_msg("%d: %.*s", status, STR_ARG(buf_str(&out)));
}

static void
test_failures_of_requests(void **state)
{
	(void)state;
	assert_failure(200, ERR_OK, "");
	assert_failure(404, ERR_NOT_FOUND, "");
	assert_failure(429, ERR_RATE_LIMITED, "");
	assert_failure(503, ERR_OK, "503"); /* the service's own */
	assert_failure(503, ERR_OVERLOAD, err_info(ERR_OVERLOAD)->code);
	assert_failure(504, ERR_TIMEOUT, err_info(ERR_TIMEOUT)->code);
	/* An answer that broke off. */
	assert_failure(200, ERR_BAD_GATEWAY, err_info(ERR_BAD_GATEWAY)->code);
}

static void
assert_call_failure(const struct rq_behind *behind, enum err err, const char *want)
{
	struct trace_request r = request();
	char part[128];

	begin(NULL);
	r.behind = behind;
	r.err = err;
	r.status = err == ERR_OK ? 200 : 404; /* which is no failure of the request */
	encode(&r);
	snprintf(part, sizeof(part), TEXT("error.type", "%s") "],\"status\":{\"code\":2}",
	    want);
	assert_int_equal(has(part), want[0] != '\0');
	assert_int_equal(has("error.type"), want[0] != '\0');
}

static void
test_failures_of_calls(void **state)
{
	struct rq_behind b = call();

	(void)state;
	assert_call_failure(&b, ERR_OK, "");
	b.status = 404;
	assert_call_failure(&b, ERR_OK, "404");
	b.status = 503;
	assert_call_failure(&b, ERR_OK, "503");
	b.status = 0;
	b.us = 0;
	b.err = ERR_UNAVAILABLE;
	assert_call_failure(&b, ERR_OK, err_info(ERR_UNAVAILABLE)->code);
	assert_false(has("answer_us"));
	/* The request was answered while its call was under way. */
	b.err = ERR_OK;
	b.end_us = 0;
	assert_call_failure(&b, ERR_NOT_FOUND, err_info(ERR_NOT_FOUND)->code);
	assert_call_failure(&b, ERR_OK, "_OTHER");
	assert_true(has("\"kind\":3,\"startTimeUnixNano\":\"1795273200000200000\","
			"\"endTimeUnixNano\":\"1795273200000900000\""));
}

static void
test_servers(void **state)
{
	struct rq_behind b = call();
	struct trace_request r = request();

	(void)state;
	r.behind = &b;
	b.server = STR("[2001:db8::1]:8081");
	encode(&r);
	assert_true(has(TEXT("server.address", "2001:db8::1")));
	assert_true(has(NUMBER("server.port", "8081")));
	assert_true(has(TEXT("url.full", "http://[2001:db8::1]:8081/coupons/7")));
	begin(NULL);
	b.server = STR("unix:/run/onrush/coupon.sock");
	encode(&r);
	assert_true(has(TEXT("server.address", "/run/onrush/coupon.sock")));
	assert_true(has(TEXT("network.transport", "unix")));
	assert_true(has(TEXT("url.full", "http://localhost/coupons/7")));
	assert_false(has("server.port"));
}

static void
test_who_has_a_call(void **state)
{
	struct rq_behind b = call();

	(void)state;
	assert_int_equal(trace_spans(NULL), 1);
	assert_int_equal(trace_spans(&b), 2);
	b.tries = 0; /* it was refused before a server was chosen */
	assert_int_equal(trace_spans(&b), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_batch),
		TEST(test_several_requests),
		TEST(test_a_trace_that_begins_here),
		TEST(test_escaping),
		TEST(test_failures_of_requests),
		TEST(test_failures_of_calls),
		TEST(test_servers),
		TEST(test_who_has_a_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
