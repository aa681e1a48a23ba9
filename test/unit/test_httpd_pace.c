/* The HTTP server's slow clients: each way to be slow is cut, and waiting for us is none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_rig.h"

enum {
	BIG = 8 << 20
};

static struct rig rig;
static struct reply reply;
static char big[BIG];

static rq_next
after_a_while(struct rq *rq)
{
	return rq_ok(rq, STR("1"));
}

static rq_next
wait_a_while(struct rq *rq)
{
	return rig_io(rq, after_a_while, 600000, ERR_OK);
}

static rq_next
tell_much(struct rq *rq)
{
	return rq_reply(rq, 200, STR("text/plain"), (str){ big, BIG });
}

static rq_next
take(struct rq *rq)
{
	return rq_ok(rq, STR("2"));
}

static const struct route routes[] = {
	{ HTTP_GET, "/late", wait_a_while, 5000000, 0, 0 },
	{ HTTP_GET, "/much", tell_much, 5000000, 0, 0 },
	{ HTTP_POST, "/take", take, 5000000, 100000, 0 },
};

static void
start_with(int64_t rate, int64_t grace_us)
{
	memset(big, 'x', BIG);
	rig_init(&rig);
	rig.settings.min_rate = rate;
	rig.settings.min_rate_grace_us = grace_us;
	rig.settings.body_timeout_us = 60 * CLOCK_US_PER_SEC; /* the rate comes first */
	rig_start(&rig, routes, ARRAY_LEN(routes), NULL);
}

static int
init(void **state)
{
	(void)state;
	start_with(20000, 200000);
	return 0;
}

/* For a client that may be kept waiting by the machine, but must not be cut. */
static int
init_lenient(void **state)
{
	(void)state;
	start_with(2000, 3 * CLOCK_US_PER_SEC);
	return 0;
}

static int
fini(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

static long
cut(const char *what)
{
	char name[64];

	snprintf(name, sizeof(name), "onrush_http_slow_total{what=\"%s\"}", what);
	return rig_metric(&rig, &reply, name);
}

/* Sends a byte every 5 ms, 200 bytes per second, until it is answered. */
static void
trickle(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (poll(&p, 1, 5) == 0)
		if (send(fd, "x", 1, MSG_NOSIGNAL) != 1)
			break;
	rig_read(fd, &reply);
}

static void
test_a_slow_head(void **state)
{
	long before = cut("head");
	int fd = rig_dial(&rig);

	(void)state;
	rig_put(fd, "GET /late HTTP/1.1\r\nHost: t\r\nX: ");
	trickle(fd);
	assert_int_equal(reply.status, 408);
	close(fd);
	assert_int_equal(cut("head"), before + 1);
}

static void
test_a_slow_body(void **state)
{
	long before = cut("body");
	int fd = rig_dial(&rig);

	(void)state;
	rig_put(fd, "POST /take HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n");
	trickle(fd);
	assert_int_equal(reply.status, 408);
	close(fd);
	assert_int_equal(cut("body"), before + 1);
}

/* The kernel's buffers take megabytes at once: that is no reading. */
static void
test_a_slow_reader(void **state)
{
	long before = cut("write");
	int fd = rig_dial(&rig), small = 4096;
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };
	ssize_t n;
	char byte;

	(void)state;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	rig_put(fd, "GET /much HTTP/1.1\r\nHost: t\r\n\r\n");
	do
		n = recv(fd, &byte, 1, 0);
	while (n == 1 && poll(&p, 1, 5) == 0);
	while (n > 0) /* what came before the end */
		n = recv(fd, big, BIG, 0);
	assert_true(n < 0 && errno == ECONNRESET);
	close(fd);
	assert_int_equal(cut("write"), before + 1);
}

/* Not fast, but fast enough: 100 bytes every few milliseconds, for longer than the grace.
 */
static void
test_who_keeps_the_rate(void **state)
{
	static char piece[100];
	int fd = rig_dial(&rig);

	(void)state;
	memset(piece, 'x', sizeof(piece));
	rig_put(fd, "POST /take HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n");
	for (int i = 0; i < 1000; i++) {
		rig_send(fd, piece, sizeof(piece));
		poll(NULL, 0, 4);
	}
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 200);
	close(fd);
}

static void
test_who_waits_for_us_is_not_slow(void **state)
{
	int fd = rig_dial(&rig);

	(void)state;
	for (int i = 0; i < 2; i++) {
		rig_put(fd, "GET /late HTTP/1.1\r\nHost: t\r\n\r\n");
		rig_read(fd, &reply);
		assert_int_equal(reply.status, 200);
		poll(NULL, 0, 400); /* between requests nobody is slow either */
	}
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, init, fini)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_slow_head),
		TEST(test_a_slow_body),
		TEST(test_a_slow_reader),
		cmocka_unit_test_setup_teardown(
		    test_who_keeps_the_rate, init_lenient, fini),
		TEST(test_who_waits_for_us_is_not_slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
