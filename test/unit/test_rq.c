/* Request steps: what runs when, the deadline, waiting, and clients that leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>

#include "http_site.h"

/* What handlers did; written on the loop's thread. */
static atomic_int begun, finished, cancelled, late_steps;
static struct rq *parked; /* in rq_wait */

#define REQUEST(path) "GET " path " HTTP/1.1\r\nHost: t\r\n\r\n"

/* --- handlers ------------------------------------------------------------------------
 */

struct chain {
	int steps;
};

static rq_step chain_2, chain_3;

static rq_next
chain_1(struct rq *rq)
{
	struct chain *chain = ARENA_NEW(rq->arena, struct chain);

	begun++;
	rq->ctx = chain;
	chain->steps = 1;
	return rig_io(rq, chain_2, 0, ERR_CONFLICT_RETRY);
}

static rq_next
chain_2(struct rq *rq)
{
	struct chain *chain = rq->ctx;

	ASSERT(rq->err == ERR_CONFLICT_RETRY);
	chain->steps++;
	return rq_goto(rq, chain_3);
}

static rq_next
chain_3(struct rq *rq)
{
	struct chain *chain = rq->ctx;

	ASSERT(rq->err == ERR_CONFLICT_RETRY); /* still the same result */
	if (++chain->steps < 6)
		return rq_not_started(rq, chain_3, ERR_CONFLICT_RETRY);
	finished++;
	return rq_ok(rq, str_of(arena_printf(rq->arena, "%d", chain->steps)));
}

static rq_next
report(struct rq *rq)
{
	finished++;
	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	return rq_ok(rq, rq->result != NULL ? str_of(rq->result) : STR_NULL);
}

static rq_next
refused(struct rq *rq)
{
	return rq_not_started(rq, report, ERR_OVERLOAD);
}

static rq_next
too_late(struct rq *rq)
{
	late_steps++;
	return rq_ok(rq, STR_NULL);
}

static rq_next
slow(struct rq *rq)
{
	begun++;
	return rig_io(rq, too_late, RIG_HELD, ERR_OK);
}

static rq_next
soon(struct rq *rq)
{
	begun++;
	return rig_io(rq, report, 20000, ERR_OK);
}

static void
on_cancel(struct rq *rq)
{
	ASSERT(parked == rq);
	parked = NULL;
	cancelled++;
}

static rq_next
park(struct rq *rq)
{
	ASSERT(parked == NULL);
	begun++;
	parked = rq;
	return rq_wait(rq, report, 0, on_cancel);
}

static rq_next
park_briefly(struct rq *rq)
{
	ASSERT(parked == NULL);
	parked = rq;
	return rq_wait(rq, report, 30000, on_cancel);
}

static rq_next
park_again(struct rq *rq)
{
	parked = rq;
	return rq_wait(rq, park_again, 0, on_cancel);
}

static rq_next
start_again(struct rq *rq)
{
	return rig_io(rq, too_late, 100000, ERR_OK);
}

static rq_next
park_then_start(struct rq *rq)
{
	parked = rq;
	return rq_wait(rq, start_again, 0, on_cancel);
}

static rq_next
wake(struct rq *rq)
{
	struct rq *other = parked;
	static char word[] = "\"woken\"";

	if (other == NULL)
		return rq_fail(rq, ERR_NOT_FOUND);
	parked = NULL;
	rq_wake(other, ERR_OK, word);
	return rq_ok(rq, STR("\"woke\""));
}

static rq_next
answer_twice(struct rq *rq)
{
	rq_next first = rq_ok(rq, STR_NULL);

	(void)first;
	return rq_ok(rq, STR_NULL);
}

static rq_next
answer_and_start(struct rq *rq)
{
	rq_next first = rq_started(rq, report);

	(void)first;
	return rq_ok(rq, STR_NULL);
}

static rq_next kept_token;

static rq_next
say_nothing(struct rq *rq UNUSED)
{
	return kept_token;
}

static rq_next
resume_in_step(struct rq *rq)
{
	rq_next next = rq_started(rq, report);

	rq_resume(rq, ERR_OK);
	return next;
}

