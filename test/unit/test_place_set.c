/* Sets of places: each that was added, and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/die.h"
#include "gateway/passes/place_set.h"

static bool
has(const struct place_set *set, int64_t place)
{
	int64_t byte = place / 8 - set->from;

	return byte >= 0 && byte < (int64_t)set->size &&
	       (set->bits[byte] & 0x80 >> place % 8) != 0;
}

static void
test_what_was_added_is_in_it(void **state)
{
	static const int64_t places[] = { 1000, 1001, 999, 1000, 2000, 17, 8, 1007,
		1008 };
	struct place_set set = { 0 };
	int count = 0;

	(void)state;
	assert_false(has(&set, 0));
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		place_set_add(&set, places[i]);
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		assert_true(has(&set, places[i]));
	for (int64_t place = 0; place < 3000; place++)
		count += has(&set, place);
	assert_int_equal(count, ARRAY_LEN(places) - 1); /* 1000 was there twice */
	place_set_clear(&set);
	assert_false(has(&set, 1000));
	place_set_add(&set, 5);
	assert_true(has(&set, 5));
	assert_int_equal(set.size, 1);
	place_set_fini(&set);
}

static void
test_it_has_an_end(void **state)
{
	const int64_t far = INT64_C(8) * PLACE_SET_MAX;
	struct place_set set = { 0 };

	(void)state;
	place_set_add(&set, INT64_MAX);
	place_set_add(&set, 1);
	assert_int_equal(set.size, 1);
	place_set_clear(&set);
	place_set_add(&set, far);
	place_set_add(&set, far + far - 1);
	place_set_add(&set, far + far);
	place_set_add(&set, far - 1);
	assert_int_equal(set.size, PLACE_SET_MAX);
	assert_true(has(&set, far) && has(&set, far + far - 1));
	place_set_fini(&set);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_added_is_in_it),
		cmocka_unit_test(test_it_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
