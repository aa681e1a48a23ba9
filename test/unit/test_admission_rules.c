/* How many calls a server is given, by how long it takes; and who may wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "gateway/upstream/admission_rules.h"

#define MS(n) ((n)*CLOCK_US_PER_MS)

static const struct admission_bounds bounds = { 4, 100, MS(50), MS(100) };
static struct admission a;
static int64_t now_us;

static int
begin(void **state)
{
	(void)state;
	admission_init(&a, &bounds);
	now_us = MS(1000);
	return 0;
}

/* A window of so many answers; did the limit change? */
static bool
window(size_t answers, int64_t latency_us, size_t under_way)
{
	bool changed = false;

	for (size_t i = 0; i < answers; i++)
		changed |= admission_answered(&a, &bounds, now_us, latency_us, under_way);
	now_us += MS(100);
	return admission_answered(&a, &bounds, now_us, latency_us, under_way) || changed;
}

static void
test_it_begins_with_all_there_is(void **state)
{
	(void)state;
	assert_int_equal(admission_limit(&a), 100);
	assert_false(window(20, MS(10), 90));
	assert_int_equal(admission_limit(&a), 100);
}

static void
test_it_shrinks_while_answers_take_too_long(void **state)
{
	(void)state;
	assert_true(window(20, MS(51), 100));
	assert_int_equal(admission_limit(&a), 90);
	assert_true(window(20, MS(51), 90));
	assert_int_equal(admission_limit(&a), 81);
	for (int i = 0; i < 100; i++)
		(void)window(20, MS(51), 10);
	assert_int_equal(admission_limit(&a), 4);
	assert_false(window(20, MS(51), 4));
}

static void
test_it_grows_when_it_is_used(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		(void)window(20, MS(60), 10);
	assert_int_equal(admission_limit(&a), 12);
	/* Less than half of it was used: nothing is known of more. */
	assert_false(window(20, MS(50), 5));
	assert_int_equal(admission_limit(&a), 12);
	assert_true(window(20, MS(50), 6));
	assert_int_equal(admission_limit(&a), 13);
	for (int i = 0; i < 100; i++)
		(void)window(20, MS(50), 100);
	assert_int_equal(admission_limit(&a), 100);
}

/* Many calls at once, each of which takes as long as there are calls: the limit settles
 * where the latency is the target. */
static void
test_it_settles_at_the_target(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		(void)window(
		    20, (int64_t)admission_limit(&a) * MS(2), admission_limit(&a));
		if (i > 50)
			assert_in_range(admission_limit(&a), 20, 28);
	}
}

static void
test_a_few_answers_are_judged_by_after_a_while(void **state)
{
	(void)state;
	for (int i = 0; i < 9; i++) {
		assert_false(admission_answered(&a, &bounds, now_us, MS(80), 1));
		now_us += MS(110);
	}
	assert_true(admission_answered(&a, &bounds, now_us + MS(10), MS(80), 1));
	assert_int_equal(admission_limit(&a), 90);
}

static void
test_answers_that_do_not_come_shrink_it(void **state)
{
	(void)state;
	assert_false(admission_late(&a, &bounds, now_us));
	assert_false(admission_late(&a, &bounds, now_us + MS(99)));
	assert_true(admission_late(&a, &bounds, now_us + MS(100)));
	assert_int_equal(admission_limit(&a), 90);
	/* Together with answers that were quick. */
	assert_false(admission_late(&a, &bounds, now_us + MS(101)));
	assert_true(admission_answered(&a, &bounds, now_us + MS(200), MS(1), 90));
	assert_int_equal(admission_limit(&a), 81);
}

static void
test_without_a_target_it_is_fixed(void **state)
{
	(void)state;
	const struct admission_bounds fixed = { 4, 100, 0, MS(100) };

	for (int i = 0; i < 100; i++) {
		now_us += MS(20);
		assert_false(admission_answered(&a, &fixed, now_us, MS(10000), 100));
		assert_false(admission_late(&a, &fixed, now_us));
	}
	assert_int_equal(admission_limit(&a), 100);
	/* But it is known how long they take. */
	assert_int_equal(a.latency_us, MS(10000));
}

static void
test_a_limit_below_one_lets_one_through(void **state)
{
	(void)state;
	const struct admission_bounds none = { 0, 0, MS(50), MS(100) };

	admission_init(&a, &none);
	assert_int_equal(admission_limit(&a), 1);
}

static void
test_who_may_wait(void **state)
{
	(void)state;
	/* Nothing is known: everybody. */
	assert_true(admission_may_wait(&a, &bounds, 1000000, HTTPC_LOW));
	/* A hundred at a time take 10 ms: ten wait 1 ms, a thousand all of the time. */
	(void)window(20, MS(10), 1);
	assert_true(admission_may_wait(&a, &bounds, 499, HTTPC_LOW));
	assert_false(admission_may_wait(&a, &bounds, 500, HTTPC_LOW));
	assert_true(admission_may_wait(&a, &bounds, 749, HTTPC_NORMAL));
	assert_false(admission_may_wait(&a, &bounds, 750, HTTPC_NORMAL));
	assert_true(admission_may_wait(&a, &bounds, 999, HTTPC_HIGH));
	assert_false(admission_may_wait(&a, &bounds, 1000, HTTPC_HIGH));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_it_begins_with_all_there_is, begin),
		cmocka_unit_test_setup(
		    test_it_shrinks_while_answers_take_too_long, begin),
		cmocka_unit_test_setup(test_it_grows_when_it_is_used, begin),
		cmocka_unit_test_setup(test_it_settles_at_the_target, begin),
		cmocka_unit_test_setup(
		    test_a_few_answers_are_judged_by_after_a_while, begin),
		cmocka_unit_test_setup(test_answers_that_do_not_come_shrink_it, begin),
		cmocka_unit_test_setup(test_without_a_target_it_is_fixed, begin),
		cmocka_unit_test_setup(test_a_limit_below_one_lets_one_through, begin),
		cmocka_unit_test_setup(test_who_may_wait, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
