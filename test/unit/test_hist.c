/* The latency histogram. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/hist.h"

static struct hist h, other;

static int
clear(void **state)
{
	(void)state;
	memset(&h, 0, sizeof(h));
	memset(&other, 0, sizeof(other));
	return 0;
}

static void
test_empty(void **state)
{
	(void)state;
	assert_int_equal(hist_quantile(&h, 0.5), 0);
	assert_int_equal(hist_quantile(&h, 1), 0);
	assert_int_equal(hist_max(&h), 0);
}

static void
test_small_values_are_exact(void **state)
{
	(void)state;
	for (int64_t us = 1; us <= 100; us++)
		hist_add(&h, us);
	assert_int_equal(hist_quantile(&h, 0), 1);
	assert_int_equal(hist_quantile(&h, 0.01), 1);
	assert_int_equal(hist_quantile(&h, 0.5), 50);
	assert_int_equal(hist_quantile(&h, 0.95), 95);
	assert_int_equal(hist_quantile(&h, 0.99), 99);
	assert_int_equal(hist_quantile(&h, 1), 100);
	assert_int_equal(hist_max(&h), 100);
}

/* Around every power of two, where the buckets change their width. */
static void
test_error_is_at_most_a_64th(void **state)
{
	(void)state;
	for (int bit = 0; bit < HIST_MAX_BITS; bit++) {
		for (int64_t off = -3; off <= 3; off++) {
			int64_t us = (INT64_C(1) << bit) + off, got;

			if (us < 0 || us >= INT64_C(1) << HIST_MAX_BITS)
				continue;
			clear(state);
			hist_add(&h, us);
			hist_add(&h, INT64_MAX);
			got = hist_quantile(&h, 0.5);
			assert_true(got >= us && got - us <= us / 64);
		}
	}
}

static void
test_bounds_are_kept(void **state)
{
	(void)state;
	hist_add(&h, -5);
	hist_add(&h, INT64_MAX);
	assert_int_equal(hist_quantile(&h, 0.5), 0);
	assert_true(hist_max(&h) == (INT64_C(1) << HIST_MAX_BITS) - 1);
	assert_true(hist_quantile(&h, 1) == hist_max(&h));
}

static void
test_never_reports_more_than_the_largest(void **state)
{
	(void)state;
	hist_add(&h, 1000001);
	assert_int_equal(hist_quantile(&h, 0.99), 1000001);
}

static void
test_merge_is_as_if_all_went_into_one(void **state)
{
	(void)state;
	static struct hist all;

	for (int64_t i = 0, us = 1; i < 5000; i++, us = us * 7919 % 1000003) {
		hist_add(i % 3 == 0 ? &h : &other, us);
		hist_add(&all, us);
	}
	hist_merge(&h, &other);
	assert_memory_equal(&h, &all, sizeof(all));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_empty, clear),
		cmocka_unit_test_setup(test_small_values_are_exact, clear),
		cmocka_unit_test_setup(test_error_is_at_most_a_64th, clear),
		cmocka_unit_test_setup(test_bounds_are_kept, clear),
		cmocka_unit_test_setup(test_never_reports_more_than_the_largest, clear),
		cmocka_unit_test_setup(test_merge_is_as_if_all_went_into_one, clear),
	};
	return cmocka_run_group_tests_name("hist", tests, NULL, NULL);
}
