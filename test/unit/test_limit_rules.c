/* The arithmetic of rate limits: what is granted in any stretch of time, what is left,
 * how long to wait, debts, and what a copy learns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/limits/limit_rules.h"

#define SEC(n) ((n)*INT64_C(1000000000))
#define NOW    SEC(1000)

static int64_t
take_all(const struct limit_rate *rate, int64_t now_ns, int64_t *full_ns)
{
	int64_t count = 0;

	while (limit_take(rate, now_ns, full_ns))
		assert_true(++count < 10000000);
	return count;
}

static void
test_a_full_bucket_gives_its_burst_at_once(void **state)
{
	(void)state;
	struct limit_rate rate = limit_rate_of(10, 25);
	int64_t full_ns = 0;

	assert_int_equal(limit_left(&rate, NOW, full_ns), 25);
	assert_int_equal(limit_wait_ns(&rate, NOW, full_ns), 0);
	assert_int_equal(take_all(&rate, NOW, &full_ns), 25);
	assert_int_equal(limit_left(&rate, NOW, full_ns), 0);
	assert_int_equal(limit_wait_ns(&rate, NOW, full_ns), SEC(1) / 10);
	assert_int_equal(full_ns, NOW + SEC(5) / 2);
}

static void
test_it_fills_at_its_rate_and_no_further(void **state)
{
	(void)state;
	struct limit_rate rate = limit_rate_of(10, 5);
	int64_t full_ns = 0;

	assert_int_equal(take_all(&rate, NOW, &full_ns), 5);
	assert_int_equal(take_all(&rate, NOW + SEC(1) / 10 - 1, &full_ns), 0);
	assert_int_equal(take_all(&rate, NOW + SEC(1) / 10, &full_ns), 1);
	assert_int_equal(take_all(&rate, NOW + SEC(3) / 10, &full_ns), 2);
	assert_int_equal(take_all(&rate, NOW + SEC(100), &full_ns), 5);
}

/* Whatever the rate, whoever asks all the time gets the burst and the rate, not one more;
 * and at most one less for what the rounding takes. */
static void
test_nothing_is_granted_beyond_the_rate(void **state)
{
	(void)state;
	static const int64_t rates[] = { 1, 3, 7, 999, 1000, 99999, LIMIT_RATE_MAX };

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct limit_rate rate = limit_rate_of(rates[i], 2);
		int64_t full_ns = 0, granted = 0, steps = 5 * rates[i];

		for (int64_t step = 0; step <= steps; step++)
			granted += take_all(&rate, NOW + step * SEC(5) / steps, &full_ns);
		assert_true(granted <= 2 + 5 * rates[i]);
		assert_true(granted >= 2 + 5 * rates[i] - 1 - rates[i] / 1000);
	}
}

static void
test_what_is_given_back_can_be_taken_again(void **state)
{
	(void)state;
	struct limit_rate rate = limit_rate_of(1, 2);
	int64_t full_ns = 0;

	assert_int_equal(take_all(&rate, NOW, &full_ns), 2);
	limit_give_back(&rate, &full_ns);
	assert_int_equal(take_all(&rate, NOW, &full_ns), 1);
}

static void
test_a_debt_is_paid_first(void **state)
{
	(void)state;
	struct limit_rate rate = limit_rate_of(10, 5);
	int64_t full_ns = 0;

	limit_charge(&rate, NOW, 8, &full_ns);
	assert_int_equal(limit_left(&rate, NOW, full_ns), 0);
	assert_int_equal(limit_wait_ns(&rate, NOW, full_ns), SEC(4) / 10);
	assert_int_equal(take_all(&rate, NOW + SEC(4) / 10 - 1, &full_ns), 0);
	assert_int_equal(take_all(&rate, NOW + SEC(4) / 10, &full_ns), 1);
	/* On top of what is missing already, not of now. */
	limit_charge(&rate, NOW + SEC(4) / 10, 1, &full_ns);
	assert_int_equal(take_all(&rate, NOW + SEC(5) / 10, &full_ns), 0);
	assert_int_equal(take_all(&rate, NOW + SEC(6) / 10, &full_ns), 1);
}

static void
test_a_copy_learns_what_others_took_and_forgets_nothing(void **state)
{
	(void)state;
	struct limit_rate rate = limit_rate_of(10, 10);
	int64_t full_ns = 0;

	/* All together took six; one was taken here since. */
	limit_learn(&rate, NOW, 6 * rate.interval_ns, 1, &full_ns);
	assert_int_equal(limit_left(&rate, NOW, full_ns), 3);
	/* Who says that it is full has forgotten. */
	limit_learn(&rate, NOW, 0, 0, &full_ns);
	assert_int_equal(limit_left(&rate, NOW, full_ns), 3);
}

static void
test_seconds_are_rounded_up(void **state)
{
	(void)state;
	assert_int_equal(limit_seconds(0), 1);
	assert_int_equal(limit_seconds(1), 1);
	assert_int_equal(limit_seconds(SEC(1)), 1);
	assert_int_equal(limit_seconds(SEC(1) + 1), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_full_bucket_gives_its_burst_at_once),
		cmocka_unit_test(test_it_fills_at_its_rate_and_no_further),
		cmocka_unit_test(test_nothing_is_granted_beyond_the_rate),
		cmocka_unit_test(test_what_is_given_back_can_be_taken_again),
		cmocka_unit_test(test_a_debt_is_paid_first),
		cmocka_unit_test(test_a_copy_learns_what_others_took_and_forgets_nothing),
		cmocka_unit_test(test_seconds_are_rounded_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
