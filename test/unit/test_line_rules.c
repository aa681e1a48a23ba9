/* The rules of a line: places, who is active, and promises that never get worse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "queue/line_rules.h"

static const uint8_t seed_a[LINE_SEED_SIZE] = { 1, 2, 3 };
static const uint8_t seed_b[LINE_SEED_SIZE] = { 1, 2, 4 };

static void
test_modes(void **state)
{
	enum line_mode mode;

	(void)state;
	for (enum line_mode m = LINE_FIFO; m <= LINE_CLOSED; m++) {
		assert_true(line_mode_parse(str_of(line_mode_name(m)), &mode));
		assert_int_equal(mode, m);
	}
	assert_false(line_mode_parse(STR("lifo"), &mode));
}

/* Every place once, for every size that is near a power of two, and for one that is not.
 */
static void
test_permutation_is_one(void **state)
{
	static const int64_t counts[] = { 1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 255, 257,
		1000, 4096, 10007 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		char *met = calloc((size_t)counts[i] + 1, 1);

		for (int64_t t = 1; t <= counts[i]; t++) {
			int64_t place = line_permute(seed_a, counts[i], t);

			assert_in_range(place, 1, counts[i]);
			assert_int_equal(met[place]++, 0);
		}
		free(met);
	}
}

static void
test_permutation_follows_the_seed(void **state)
{
	int same = 0, moved = 0;

	(void)state;
	for (int64_t t = 1; t <= 1000; t++) {
		same += line_permute(seed_a, 1000, t) == line_permute(seed_b, 1000, t);
		moved += line_permute(seed_a, 1000, t) != t;
	}
	assert_true(same < 20);
	assert_true(moved > 980);
}

static void
test_places(void **state)
{
	struct line_view v = { .mode = LINE_RANDOM, .shuffled = 100, .open = false };

	(void)state;
	memcpy(v.seed, seed_a, sizeof(seed_a));
	assert_int_equal(line_place(&v, 7), 0);
	v.open = true;
	assert_int_equal(line_place(&v, 7), line_permute(seed_a, 100, 7));
	assert_int_equal(line_place(&v, 101), 101);
	/* A change of the mode moves nobody. */
	v.mode = LINE_FIFO;
	assert_int_equal(line_place(&v, 7), line_permute(seed_a, 100, 7));
}

static void
test_status(void **state)
{
	static const uint8_t gone[] = { 0x40 }; /* place 17 */
	struct line_view v = { .next = 100,
		.serving = 20,
		.floor = 10,
		.open = true,
		.gone = gone,
		.gone_size = 1,
		.gone_from = 2 };

	(void)state;
	assert_int_equal(line_status_of(&v, 0), LINE_WAITING);
	assert_int_equal(line_status_of(&v, 10), LINE_EXPIRED);
	assert_int_equal(line_status_of(&v, 11), LINE_ACTIVE);
	assert_int_equal(line_status_of(&v, 16), LINE_ACTIVE);
	assert_int_equal(line_status_of(&v, 17), LINE_EXPIRED);
	assert_int_equal(line_status_of(&v, 18), LINE_ACTIVE);
	assert_int_equal(line_status_of(&v, 20), LINE_ACTIVE);
	assert_int_equal(line_status_of(&v, 21), LINE_WAITING);
	v.mode = LINE_PASSTHROUGH;
	assert_int_equal(line_status_of(&v, 99), LINE_ACTIVE);
}

#define SIXTEEN "0:1,1:2,2:3,3:4,4:5,5:6,6:7,7:8,8:9,9:1,10:1,11:1,12:1,13:1,14:1,15:1"

