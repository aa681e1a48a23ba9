/* What is believed of one server: checks, ejections, the slow start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/upstream/server_rules.h"

static const struct server_limits limits = {
	.rise = 2,
	.fall = 3,
	.failures = 2,
	.eject_us = 100,
	.eject_max_us = 250,
	.slow_start_us = 1000,
};

static void
test_checks_in_a_row_change_it(void **state)
{
	(void)state;
	struct server_belief s = { 0 };

	assert_false(server_checked(&s, &limits, true, 1));
	assert_false(server_checked(&s, &limits, false, 2));
	assert_false(server_checked(&s, &limits, false, 3));
	assert_false(server_checked(&s, &limits, true, 4)); /* not in a row */
	assert_false(server_checked(&s, &limits, false, 5));
	assert_false(server_checked(&s, &limits, false, 6));
	assert_true(server_is_usable(&s, 6));
	assert_true(server_checked(&s, &limits, false, 7));
	assert_false(server_is_usable(&s, 7));
	assert_false(server_checked(&s, &limits, false, 8));
	assert_false(server_checked(&s, &limits, true, 9));
	assert_false(server_checked(&s, &limits, false, 10));
	assert_false(server_checked(&s, &limits, true, 11));
	assert_true(server_checked(&s, &limits, true, 12));
	assert_true(server_is_usable(&s, 12));
	assert_int_equal(s.since_us, 12);
}

static bool
fail_twice(struct server_belief *s, int64_t now_us)
{
	assert_false(server_failed(s, &limits, true, now_us));
	return server_failed(s, &limits, true, now_us);
}

static void
test_calls_in_a_row_eject_it(void **state)
{
	(void)state;
	struct server_belief s = { 0 };

	assert_false(server_failed(&s, &limits, true, 1000));
	server_succeeded(&s, 1000);
	assert_true(fail_twice(&s, 1000));
	assert_true(server_is_ejected(&s, 1099));
	assert_false(server_is_usable(&s, 1099));
	assert_false(server_failed(&s, &limits, true, 1050)); /* of a call from before */
	assert_true(server_is_usable(&s, 1100));
}

static void
test_each_time_is_longer_until_it_is_forgiven(void **state)
{
	(void)state;
	struct server_belief s = { 0 };

	assert_true(fail_twice(&s, 1000));
	assert_true(fail_twice(&s, 1100));
	assert_int_equal(s.ejected_until_us, 1300);
	assert_true(fail_twice(&s, 1300));
	assert_int_equal(s.ejected_until_us, 1550); /* the longest */
	server_succeeded(&s, 1799);
	assert_int_equal(s.ejections, 3);
	server_succeeded(&s, 1800);
	assert_true(fail_twice(&s, 1801));
	assert_int_equal(s.ejected_until_us, 1901);
}

static void
test_it_stays_when_too_many_are_out(void **state)
{
	(void)state;
	struct server_belief s = { 0 };

	for (int i = 0; i < 10; i++)
		assert_false(server_failed(&s, &limits, false, 1000));
	assert_true(server_is_usable(&s, 1000));
	assert_true(server_failed(&s, &limits, true, 1000));

	assert_false(server_may_eject(0, 1));
	assert_true(server_may_eject(0, 2));
	assert_false(server_may_eject(1, 2));
	assert_false(server_may_eject(1, 3));
	assert_true(server_may_eject(1, 4));
}

static void
test_who_comes_starts_slowly(void **state)
{
	(void)state;
	struct server_belief s = { .since_us = 5000 };
	const struct server_limits none = { 0 };

	assert_float_equal(server_warmth(&s, &limits, 4000), 0.1, 1e-9);
	assert_float_equal(server_warmth(&s, &limits, 5000), 0.1, 1e-9);
	assert_float_equal(server_warmth(&s, &limits, 5500), 0.55, 1e-9);
	assert_float_equal(server_warmth(&s, &limits, 6000), 1, 1e-9);
	assert_float_equal(server_warmth(&s, &none, 5000), 1, 1e-9);
}

static void
test_who_was_ejected_starts_slowly(void **state)
{
	(void)state;
	struct server_belief s = { 0 };

	assert_true(fail_twice(&s, 10000));
	assert_float_equal(server_warmth(&s, &limits, 10100), 0.1, 1e-9);
	assert_float_equal(server_warmth(&s, &limits, 11100), 1, 1e-9);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checks_in_a_row_change_it),
		cmocka_unit_test(test_calls_in_a_row_eject_it),
		cmocka_unit_test(test_each_time_is_longer_until_it_is_forgiven),
		cmocka_unit_test(test_it_stays_when_too_many_are_out),
		cmocka_unit_test(test_who_comes_starts_slowly),
		cmocka_unit_test(test_who_was_ejected_starts_slowly),
	};
	return cmocka_run_group_tests_name("server_rules", tests, NULL, NULL);
}
