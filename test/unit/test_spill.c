/* Records that are brought together by key, in memory and through files. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "onrush/spill.h"

enum {
	KEYS = 5000,
	EACH = 3
};

struct record {
	uint64_t key;
	int64_t number;
};

/* What came back. */
struct seen {
	int times[KEYS]; /* records of this key */
	int runs[KEYS];  /* runs that had some of them */
	bool sorted;
};

static int
compare(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

static void
look(void *arg, const void *records, size_t count)
{
	const struct record *list = records;
	struct seen *seen = arg;

	for (size_t i = 0; i < count; i++) {
		seen->times[list[i].key]++;
		seen->runs[list[i].key] += i == 0 || list[i - 1].key != list[i].key;
		seen->sorted &= i == 0 || compare(&list[i - 1], &list[i]) < 0;
	}
}

static void
fill(struct spill *s)
{
	for (int64_t number = EACH - 1; number >= 0; number--)
		for (uint64_t key = 0; key < KEYS; key++)
			spill_add(s, key, &(struct record){ key, number });
}

static void
run(size_t memory)
{
	struct spill *s = spill_new(sizeof(struct record), memory);
	struct seen *seen = calloc(1, sizeof(*seen));

	assert_non_null(seen);
	seen->sorted = true;
	fill(s);
	assert_true(spill_each(s, compare, look, seen));
	assert_true(seen->sorted);
	for (int key = 0; key < KEYS; key++) {
		assert_int_equal(seen->times[key], EACH);
		assert_int_equal(seen->runs[key], 1);
	}
	free(seen);
	spill_free(s);
}

static void
test_in_memory(void **state UNUSED)
{
	run(1 << 20);
}

static void
test_through_files(void **state UNUSED)
{
	run(1000 * sizeof(struct record));
	run(0);
}

static void
test_empty(void **state UNUSED)
{
	struct spill *s = spill_new(sizeof(struct record), 100);
	struct seen seen = { .sorted = true };

	assert_true(spill_each(s, compare, look, &seen));
	spill_free(s);
	spill_free(spill_new(8, 8));
	spill_free(NULL);
}

/* Nothing may be concluded from a part. */
static void
test_no_room_for_files(void **state UNUSED)
{
	struct spill *s = spill_new(sizeof(struct record), 0);
	struct seen seen = { .sorted = true };

	setenv("TMPDIR", "/proc", 1);
	fill(s);
	unsetenv("TMPDIR");
	assert_false(spill_each(s, compare, look, &seen));
	assert_int_not_equal(errno, 0);
	spill_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_memory),
		cmocka_unit_test(test_through_files),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_no_room_for_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
