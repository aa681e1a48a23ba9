/* What a request for seats must be, and the memory of seats that are taken. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/die.h"
#include "reservation/hold_rules.h"
#include "reservation/taken.h"

static void
seats_are_sorted(void **state UNUSED)
{
	struct hold_seats seats = { { 3, INT64_MAX, 1, 2 }, 4 };

	assert_true(hold_seats_sort(&seats));
	assert_int_equal(seats.ids[0], 1);
	assert_int_equal(seats.ids[2], 3);
	assert_true(seats.ids[3] == INT64_MAX);
}

static void
one_seat_is_sorted(void **state UNUSED)
{
	struct hold_seats seats = { { 7 }, 1 };

	assert_true(hold_seats_sort(&seats));
	assert_int_equal(seats.ids[0], 7);
}

static void
a_seat_that_is_there_twice_is_refused(void **state UNUSED)
{
	struct hold_seats beside = { { 1, 5, 5 }, 3 }, apart = { { 5, 1, 5 }, 3 };

	assert_false(hold_seats_sort(&beside));
	assert_false(hold_seats_sort(&apart));
}

static void
the_hash_is_of_user_and_seats(void **state UNUSED)
{
	const struct hold_seats a = { { 1, 2 }, 2 }, b = { { 1, 3 }, 2 },
				c = { { 1 }, 1 };
	int64_t hash = hold_content_hash(7, &a);

	assert_true(hash == hold_content_hash(7, &a));
	assert_true(hash != hold_content_hash(8, &a));
	assert_true(hash != hold_content_hash(7, &b));
	assert_true(hash != hold_content_hash(7, &c));
}

static void
a_seat_is_taken_until_its_time(void **state UNUSED)
{
	struct taken *t = taken_new();

	assert_false(taken_has(t, 5, 0));
	taken_put(t, 5, 100);
	assert_true(taken_has(t, 5, 99));
	assert_false(taken_has(t, 5, 100));
	assert_false(taken_has(t, 6, 99));
	taken_put(t, 5, 200);
	assert_true(taken_has(t, 5, 150));
	taken_free(t);
	taken_free(NULL);
}

static void
a_seat_in_the_same_place_takes_it_over(void **state UNUSED)
{
	struct taken *t = taken_new();

	taken_put(t, 5, 100);
	taken_put(t, 5 + (1 << 16), 100);
	assert_false(taken_has(t, 5, 50));
	assert_true(taken_has(t, 5 + (1 << 16), 50));
	taken_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seats_are_sorted),
		cmocka_unit_test(one_seat_is_sorted),
		cmocka_unit_test(a_seat_that_is_there_twice_is_refused),
		cmocka_unit_test(the_hash_is_of_user_and_seats),
		cmocka_unit_test(a_seat_is_taken_until_its_time),
		cmocka_unit_test(a_seat_in_the_same_place_takes_it_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
