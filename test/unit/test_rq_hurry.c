/* Deadlines that come with a request: nobody works for who does not wait any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_rig.h"

static struct rig rig;
static struct reply reply;
static atomic_int cancelled, late_steps;

static rq_next
too_late(struct rq *rq)
{
	late_steps++;
	return rq_ok(rq, STR("\"late\""));
}

static rq_next
in_time(struct rq *rq)
{
	return rq_ok(rq, STR("\"in time\""));
}

static rq_next
slow(struct rq *rq)
{
	return rig_io(rq, too_late, RIG_HELD, ERR_OK);
}

static rq_next
soon(struct rq *rq)
{
	return rig_io(rq, in_time, 20000, ERR_OK);
}

static rq_next
timed_out(struct rq *rq)
{
	ASSERT(rq->err == ERR_TIMEOUT);
	return rq_fail(rq, rq->err);
}

static void
on_cancel(struct rq *rq)
{
	(void)rq;
	cancelled++;
}

static rq_next
park(struct rq *rq)
{
	return rq_wait(rq, timed_out, 0, on_cancel);
}

/* Longer than the client's patience: without the header the tests fail. */
static const struct route routes[] = {
	{ HTTP_GET, "/park", park, 60000000, 0, 0 },
	{ HTTP_GET, "/slow", slow, 60000000, 0, 0 },
	{ HTTP_POST, "/slow", slow, 60000000, 0, 0 },
	{ HTTP_GET, "/soon", soon, 5000000, 0, 0 },
};

static int
start(void **state)
{
	(void)state;
	cancelled = late_steps = 0;
	rig_init(&rig);
	rig_start(&rig, routes, ARRAY_LEN(routes), NULL);
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	rig_let_go = true;
	RIG_UNTIL(rig_ios == 0);
	rig_stop(&rig);
	return 0;
}

static int
ask(const char *line, const char *deadline_ms)
{
	char request[256];

	snprintf(request, sizeof(request),
	    "%s HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\nX-Request-Deadline-Ms: "
	    "%s\r\n\r\n",
	    line, deadline_ms);
	return rig_ask(&rig, &reply, request);
}

static void
test_who_waits_is_woken(void **state)
{
	(void)state;
	assert_int_equal(ask("GET /park", "30"), 504);
	assert_int_equal(cancelled, 1);
}

static void
test_no_step_follows_an_io_that_came_late(void **state)
{
	(void)state;
	assert_int_equal(ask("GET /slow", "30"), 504);
	assert_int_equal(ask("POST /slow", "30"), 503);
	assert_non_null(strstr(reply.text, "OUTCOME_UNKNOWN"));
	rig_let_go = true;
	RIG_UNTIL(rig_ios == 0);
	assert_int_equal(late_steps, 0);
}

/* Its timer must not find the next request of the connection, nor a client that left. */
static void
test_an_answer_in_time_ends_it(void **state)
{
	int fd = rig_dial(&rig);

	(void)state;
	for (int i = 0; i < 5; i++) {
		rig_put(fd, "GET /soon HTTP/1.1\r\nHost: t\r\n"
			    "X-Request-Deadline-Ms: 4000\r\n\r\n");
		rig_read(fd, &reply);
		assert_int_equal(reply.status, 200);
	}
	rig_put(
	    fd, "GET /slow HTTP/1.1\r\nHost: t\r\nX-Request-Deadline-Ms: 100\r\n\r\n");
	RIG_UNTIL(rig_ios == 1);
	close(fd);
}

static void
test_what_is_no_earlier_deadline_is_ignored(void **state)
{
	static const char *const values[] = { "5000", "20000000", "0", "-1", "x", "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		assert_int_equal(ask("GET /soon", values[i]), 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_who_waits_is_woken),
		TEST(test_no_step_follows_an_io_that_came_late),
		TEST(test_an_answer_in_time_ends_it),
		TEST(test_what_is_no_earlier_deadline_is_ignored),
	};
	return cmocka_run_group_tests_name("rq_hurry", tests, NULL, NULL);
}
