/* The HTTP server's bounds: time-outs, too many of anything, draining. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>

#include "http_rig.h"

static struct rig rig;
static struct reply reply;

static rq_next
answer(struct rq *rq)
{
	return rq_ok(rq, STR_NULL);
}

static atomic_int begun;
static atomic_bool held;

static rq_next
while_held(struct rq *rq)
{
	return held ? rig_io(rq, while_held, 1000, ERR_OK) : rq_ok(rq, STR_NULL);
}

static rq_next
hold(struct rq *rq)
{
	begun++;
	return rig_io(rq, while_held, 1000, ERR_OK);
}

static rq_next
large(struct rq *rq)
{
	size_t size = 20 << 20;
	char *text = arena_alloc(rq->arena, size);

	return rq_reply(rq, 200, STR("text/plain"), (str){ text, size });
}

static const struct route routes[] = {
	{ HTTP_GET, "/ok", answer, 1000000, 0, 0 },
	{ HTTP_GET, "/hold", hold, 9000000, 0, 0 },
	{ HTTP_GET, "/large", large, 1000000, 0, 0 },
	{ HTTP_POST, "/body", answer, 1000000, 1000, 0 },
};

#define REQUEST(path) "GET " path " HTTP/1.1\r\nHost: t\r\n\r\n"

static void
start(void)
{
	begun = 0;
	held = true;
	rig_start(&rig, routes, ARRAY_LEN(routes), NULL);
}

static int
init(void **state)
{
	(void)state;
	rig_init(&rig);
	/* Longer than a client waits: a test shortens the one that it is about. */
	rig.settings.head_timeout_us = rig.settings.body_timeout_us =
	    rig.settings.idle_timeout_us = rig.settings.write_timeout_us =
		60 * CLOCK_US_PER_SEC;
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

/* --- time-outs -----------------------------------------------------------------------
 */

enum {
	TRICKLE = 999 /* bytes: five seconds, many times the time-outs */
};

/* Sends a byte every few milliseconds until the server has had enough; its patience began
 * at start_us or later. */
static void
expect_408_in_spite_of_bytes(int fd, int64_t start_us)
{
	struct pollfd p = { fd, POLLIN, 0 };
	int left = TRICKLE;

	for (; left > 0 && poll(&p, 1, 5) == 0; left--)
		rig_send(fd, "a", 1);
	assert_true(left > 0);
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 408);
	assert_string_equal(rig_header(&reply, "Connection"), "close");
	assert_true(clock_mono_us() - start_us >= 50000);
	rig_expect_end(fd);
}

static void
test_slow_head(void **state)
{
	(void)state;
	int64_t start_us;
	int fd;

	rig.settings.head_timeout_us = 100000;
	start();
	fd = rig_dial(&rig);
	start_us = clock_mono_us();
	rig_put(fd, "GET /ok HTTP/1.1\r\nHost: test\r\nX: ");
	expect_408_in_spite_of_bytes(fd, start_us);
	/* The same for a pipelined one. */
	fd = rig_dial(&rig);
	start_us = clock_mono_us();
	rig_put(fd, REQUEST("/ok") "GET /");
	rig_read(fd, &reply);
	expect_408_in_spite_of_bytes(fd, start_us);
	assert_int_equal(
	    rig_metric(&rig, &reply, "onrush_http_timeouts_total{what=\"head\"}"), 2);
}

static void
test_slow_body(void **state)
{
	(void)state;
	int64_t start_us;
	int fd;

	rig.settings.body_timeout_us = 100000;
	start();
	fd = rig_dial(&rig);
	start_us = clock_mono_us();
	rig_put(fd, "POST /body HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\n");
	expect_408_in_spite_of_bytes(fd, start_us);
	assert_int_equal(
	    rig_metric(&rig, &reply, "onrush_http_timeouts_total{what=\"body\"}"), 1);
}

static void
test_idle(void **state)
{
	(void)state;
	const struct httpd_conf conf = {
		.settings = &rig.settings,
		.routes = routes,
		.route_count = ARRAY_LEN(routes),
	};
	int64_t start_us;
	int fresh, used;

	rig.settings.idle_timeout_us = 100000;
	rig_open(&rig, &conf);
	fresh = rig_dial(&rig);
	used = rig_dial(&rig);
	rig_put(used, REQUEST("/ok")); /* before it counts as idle */
	start_us = clock_mono_us();
	rig_run(&rig);
	rig_read(used, &reply);
	assert_int_equal(reply.status, 200);
	rig_expect_end(fresh);
	rig_expect_end(used);
	assert_true(clock_mono_us() - start_us >= 90000);
}

