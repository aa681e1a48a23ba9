/* Which server gets a call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/splitmix.h"
#include "gateway/upstream/pick_rules.h"

enum {
	DRAWS = 20000
};

static void
draw(const struct candidate *candidates, size_t count, int *won)
{
	uint64_t random = 1;

	memset(won, 0, count * sizeof(*won));
	for (int i = 0; i < DRAWS; i++)
		won[pick_by_load(candidates, count, splitmix64_next(&random))]++;
}

static void
assert_near(int got, int want)
{
	assert_in_range(got, want - want / 10 - 1, want + want / 10 + 1);
}

static void
test_one_is_the_one(void **state)
{
	(void)state;
	const struct candidate one = { .weight = 1, .pending = 9, .id = 7 };

	assert_int_equal(pick_by_load(&one, 1, 12345), 0);
	assert_int_equal(pick_by_key(&one, 1, 12345), 0);
}

static void
test_idle_servers_share_by_weight(void **state)
{
	(void)state;
	const struct candidate two[] = { { .weight = 1 }, { .weight = 3 } };
	const struct candidate four[] = { { .weight = 1 }, { .weight = 1 },
		{ .weight = 1 }, { .weight = 1 } };
	int won[4];

	draw(two, 2, won);
	assert_near(won[0], DRAWS / 4);
	draw(four, 4, won);
	for (int i = 0; i < 4; i++)
		assert_near(won[i], DRAWS / 4);
}

/* Both drawn are different ones: of two, the busier never wins. */
static void
test_the_one_with_less_to_do_wins(void **state)
{
	(void)state;
	const struct candidate two[] = { { .weight = 1, .pending = 3 },
		{ .weight = 1, .pending = 2 } };
	const struct candidate weighted[] = { { .weight = 1, .pending = 3 },
		{ .weight = 4, .pending = 8 } };
	const struct candidate three[] = { { .weight = 1, .pending = 5 },
		{ .weight = 1, .pending = 9 }, { .weight = 1, .pending = 7 } };
	int won[3];

	draw(two, 2, won);
	assert_int_equal(won[1], DRAWS);
	draw(weighted, 2, won);
	assert_int_equal(won[1], DRAWS);
	draw(three, 3, won);
	assert_int_equal(won[1], 0);
	assert_near(won[0], DRAWS * 2 / 3);
}

static void
test_a_key_keeps_its_server(void **state)
{
	(void)state;
	struct candidate all[5];
	size_t moved = 0, owned[5] = { 0 };

	for (uint64_t i = 0; i < 5; i++)
		all[i] = (struct candidate){ .weight = 1, .id = 100 + i };
	for (uint64_t key = 1; key <= 1000; key++) {
		size_t all_five = pick_by_key(all, 5, key);
		size_t first_four = pick_by_key(all, 4, key);

		assert_int_equal(pick_by_key(all, 5, key), all_five);
		owned[all_five]++;
		if (all_five != first_four) {
			assert_int_equal(all_five, 4); /* only the keys of who left */
			moved++;
		}
	}
	assert_int_equal(moved, owned[4]);
	for (int i = 0; i < 5; i++)
		assert_in_range(owned[i], 140, 260);
}

static void
test_a_key_weighs_weights(void **state)
{
	(void)state;
	const struct candidate two[] = { { .weight = 1, .id = 1 },
		{ .weight = 3, .id = 2 } };
	int heavy = 0;

	for (uint64_t key = 1; key <= 1000; key++)
		heavy += pick_by_key(two, 2, key) == 1;
	assert_in_range(heavy, 690, 810);
}

/* Ten are under way, a share is (10 + 1) / 2 and a quarter: 7 at most. */
static void
test_a_key_leaves_a_server_that_has_more_than_its_share(void **state)
{
	(void)state;
	struct candidate two[] = { { .weight = 1, .id = 1 }, { .weight = 1, .id = 2 } };
	uint64_t key = 1;

	while (pick_by_key(two, 2, key) != 0)
		key++;
	two[0].pending = 6;
	two[1].pending = 4;
	assert_int_equal(pick_by_key(two, 2, key), 0);
	two[0].pending = 7;
	two[1].pending = 3;
	assert_int_equal(pick_by_key(two, 2, key), 1);
}

static void
test_too_few_are_not_believed(void **state)
{
	(void)state;
	assert_false(pick_panics(2, 4, 0.5));
	assert_true(pick_panics(1, 4, 0.5));
	assert_true(pick_panics(0, 1, 0.5));
	assert_false(pick_panics(1, 1, 0.5));
	assert_false(pick_panics(1, 100, 0));
	assert_true(pick_panics(0, 100, 0));
}

static void
test_hashes_are_the_same_everywhere(void **state)
{
	(void)state;
	assert_true(pick_hash(STR("127.0.0.1:8081")) == pick_hash(STR("127.0.0.1:8081")));
	assert_true(pick_hash(STR("1")) != pick_hash(STR("2")));
	assert_true(pick_hash(STR("")) != 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_is_the_one),
		cmocka_unit_test(test_idle_servers_share_by_weight),
		cmocka_unit_test(test_the_one_with_less_to_do_wins),
		cmocka_unit_test(test_a_key_keeps_its_server),
		cmocka_unit_test(test_a_key_weighs_weights),
		cmocka_unit_test(test_a_key_leaves_a_server_that_has_more_than_its_share),
		cmocka_unit_test(test_too_few_are_not_believed),
		cmocka_unit_test(test_hashes_are_the_same_everywhere),
	};
	return cmocka_run_group_tests_name("pick_rules", tests, NULL, NULL);
}