static void
test_pairs(void **state)
{
	static const char *const good[] = { "", "0:1", "7:9,10:11", SIXTEEN,
		"9223372036854775807:9223372036854775807" };
	static const char *const bad[] = { ",", "1", "1:", ":1", "1:2,", "1:2,,3:4",
		"-1:2", "1:2:3", "x:1", SIXTEEN ",16:1" };
	char text[LINE_PAIRS_TEXT_MAX];
	struct line_pairs pairs;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(line_pairs_parse(str_of(good[i]), &pairs));
		line_pairs_print(&pairs, text);
		assert_string_equal(text, good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(line_pairs_parse(str_of(bad[i]), &pairs));
	/* The longest there can be. */
	pairs.count = LINE_PAIRS_MAX;
	for (size_t i = 0; i < LINE_PAIRS_MAX; i++)
		pairs.at[i].after = pairs.at[i].value = INT64_MAX;
	line_pairs_print(&pairs, text);
	assert_int_equal(strlen(text), LINE_PAIRS_MAX * 40 - 1);
}

static void
test_promises(void **state)
{
	struct line_view v = { .next = 1000, .open = true };
	int64_t before = INT64_MAX;

	(void)state;
	assert_int_equal(line_remaining_s(&v, 1), 1000); /* nothing is known */
	v.paces = (struct line_pairs){ .count = 1, .at = { { 0, 2500 } } };
	assert_int_equal(line_position(&v, 10), 10);
	assert_int_equal(line_remaining_s(&v, 0), 0);
	assert_int_equal(line_remaining_s(&v, 1), 1);
	assert_int_equal(line_remaining_s(&v, 10), 4);
	assert_int_equal(line_remaining_s(&v, 11), 5);
	v.opens_s = 60;
	assert_int_equal(line_remaining_s(&v, 10), 64);
	v.opens_s = 0;
	/* Whatever the numbers do, as long as they only grow. */
	while (v.serving < 500) {
		int64_t remaining = line_remaining_s(&v, 480);

		assert_true(remaining <= before);
		before = remaining;
		v.serving += v.serving % 7;
		v.serving++;
		v.paces.at[0].value += v.serving % 3;
	}
	assert_int_equal(before, 0);
}

static void
test_promises_are_made_when_the_ticket_is_given(void **state)
{
	const struct line_view v = {
		.paces = { .count = 3, .at = { { 0, 4000 }, { 100, 2000 }, { 200, 0 } } }
	};

	(void)state;
	assert_int_equal(line_pace(&v, 1), 4000);
	assert_int_equal(line_pace(&v, 100), 4000);
	assert_int_equal(line_pace(&v, 101), 2000);
	assert_int_equal(line_pace(&v, 200), 2000);
	assert_int_equal(line_pace(&v, 201), 1);
	assert_int_equal(line_remaining_s(&v, 100), 25);
	assert_int_equal(line_remaining_s(&v, 101), 51);
}

static void
test_nobody_waits_for_a_hole(void **state)
{
	struct line_view v = { .holes = { .count = 2,
				   .at = { { 100, 1100 }, { 1200, 1300 } } } };
	int64_t behind_one = INT64_MAX, behind_both = INT64_MAX;

	(void)state;
	assert_int_equal(line_position(&v, 100), 100);
	assert_int_equal(line_position(&v, 105), 105); /* in it, with a pass */
	assert_int_equal(line_position(&v, 1101), 101);
	assert_int_equal(line_position(&v, 1200), 200);
	assert_int_equal(line_position(&v, 1301), 201);
	assert_false(line_in_hole(&v, 100));
	assert_true(line_in_hole(&v, 101));
	assert_true(line_in_hole(&v, 1100));
	assert_false(line_in_hole(&v, 1101));
	assert_true(line_in_hole(&v, 1300));
	for (; v.serving <= 1302; v.serving++) {
		assert_true(line_position(&v, 1150) <= behind_one);
		assert_true(line_position(&v, 1302) <= behind_both);
		behind_one = line_position(&v, 1150);
		behind_both = line_position(&v, 1302);
	}
	assert_int_equal(behind_both, 0);
}

static void
test_health(void **state)
{
	int64_t health = LINE_HEALTHY;

	(void)state;
	assert_int_equal(line_health(1000, true, 0), 1000);
	assert_int_equal(line_health(1000, true, 250000), 1000);
	assert_int_equal(line_health(1000, true, 625000), 550);
	assert_int_equal(line_health(1000, true, 1000000), 500); /* by half at most */
	assert_int_equal(line_health(150, true, 5000000), 100);
	assert_int_equal(line_health(1000, false, 0), 500);
	assert_int_equal(line_health(300, false, 0), 150);
	assert_int_equal(
	    line_health(150, false, 0), 0); /* nothing worth a step is left */
	assert_int_equal(line_health(0, true, 0), 100);
	assert_int_equal(line_health(950, true, 0), 1000);
	assert_int_equal(line_health(500, true, 625000), 550);
	for (int i = 0; i < 5; i++)
		health = line_health(health, false, 0);
	assert_int_equal(health, 0);
}

static void
test_steps(void **state)
{
	int64_t before = 0;

	(void)state;
	assert_int_equal(line_step(0), 0);
	assert_int_equal(line_step(99), 99);
	assert_int_equal(line_step(100), 100);
	assert_int_equal(line_step(109), 100);
	assert_int_equal(line_step(12345678), 12000000);
	for (int64_t position = 0; position < 20000; position++) {
		assert_true(line_step(position) >= before);
		before = line_step(position);
	}
}

static void
test_asking_again(void **state)
{
	(void)state;
	assert_int_equal(line_ask_again_ms(0), 1000);
	assert_int_equal(line_ask_again_ms(10), 1000);
	assert_int_equal(line_ask_again_ms(11), 2000);
	assert_int_equal(line_ask_again_ms(100), 2000);
	assert_int_equal(line_ask_again_ms(101), 5000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_permutation_is_one),
		cmocka_unit_test(test_permutation_follows_the_seed),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_promises),
		cmocka_unit_test(test_promises_are_made_when_the_ticket_is_given),
		cmocka_unit_test(test_nobody_waits_for_a_hole),
		cmocka_unit_test(test_health),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_asking_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