/* A client that takes nothing of a long answer. */
static void
test_slow_reader(void **state)
{
	(void)state;
	int fd;

	rig.settings.write_timeout_us = 100000;
	start();
	fd = rig_dial(&rig);
	rig_put(fd, REQUEST("/large"));
	while (
	    rig_metric(&rig, &reply, "onrush_http_timeouts_total{what=\"write\"}") == 0)
		continue;
	while (rig_metric(&rig, &reply, "onrush_http_connections") > 1)
		continue;
	close(fd);
}

/* --- too many ------------------------------------------------------------------------
 */

static void
test_too_many_requests(void **state)
{
	(void)state;
	struct pollfd p = { .events = POLLIN };
	int busy[3], fd;

	rig.settings.max_requests = 3;
	start();
	for (int i = 0; i < 3; i++) {
		busy[i] = rig_dial(&rig);
		rig_put(busy[i], REQUEST("/hold"));
	}
	RIG_UNTIL(begun == 3);
	fd = rig_dial(&rig);
	for (int i = 0; i < 2; i++) {
		rig_put(fd, REQUEST("/ok"));
		rig_read(fd, &reply);
		assert_int_equal(reply.status, 503);
		assert_string_equal(rig_header(&reply, "Retry-After"), "1");
		assert_non_null(strstr(reply.text, "OVERLOADED"));
	}
	for (int i = 0; i < 3; i++) { /* it did not wait for one of them */
		p.fd = busy[i];
		assert_int_equal(poll(&p, 1, 0), 0);
	}
	rig_put(fd, REQUEST("/healthz"));
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 200);
	held = false;
	for (int i = 0; i < 3; i++) {
		rig_read(busy[i], &reply);
		assert_int_equal(reply.status, 200);
		close(busy[i]);
	}
	rig_put(fd, REQUEST("/ok"));
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 200);
	close(fd);
	assert_int_equal(
	    rig_metric(&rig, &reply, "onrush_http_refused_total{what=\"request\"}"), 2);
}

static void
test_too_many_connections(void **state)
{
	(void)state;
	int fds[3], fd;

	rig.settings.max_conns = 3;
	start();
	for (int i = 0; i < 3; i++) {
		fds[i] = rig_dial(&rig);
		rig_put(fds[i], REQUEST("/ok"));
		rig_read(fds[i], &reply);
	}
	for (int i = 0; i < 100; i++) {
		fd = rig_dial(&rig);
		rig_put(fd, REQUEST("/ok"));
		rig_read(fd, &reply);
		assert_int_equal(reply.status, 503);
		assert_non_null(strstr(reply.text, "OVERLOADED"));
		rig_expect_end(fd);
	}
	close(fds[0]);
	while (rig_ask(&rig, &reply, REQUEST("/ok")) != 200)
		continue;
	close(fds[1]);
	close(fds[2]);
}

/* Without descriptors the server neither dies nor spins, and recovers. */
static void
test_no_descriptors(void **state)
{
	(void)state;
	struct rlimit old, now;
	struct timespec before, after;
	clockid_t clock;
	int next, fd;

	start();
	assert_int_equal(pthread_getcpuclockid(rig.thread, &clock), 0);
	fd = rig_dial(&rig);
	rig_put(fd, REQUEST("/ok"));
	rig_read(fd, &reply);
	close(fd);
	while (rig_metric(&rig, &reply, "onrush_http_connections") > 1)
		continue;
	RIG_UNTIL((next = dup(0)) == fd || (close(next), false));
	close(next);
	fd = rig_dial(&rig); /* takes the next one, and the server its own */
	rig_put(fd, REQUEST("/ok"));
	rig_read(fd, &reply);
	getrlimit(RLIMIT_NOFILE, &old);
	now = (struct rlimit){ (rlim_t)fd + 1, old.rlim_max };
	setrlimit(RLIMIT_NOFILE, &now);
	close(fd);
	poll(NULL, 0, 50);
	fd = rig_dial(&rig);
	rig_put(fd, REQUEST("/ok"));
	clock_gettime(clock, &before);
	poll(NULL, 0, 300);
	clock_gettime(clock, &after);
	setrlimit(RLIMIT_NOFILE, &old);
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 200);
	close(fd);
	assert_in_range((after.tv_sec - before.tv_sec) * 1000 +
			    (after.tv_nsec - before.tv_nsec) / 1000000,
	    0, 100);
}