static const struct route routes[] = {
	{ HTTP_GET, "/chain", chain_1, 5000000, 0, 0 },
	{ HTTP_GET, "/refused", refused, 5000000, 0, 0 },
	{ HTTP_GET, "/slow", slow, 50000, 0, 0 },
	{ HTTP_POST, "/slow", slow, 50000, 0, 0 },
	{ HTTP_GET, "/slow/patient", slow, 60000000, 0, 0 },
	{ HTTP_GET, "/soon", soon, 5000000, 0, 0 },
	{ HTTP_GET, "/park", park, 5000000, 0, 0 },
	{ HTTP_GET, "/park/deadline", park, 50000, 0, 0 },
	{ HTTP_GET, "/park/patience", park_briefly, 5000000, 0, 0 },
	{ HTTP_GET, "/park/again", park_again, 50000, 0, 0 },
	{ HTTP_GET, "/park/start", park_then_start, 50000, 0, 0 },
	{ HTTP_GET, "/wake", wake, 5000000, 0, 0 },
	{ HTTP_GET, "/wrong/twice", answer_twice, 5000000, 0, 0 },
	{ HTTP_GET, "/wrong/both", answer_and_start, 5000000, 0, 0 },
	{ HTTP_GET, "/wrong/nothing", say_nothing, 5000000, 0, 0 },
	{ HTTP_GET, "/wrong/resume", resume_in_step, 5000000, 0, 0 },
};

static int
start(void **state)
{
	(void)state;
	begun = finished = cancelled = late_steps = 0;
	parked = NULL;
	site_start(routes, ARRAY_LEN(routes));
	return 0;
}

static long
under_way(void)
{
	/* The one that asks is one. */
	return rig_metric(&rig, &reply, "onrush_http_requests_under_way") - 1;
}

/* --- tests ---------------------------------------------------------------------------
 */

static void
test_steps_run_in_order(void **state)
{
	(void)state;
	assert_int_equal(ask(REQUEST("/chain")), 200);
	assert_non_null(strstr(reply.text, "\"data\":6}"));
	assert_int_equal(ask(REQUEST("/refused")), 503);
	assert_non_null(strstr(reply.text, "OVERLOADED"));
	assert_int_equal(finished, 2);
	assert_int_equal(under_way(), 0);
}

static void
test_pipelined_wait_for_each_other(void **state)
{
	(void)state;
	int fd = rig_dial(&rig);

	rig_put(
	    fd, REQUEST("/soon") REQUEST("/chain") REQUEST("/refused") REQUEST("/soon"));
	rig_read(fd, &reply);
	assert_non_null(strstr(reply.text, "null"));
	rig_read(fd, &reply);
	assert_non_null(strstr(reply.text, "\"data\":6}"));
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 503);
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 200);
	close(fd);
}

/* Bytes that come while a request is under way, then the client's end. */
static void
test_bytes_come_while_busy(void **state)
{
	(void)state;
	int fd = rig_dial(&rig);

	rig_put(fd, REQUEST("/soon"));
	poll(NULL, 0, 5);
	rig_put(fd, REQUEST("/soon") "GET /ch");
	poll(NULL, 0, 1);
	rig_put(fd, "ain HTTP/1.1\r\nHost: t\r\n\r\n");
	shutdown(fd, SHUT_WR);
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 200);
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 200);
	rig_read(fd, &reply);
	assert_non_null(strstr(reply.text, "\"data\":6}"));
	rig_expect_end(fd);
}

static void
test_wait_and_wake(void **state)
{
	(void)state;
	int fd = rig_dial(&rig);

	rig_put(fd, REQUEST("/park"));
	while (ask(REQUEST("/wake")) == 404)
		continue;
	assert_non_null(strstr(reply.text, "\"woke\""));
	rig_read(fd, &reply);
	assert_non_null(strstr(reply.text, "\"woken\""));
	close(fd);
	assert_int_equal(cancelled, 0);
	assert_int_equal(under_way(), 0);
}

static void
test_patience_and_deadline_of_a_wait(void **state)
{
	(void)state;
	assert_int_equal(ask(REQUEST("/park/patience")), 504);
	assert_int_equal(ask(REQUEST("/park/deadline")), 504);
	assert_int_equal(cancelled, 2);
	assert_int_equal(finished, 2);
	/* A step that goes on waiting or working has no more time. */
	assert_int_equal(ask(REQUEST("/park/again")), 504);
	assert_int_equal(cancelled, 4);
	assert_int_equal(ask(REQUEST("/park/start")), 504);
	assert_int_equal(cancelled, 5);
	while (under_way() > 0)
		continue;
	assert_int_equal(late_steps, 0);
}

