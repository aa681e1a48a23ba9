/* How often a client may do what brings it nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/die.h"
#include "http/h2_rules.h"

enum {
	EACH_US = 1000
};
static const struct h2_rate rate = { EACH_US, 3 };

static void
test_a_burst_then_a_steady_rate(void **state UNUSED)
{
	struct h2_pace p = { 0 };
	int64_t now_us = 500;

	for (int i = 0; i < 3; i++)
		assert_true(h2_pace_take(&p, &rate, now_us));
	assert_false(h2_pace_take(&p, &rate, now_us));
	/* What was refused was taken all the same. */
	assert_false(h2_pace_take(&p, &rate, now_us + EACH_US));
	assert_true(h2_pace_take(&p, &rate, now_us + 3 * EACH_US));
	assert_false(h2_pace_take(&p, &rate, now_us + 3 * EACH_US));
}

static void
test_quiet_time_fills_no_more_than_the_burst(void **state UNUSED)
{
	struct h2_pace p = { 0 };

	assert_true(h2_pace_take(&p, &rate, 0));
	for (int i = 0; i < 3; i++)
		assert_true(h2_pace_take(&p, &rate, 1000 * EACH_US));
	assert_false(h2_pace_take(&p, &rate, 1000 * EACH_US));
}

static void
test_what_is_given_back_can_be_taken(void **state UNUSED)
{
	struct h2_pace p = { 0 };

	for (int i = 0; i < 3; i++)
		assert_true(h2_pace_take(&p, &rate, 0));
	h2_pace_give(&p, &rate, 2);
	assert_true(h2_pace_take(&p, &rate, 0));
	assert_true(h2_pace_take(&p, &rate, 0));
	assert_false(h2_pace_take(&p, &rate, 0));
	/* More than was taken is no savings for later. */
	h2_pace_give(&p, &rate, 100);
	for (int i = 0; i < 3; i++)
		assert_true(h2_pace_take(&p, &rate, 0));
	assert_false(h2_pace_take(&p, &rate, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_burst_then_a_steady_rate),
		cmocka_unit_test(test_quiet_time_fills_no_more_than_the_burst),
		cmocka_unit_test(test_what_is_given_back_can_be_taken),
	};

	return cmocka_run_group_tests_name("h2_rules", tests, NULL, NULL);
}
