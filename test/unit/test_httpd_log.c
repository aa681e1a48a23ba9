/* The access log: who gets a line, and what is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/json.h"

#include "http_rig.h"

static struct rig rig;
static struct reply reply;
static char *lines; /* what was logged, read by end_capture */
static int stderr_copy;
static FILE *captured;

static rq_next
answer(struct rq *rq)
{
	return rq_ok(rq, STR_NULL);
}

static rq_next
fail_as_asked(struct rq *rq)
{
	switch (atoi(rq->params[0].p)) {
	case 403: return rq_fail(rq, ERR_FORBIDDEN);
	case 404: return rq_fail(rq, ERR_NOT_FOUND);
	case 409: return rq_fail(rq, ERR_COUPON_SOLD_OUT);
	case 429: return rq_fail(rq, ERR_RATE_LIMITED);
	case 500: return rq_fail(rq, ERR_INTERNAL);
	default: return rq_fail(rq, ERR_KEY_REUSED);
	}
}

static const struct route routes[] = {
	{ HTTP_GET, "/ok", answer, 1000000, 0, 0 },
	{ HTTP_GET, "/quiet", answer, 1000000, 0, ROUTE_QUIET },
	{ HTTP_GET, "/fail/{status}", fail_as_asked, 1000000, 0, 0 },
};

#define REQUEST(path) "GET " path " HTTP/1.1\r\nHost: t\r\n"

/* From here to end_capture, the server's stderr is a file. */
static void
start(double share)
{
	captured = tmpfile();
	assert_non_null(captured);
	stderr_copy = dup(STDERR_FILENO);
	dup2(fileno(captured), STDERR_FILENO);
	rig_init(&rig);
	rig.settings.access_log = share;
	rig_start(&rig, routes, ARRAY_LEN(routes), NULL);
	log_init("test", LOG_INFO);
}

static void
end_capture(void)
{
	long size;

	rig_stop(&rig);
	dup2(stderr_copy, STDERR_FILENO);
	close(stderr_copy);
	fseek(captured, 0, SEEK_END);
	size = ftell(captured);
	rewind(captured);
	free(lines);
	lines = xcalloc(1, (size_t)size + 1);
	assert_int_equal(fread(lines, 1, (size_t)size, captured), size);
	fclose(captured);
}

static void
ask(const char *request)
{
	rig_ask(&rig, &reply, request);
}

static int
count(const char *needle)
{
	int n = 0;

	for (const char *at = lines; (at = strstr(at, needle)) != NULL; at++)
		n++;
	return n;
}

#define TRACE "0af7651916cd43dd8448eb211c80319c"

static void
test_a_line(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct json_reader r;

	start(1);
	ask(REQUEST("/fail/409?x=1") "X-Request-Id: my-id\r\n"
				     "traceparent: 00-" TRACE
				     "-b7ad6b7169203331-01\r\n\r\n");
	end_capture();
	json_open(&r, arena, str_trim((str){ lines, strcspn(lines, "\n") }));
	assert_true(str_eq(json_str(&r, r.root, "level", 9), STR("info")));
	assert_true(str_eq(json_str(&r, r.root, "svc", 9), STR("test")));
	assert_true(str_eq(json_str(&r, r.root, "msg", 9), STR("request")));
	assert_true(str_eq(json_str(&r, r.root, "id", 9), STR("my-id")));
	assert_true(str_eq(json_str(&r, r.root, "trace", 99), STR(TRACE)));
	assert_true(str_eq(json_str(&r, r.root, "peer", 99), STR("127.0.0.1")));
	assert_true(str_eq(json_str(&r, r.root, "method", 9), STR("GET")));
	assert_true(str_eq(json_str(&r, r.root, "path", 99), STR("/fail/409")));
	assert_true(str_eq(json_str(&r, r.root, "route", 99), STR("/fail/{status}")));
	assert_true(str_eq(json_str(&r, r.root, "error", 99), STR("COUPON_SOLD_OUT")));
	assert_int_equal(json_i64(&r, r.root, "status", 0, 999), 409);
	assert_int_equal(json_i64(&r, r.root, "bytes", 0, 9999), reply.size);
	json_i64(&r, r.root, "us", 0, 10000000);
	json_str(&r, r.root, "ts", 40);
	assert_int_equal(r.err, ERR_OK);
	json_close(&r);
	arena_free(arena);
}

static void
test_who_gets_a_line(void **state)
{
	(void)state;
	start(0.25);
	for (int i = 0; i < 5; i++) {
		ask(REQUEST("/ok") "\r\n");
		ask(REQUEST("/fail/403") "\r\n");
		ask(REQUEST("/fail/404") "\r\n");
		ask(REQUEST("/fail/409") "\r\n");
		ask(REQUEST("/fail/429") "\r\n");
		ask(REQUEST("/quiet") "\r\n");
		ask(REQUEST("/healthz") "\r\n");
		ask(REQUEST("/fail/422") "\r\n");
		ask(REQUEST("/fail/500") "\r\n");
	}
	end_capture();
	assert_int_equal(count("\"status\":422"), 5);
	assert_int_equal(count("\"status\":500"), 5);
	assert_int_equal(count("\"level\":\"warn\""), 5);
	assert_int_equal(count("quiet") + count("healthz"), 0);
	/* A quarter, rounded down, of the 25 that count as successes. */
	assert_int_equal(count("\"msg\":\"request\""), 5 + 5 + 6);
}

static void
test_malformed_requests_are_one_line(void **state)
{
	(void)state;
	start(1);
	ask("NON SENSE\r\n\r\n");
	end_capture();
	assert_int_equal(count("\n"), 1);
	assert_non_null(strstr(lines, "malformed request from 127.0.0.1: BAD_REQUEST"));
}

/* So many more answers that are as long as the last; rig_read goes byte by byte. */
static void
skip_alike(int fd, size_t count)
{
	size_t size = count * reply.size;

	assert_true(size < RIG_MAX);
	assert_int_equal(recv(fd, reply.text, size, MSG_WAITALL), size);
}

/* An attacker does not fill the disk: so many lines a second, and how many were not. */
static void
test_failures_are_bounded(void **state)
{
	(void)state;
	static const char one[] = REQUEST("/fail/500") "\r\n";
	static char hundred[100 * sizeof(one)];
	int fd, written, dropped = 0;

	start(0);
	for (int i = 0; i < 100; i++)
		strcat(hundred, one);
	fd = rig_dial(&rig);
	for (int i = 0; i < 50; i++) {
		rig_put(fd, hundred);
		rig_read(fd, &reply);
		skip_alike(fd, 99);
	}
	poll(NULL, 0, 1000);
	rig_put(fd, one);
	rig_read(fd, &reply);
	close(fd);
	end_capture();
	written = count("\"status\":500");
	for (const char *at = lines; (at = strstr(at, "\"dropped\":")) != NULL; at++)
		dropped += atoi(at + strlen("\"dropped\":"));
	assert_int_equal(written + dropped, 5001);
	assert_true(written >= 1001 && dropped > 0);
}

static int
fini(void **state)
{
	(void)state;
	free(lines);
	lines = NULL;
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_a_line, fini),
		cmocka_unit_test_teardown(test_who_gets_a_line, fini),
		cmocka_unit_test_teardown(test_malformed_requests_are_one_line, fini),
		cmocka_unit_test_teardown(test_failures_are_bounded, fini),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