/* What changes something may still do it: its client must not take it for failed. */
static void
test_late_change_is_unknown(void **state)
{
	(void)state;
	assert_int_equal(
	    ask("POST /slow HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n"), 503);
	assert_non_null(strstr(reply.text, "OUTCOME_UNKNOWN"));
	assert_non_null(strstr(reply.text, "Retry-After"));
	rig_let_go = true;
	while (under_way() > 0)
		continue;
}

static void
test_late_result_is_dropped(void **state)
{
	(void)state;
	int64_t start_us = clock_mono_us();
	int fd = rig_dial(&rig);

	rig_put(fd, REQUEST("/slow"));
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 504);
	assert_true(clock_mono_us() - start_us >= 50000);
	/* The connection goes on at once; the request lives until its I/O has ended. */
	rig_put(fd, REQUEST("/chain"));
	rig_read(fd, &reply);
	assert_int_equal(reply.status, 200);
	assert_int_equal(under_way(), 1);
	rig_let_go = true;
	while (under_way() > 0)
		continue;
	assert_int_equal(late_steps, 0);
	close(fd);
}

static void
test_client_leaves_while_pending(void **state)
{
	(void)state;
	static const char *const paths[] = { REQUEST("/soon"), REQUEST("/slow"),
		REQUEST("/chain"), REQUEST("/park/deadline") };
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		for (int how = 0; how < 2; how++) {
			int fd = rig_dial(&rig);

			rig_put(fd, paths[i]);
			if (how == 1)
				setsockopt(
				    fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
			poll(NULL, 0, 2);
			close(fd);
			if (i == 3) /* one waits at a time */
				RIG_UNTIL(cancelled == how + 1);
		}
	}
	rig_let_go = true;
	while (under_way() > 0)
		continue;
	/* Those that were not too late ran to their end. */
	assert_int_equal(finished, 6);
	assert_int_equal(late_steps, 0);
}

/* The server goes away under requests of every kind; their I/O ends after it. */
static void
test_server_ends_with_requests_under_way(void **state)
{
	(void)state;
	static const char *const paths[] = { REQUEST("/slow/patient"),
		REQUEST("/slow/patient"), REQUEST("/park"), "GET /sl" };
	int fds[ARRAY_LEN(paths)];

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		fds[i] = rig_dial(&rig);
		rig_put(fds[i], paths[i]);
	}
	RIG_UNTIL(begun == 3);
	rig_call(&rig, rig_free_now, &rig);
	assert_int_equal(cancelled, 1);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		rig_read(fds[i], &reply);
		assert_int_equal(reply.status, 0);
		close(fds[i]);
	}
	rig_let_go = true;
	RIG_UNTIL(rig_ios == 0);
	assert_int_equal(finished, 0);
	assert_int_equal(late_steps, 0);
}

/* Misuse ends the process at once. */
static void
test_misuse_is_caught(void **state)
{
	(void)state;
	static const char *const paths[] = { REQUEST("/wrong/twice"),
		REQUEST("/wrong/both"), REQUEST("/wrong/nothing"),
		REQUEST("/wrong/resume") };

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			signal(SIGABRT, SIG_DFL);
			alarm(10); /* another signal if nothing happens */
			start(NULL);
			ask(paths[i]);
			for (;;)
				pause();
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_steps_run_in_order, start, stop),
		cmocka_unit_test_setup_teardown(
		    test_pipelined_wait_for_each_other, start, stop),
		cmocka_unit_test_setup_teardown(test_bytes_come_while_busy, start, stop),
		cmocka_unit_test_setup_teardown(test_wait_and_wake, start, stop),
		cmocka_unit_test_setup_teardown(
		    test_patience_and_deadline_of_a_wait, start, stop),
		cmocka_unit_test_setup_teardown(test_late_change_is_unknown, start, stop),
		cmocka_unit_test_setup_teardown(test_late_result_is_dropped, start, stop),
		cmocka_unit_test_setup_teardown(
		    test_client_leaves_while_pending, start, stop),
		cmocka_unit_test_setup_teardown(
		    test_server_ends_with_requests_under_way, start, stop),
		cmocka_unit_test(test_misuse_is_caught),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
