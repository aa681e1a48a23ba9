/* When a client is too slow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/pace_rules.h"

#define SECOND 1000000

static const struct pace_limits limits = { .rate = 500, .grace_us = 10 * SECOND };

static void
test_waiting_uses_it_up(void **state)
{
	int64_t credit = limits.grace_us;

	(void)state;
	for (int i = 1; i < 10; i++) {
		credit = pace_spend(credit, SECOND, 0, &limits);
		assert_int_equal(credit, (10 - i) * SECOND);
	}
	assert_int_equal(pace_spend(credit, SECOND, 0, &limits), 0);
	assert_int_equal(pace_spend(credit, 2 * SECOND, 0, &limits), -SECOND);
}

static void
test_the_rate_keeps_it(void **state)
{
	(void)state;
	assert_int_equal(pace_spend(3 * SECOND, SECOND, 500, &limits), 3 * SECOND);
	assert_int_equal(pace_spend(3 * SECOND, SECOND, 499, &limits), 3 * SECOND - 2000);
	assert_int_equal(pace_spend(3 * SECOND, SECOND, 1000, &limits), 4 * SECOND);
	assert_int_equal(pace_spend(3 * SECOND, SECOND / 2, 250, &limits), 3 * SECOND);
}

/* Who was fast has no more time than others to stand still. */
static void
test_it_is_never_more_than_the_grace(void **state)
{
	(void)state;
	assert_int_equal(pace_spend(10 * SECOND, SECOND, 501, &limits), 10 * SECOND);
	assert_int_equal(pace_spend(9 * SECOND, SECOND, 1 << 30, &limits), 10 * SECOND);
	assert_int_equal(pace_spend(-SECOND, SECOND, UINT64_MAX, &limits), 10 * SECOND);
}

static void
test_the_widest_limits(void **state)
{
	const struct pace_limits wide = { .rate = 1000000000,
		.grace_us = INT64_C(3600) * SECOND };

	(void)state;
	assert_int_equal(
	    pace_spend(SECOND, INT64_C(3600) * SECOND, UINT64_C(3600000000000), &wide),
	    SECOND);
	assert_int_equal(
	    pace_spend(SECOND, INT64_C(3600) * SECOND, UINT64_MAX, &wide), wide.grace_us);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waiting_uses_it_up),
		cmocka_unit_test(test_the_rate_keeps_it),
		cmocka_unit_test(test_it_is_never_more_than_the_grace),
		cmocka_unit_test(test_the_widest_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
