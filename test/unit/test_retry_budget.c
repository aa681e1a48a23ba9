/* How many calls may be sent a second time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "gateway/upstream/retry_budget.h"

#define SEC(n) ((n)*CLOCK_US_PER_SEC)

static int
take_all(struct retry_budget *b, int64_t now_us)
{
	int taken = 0;

	while (retry_budget_take(b, now_us))
		assert_true(++taken < 10000);
	return taken;
}

static void
calls(struct retry_budget *b, int count, int64_t now_us)
{
	for (int i = 0; i < count; i++)
		retry_budget_call(b, now_us);
}

static void
test_a_quiet_service_has_the_floor(void **state)
{
	(void)state;
	struct retry_budget b;

	retry_budget_init(&b, 0.2, 3);
	assert_int_equal(take_all(&b, SEC(1000)), 30);
	assert_int_equal(take_all(&b, SEC(1009)), 0);
	assert_int_equal(take_all(&b, SEC(1010)), 30);
}

static void
test_a_busy_one_has_its_share(void **state)
{
	(void)state;
	struct retry_budget b;

	retry_budget_init(&b, 0.2, 0);
	assert_int_equal(take_all(&b, SEC(1)), 0);
	calls(&b, 100, SEC(1));
	assert_int_equal(take_all(&b, SEC(2)), 20);
	calls(&b, 50, SEC(5));
	assert_int_equal(take_all(&b, SEC(5)), 10);
	/* The first hundred have left the window, their twenty retries have not. */
	assert_int_equal(take_all(&b, SEC(11)), 0);
	calls(&b, 150, SEC(11));
	assert_int_equal(take_all(&b, SEC(11)), 10);
	assert_int_equal(take_all(&b, SEC(14)), 20); /* so have the twenty */
}

static void
test_without_share_and_floor_there_is_none(void **state)
{
	(void)state;
	struct retry_budget b;

	retry_budget_init(&b, 0, 0);
	calls(&b, 1000, SEC(7));
	assert_int_equal(take_all(&b, SEC(7)), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_quiet_service_has_the_floor),
		cmocka_unit_test(test_a_busy_one_has_its_share),
		cmocka_unit_test(test_without_share_and_floor_there_is_none),
	};
	return cmocka_run_group_tests_name("retry_budget", tests, NULL, NULL);
}