/* --- draining ------------------------------------------------------------------------
 */

/* On the loop's thread: the request is there before its connection can be too old. */
static void
drain_and_ask(void *arg)
{
	httpd_drain(rig.httpd);
	rig_put(*(int *)arg, REQUEST("/ok"));
}

static void
test_drain(void **state)
{
	(void)state;
	int busy, idle, used;
	struct sockaddr_in sa = { .sin_family = AF_INET };

	start();
	busy = rig_dial(&rig);
	idle = rig_dial(&rig);
	used = rig_dial(&rig);
	rig_put(used, REQUEST("/ok"));
	rig_read(used, &reply);
	rig_put(busy, REQUEST("/hold"));
	RIG_UNTIL(begun == 1);
	/* A request that was on its way is served; nobody new is. */
	rig_call(&rig, drain_and_ask, &used);
	assert_false(rig.drained);
	rig_read(used, &reply);
	assert_int_equal(reply.status, 200);
	assert_string_equal(rig_header(&reply, "Connection"), "close");
	rig_expect_end(used);
	sa.sin_port = htons((uint16_t)rig.port);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	used = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(used, (struct sockaddr *)&sa, sizeof(sa)), -1);
	close(used);
	held = false;
	rig_read(busy, &reply);
	assert_int_equal(reply.status, 200);
	assert_string_equal(rig_header(&reply, "Connection"), "close");
	rig_expect_end(busy);
	rig_expect_end(idle);
	RIG_UNTIL(rig.drained);
}

static void
test_drain_without_clients(void **state)
{
	(void)state;
	start();
	rig_call(&rig, rig_drain_now, &rig);
	RIG_UNTIL(rig.drained);
}

/* What the kernel has accepted for us is served, although nobody listens any more. */
static void
test_drain_serves_the_backlog(void **state)
{
	(void)state;
	int fds[50];

	start();
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = rig_dial(&rig);
		rig_put(fds[i], REQUEST("/ok"));
	}
	rig_call(&rig, rig_drain_now, &rig);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		rig_read(fds[i], &reply);
		assert_int_equal(reply.status, 200);
		close(fds[i]);
	}
	RIG_UNTIL(rig.drained);
}

static void
test_a_taken_port_is_refused(void **state)
{
	(void)state;
	char address[32];
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t size = sizeof(sa);
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct httpd_conf conf = { .settings = &rig.settings };

	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	getsockname(fd, (struct sockaddr *)&sa, &size);
	snprintf(address, sizeof(address), "127.0.0.1:%d", ntohs(sa.sin_port));
	rig.settings.listen = address;
	assert_null(httpd_new(&rig.worker, &conf));
	rig.settings.listen = "127.0.0.1";
	assert_null(httpd_new(&rig.worker, &conf));
	rig.settings.listen = "127.0.0.1:99999";
	assert_null(httpd_new(&rig.worker, &conf));
	rig.settings.listen = "no.such.host.invalid:80";
	assert_null(httpd_new(&rig.worker, &conf));
	close(fd);
	loop_free(rig.worker.loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_slow_head, init, stop),
		cmocka_unit_test_setup_teardown(test_slow_body, init, stop),
		cmocka_unit_test_setup_teardown(test_idle, init, stop),
		cmocka_unit_test_setup_teardown(test_slow_reader, init, stop),
		cmocka_unit_test_setup_teardown(test_too_many_requests, init, stop),
		cmocka_unit_test_setup_teardown(test_too_many_connections, init, stop),
		cmocka_unit_test_setup_teardown(test_no_descriptors, init, stop),
		cmocka_unit_test_setup_teardown(test_drain, init, stop),
		cmocka_unit_test_setup_teardown(test_drain_without_clients, init, stop),
		cmocka_unit_test_setup_teardown(
		    test_drain_serves_the_backlog, init, stop),
		cmocka_unit_test_setup(test_a_taken_port_is_refused, init),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
