/* The HTTP client's queue: who goes first, who makes room, and how many are under way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_up.h"

#include "http/httpc_impl.h"

#define WAIT_US (4 * CLOCK_US_PER_SEC)

/* --- the queue alone -----------------------------------------------------------------
 */

static struct httpc queue;
static struct call calls[3]; /* one of each priority */

static void
ignore_wait(struct loop_wait *w)
{
	(void)w;
}

static int
queue_begin(void **state)
{
	(void)state;
	loop = loop_new();
	queue = (struct httpc){ .conf.queue_us = WAIT_US };
	queue.queue_waits = loop_waits_new(loop, WAIT_US, ignore_wait);
	queue_init(&queue);
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		calls[i] = (struct call){ .request.priority = (enum httpc_priority)i };
	return 0;
}

static int
queue_end(void **state)
{
	(void)state;
	loop_waits_free(queue.queue_waits);
	loop_free(loop);
	return 0;
}

/* A call of this priority that came at this moment. */
static struct call *
wait_since(enum httpc_priority priority, int64_t us)
{
	struct call *call = &calls[priority];

	queue_put(&queue, call, false);
	call->wait.due_us = us + WAIT_US;
	return call;
}

static void
test_more_important_calls_go_first(void **state)
{
	(void)state;
	struct call *low = wait_since(HTTPC_LOW, 1),
		    *normal = wait_since(HTTPC_NORMAL, 2);
	struct call *high = wait_since(HTTPC_HIGH, 3);

	assert_ptr_equal(queue_next(&queue), high);
	queue_remove(&queue, high);
	assert_ptr_equal(queue_next(&queue), normal);
	queue_remove(&queue, normal);
	assert_ptr_equal(queue_next(&queue), low);
	queue_remove(&queue, low);
	assert_null(queue_next(&queue));
	assert_int_equal(queue.queue_count, 0);
}

/* Nobody waits for ever behind those that keep coming. */
static void
test_who_waits_long_becomes_important(void **state)
{
	(void)state;
	struct call *low = wait_since(HTTPC_LOW, 0);
	struct call *high = wait_since(HTTPC_HIGH, WAIT_US / 2);
	struct call *normal = wait_since(HTTPC_NORMAL, WAIT_US / 4 + 1);

	assert_ptr_equal(queue_next(&queue), high);
	queue_remove(&queue, high);
	wait_since(HTTPC_HIGH, WAIT_US / 2 + 1);
	assert_ptr_equal(queue_next(&queue), low);
	queue_remove(&queue, low);
	assert_ptr_equal(queue_next(&queue), high);
	queue_remove(&queue, high);
	queue_remove(&queue, normal);
}

static void
test_a_call_that_is_sent_again_goes_first(void **state)
{
	(void)state;
	struct call *low = wait_since(HTTPC_LOW, 2), *high = wait_since(HTTPC_HIGH, 1);

	low->again = true;
	assert_ptr_equal(queue_next(&queue), low);
	queue_remove(&queue, low);
	queue_remove(&queue, high);
}

static void
test_the_least_important_makes_room(void **state)
{
	(void)state;
	struct call *normal = wait_since(HTTPC_NORMAL, 1),
		    *low = wait_since(HTTPC_LOW, 2);

	assert_ptr_equal(queue_least(&queue, HTTPC_HIGH), low);
	assert_ptr_equal(queue_least(&queue, HTTPC_NORMAL), low);
	assert_null(queue_least(&queue, HTTPC_LOW));
	queue_remove(&queue, low);
	assert_ptr_equal(queue_least(&queue, HTTPC_HIGH), normal);
	assert_null(queue_least(&queue, HTTPC_NORMAL));
	queue_remove(&queue, normal);
}

/* --- in a pool -----------------------------------------------------------------------
 */

static atomic_int most_at_once, at_once;
static atomic_bool may_answer;

/* Answers when the test allows it. */
static void
patient(int fd, int n)
{
	(void)n;
	while (next_request(fd)) {
		int now = ++at_once;

		if (now > most_at_once)
			most_at_once = now;
		until_set(&may_answer);
		at_once--;
		put(fd, OK5);
	}
}

/* Lets the loop run until the server works on so many. */
static void
run_until(int count)
{
	int64_t until_us = clock_mono_us() + 10 * CLOCK_US_PER_SEC;

	while (at_once != count) {
		assert_true(clock_mono_us() < until_us);
		run_for(1000);
	}
}

static struct httpc_request
of(enum httpc_priority priority)
{
	struct httpc_request request = get;

	request.priority = priority;
	return request;
}

static void
test_a_full_queue_refuses_the_least_important(void **state)
{
	(void)state;
	const struct httpc_request high = of(HTTPC_HIGH), low = of(HTTPC_LOW);
	struct result first, second, third, fourth;

	server_start(polite);
	connect_with(1);
	client->conf.max_queue = 2;
	begin(&first, &low);
	begin(&second, &low);
	begin(&third, &low);
	begin(&fourth, &high);
	finish();
	assert_int_equal(first.err, ERR_OK);
	assert_int_equal(second.err, ERR_OVERLOAD); /* made room: it came last */
	assert_int_equal(third.err, ERR_OVERLOAD);  /* nobody makes room for it */
	assert_int_equal(fourth.err, ERR_OK);
	assert_true(fourth.order < first.order);
}

static void
test_no_more_calls_than_the_limit_are_under_way(void **state)
{
	(void)state;
	struct result r[20];
	size_t conns, busy, queued;

	server_start(patient);
	most_at_once = at_once = 0;
	may_answer = true;
	connect_with(10);
	client->conf.max_queue = ARRAY_LEN(r);
	httpc_set_limit(client, 2);
	for (size_t i = 0; i < ARRAY_LEN(r); i++)
		begin(&r[i], &get);
	finish();
	for (size_t i = 0; i < ARRAY_LEN(r); i++)
		assert_int_equal(r[i].err, ERR_OK);
	assert_true(most_at_once <= 2);
	httpc_stats(client, &conns, &busy, &queued);
	assert_true(conns <= 2);

	/* More again: those that wait are sent without another call's coming. */
	may_answer = false;
	for (size_t i = 0; i < 6; i++)
		begin(&r[i], &get);
	run_until(2);
	httpc_set_limit(client, 100); /* but never more than the pool has */
	run_until(6);
	may_answer = true;
	finish();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_more_important_calls_go_first, queue_begin, queue_end),
		cmocka_unit_test_setup_teardown(
		    test_who_waits_long_becomes_important, queue_begin, queue_end),
		cmocka_unit_test_setup_teardown(
		    test_a_call_that_is_sent_again_goes_first, queue_begin, queue_end),
		cmocka_unit_test_setup_teardown(
		    test_the_least_important_makes_room, queue_begin, queue_end),
		cmocka_unit_test_setup_teardown(
		    test_a_full_queue_refuses_the_least_important, init, fini),
		cmocka_unit_test_setup_teardown(
		    test_no_more_calls_than_the_limit_are_under_way, init, fini),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
