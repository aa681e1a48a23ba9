/* The circuit breaker, without a clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/breaker.h"

enum {
	THRESHOLD = 3,
	INTERVAL = 1000
};

static struct breaker
make(void)
{
	struct breaker b;

	breaker_init(&b, THRESHOLD, INTERVAL);
	return b;
}

static void
test_stays_closed_while_failures_are_mixed(void **state)
{
	(void)state;
	struct breaker b = make();

	for (int64_t now = 0; now < 100; now++) {
		assert_true(breaker_allow(&b, now));
		if (now % THRESHOLD == 0)
			breaker_success(&b);
		else
			breaker_failure(&b, now);
		assert_int_equal(b.state, BREAKER_CLOSED);
	}
}

static void
test_opens_after_failures_in_a_row(void **state)
{
	(void)state;
	struct breaker b = make();

	for (int i = 0; i < THRESHOLD; i++) {
		assert_true(breaker_allow(&b, i));
		breaker_failure(&b, i);
	}
	assert_int_equal(b.state, BREAKER_OPEN);
	assert_false(breaker_allow(&b, THRESHOLD));
}

static void
test_trip_opens_at_once(void **state)
{
	(void)state;
	struct breaker b = make();

	breaker_trip(&b, 50);
	assert_int_equal(b.state, BREAKER_OPEN);
	assert_false(breaker_allow(&b, 50 + INTERVAL - 1));
	assert_true(breaker_allow(&b, 50 + INTERVAL));
}

static void
test_one_probe_at_a_time(void **state)
{
	(void)state;
	struct breaker b = make();

	breaker_trip(&b, 0);
	assert_true(breaker_allow(&b, INTERVAL));
	assert_int_equal(b.state, BREAKER_HALF_OPEN);
	assert_false(breaker_allow(&b, INTERVAL));
	assert_false(breaker_allow(&b, 2 * INTERVAL - 1));
}

static void
test_a_good_probe_closes_it(void **state)
{
	(void)state;
	struct breaker b = make();

	breaker_trip(&b, 0);
	assert_true(breaker_allow(&b, INTERVAL));
	breaker_success(&b);
	assert_int_equal(b.state, BREAKER_CLOSED);
	assert_true(breaker_allow(&b, INTERVAL));
	/* And it counts from zero again. */
	breaker_failure(&b, INTERVAL);
	breaker_failure(&b, INTERVAL);
	assert_int_equal(b.state, BREAKER_CLOSED);
	breaker_failure(&b, INTERVAL);
	assert_int_equal(b.state, BREAKER_OPEN);
}

static void
test_a_bad_probe_opens_it_again(void **state)
{
	(void)state;
	struct breaker b = make();

	breaker_trip(&b, 0);
	assert_true(breaker_allow(&b, INTERVAL));
	breaker_failure(&b, INTERVAL + 10);
	assert_int_equal(b.state, BREAKER_OPEN);
	assert_false(breaker_allow(&b, 2 * INTERVAL + 9));
	assert_true(breaker_allow(&b, 2 * INTERVAL + 10));
}

/* Its caller may have gone away without a word. */
static void
test_a_lost_probe_is_followed_by_another(void **state)
{
	(void)state;
	struct breaker b = make();

	breaker_trip(&b, 0);
	assert_true(breaker_allow(&b, INTERVAL));
	assert_true(breaker_allow(&b, 2 * INTERVAL));
	assert_false(breaker_allow(&b, 2 * INTERVAL + 1));
	breaker_success(&b);
	assert_int_equal(b.state, BREAKER_CLOSED);
}

/* Calls that were under way when it opened end one after the other. */
static void
test_late_results_change_nothing_while_open(void **state)
{
	(void)state;
	struct breaker b = make();

	breaker_trip(&b, 0);
	breaker_success(&b);
	assert_int_equal(b.state, BREAKER_OPEN);
	for (int64_t now = 1; now < INTERVAL; now++)
		breaker_failure(&b, now);
	assert_true(breaker_allow(&b, INTERVAL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stays_closed_while_failures_are_mixed),
		cmocka_unit_test(test_opens_after_failures_in_a_row),
		cmocka_unit_test(test_trip_opens_at_once),
		cmocka_unit_test(test_one_probe_at_a_time),
		cmocka_unit_test(test_a_good_probe_closes_it),
		cmocka_unit_test(test_a_bad_probe_opens_it_again),
		cmocka_unit_test(test_a_lost_probe_is_followed_by_another),
		cmocka_unit_test(test_late_results_change_nothing_while_open),
	};
	return cmocka_run_group_tests_name("breaker", tests, NULL, NULL);
}
