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

static void
test_promises(void **state)
{
	struct line_view v = { .next = 1000, .pace = 2500, .open = true };
	int64_t before = INT64_MAX;

	(void)state;
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
		int64_t remaining = line_remaining_s(&v, line_position(&v, 480));

		assert_true(remaining <= before);
		before = remaining;
		v.serving += v.serving % 7;
		v.serving++;
		v.pace += v.serving % 3;
	}
	assert_int_equal(before, 0);
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
		cmocka_unit_test(test_promises),
		cmocka_unit_test(test_asking_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
