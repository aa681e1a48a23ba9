/* The table of buckets: keys, and what happens when there are more than it holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/limits/limit_rules.h"
#include "gateway/limits/limit_table.h"

#define NOW INT64_C(1000000000000)

enum {
	SLOTS = 64
};

static struct limit_table *table;
static const struct limit_rate rate = { 1000, 10000 }; /* 10 at once */

static int
begin(void **state)
{
	(void)state;
	table = limit_table_new(SLOTS);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	limit_table_free(table);
	return 0;
}

static struct limit_bucket *
use(uint64_t subject)
{
	return limit_table_use(table, 1, subject, NOW, rate.depth_ns);
}

static int
take_all(uint64_t subject)
{
	struct limit_bucket *bucket = use(subject);
	int count = 0;

	while (limit_take(&rate, NOW, &bucket->full_ns))
		assert_true(++count <= 10);
	return count;
}

static void
test_each_key_has_its_bucket(void **state)
{
	(void)state;
	assert_null(limit_table_find(table, 1, 7));
	use(7)->full_ns = NOW + 1;
	limit_table_use(table, 2, 7, NOW, rate.depth_ns)->full_ns = NOW + 2;
	use(8)->full_ns = NOW + 3;
	/* A subject may be 0: the only one of a limit per route. */
	use(0)->full_ns = NOW + 4;
	assert_int_equal(use(7)->full_ns, NOW + 1);
	assert_int_equal(limit_table_find(table, 2, 7)->full_ns, NOW + 2);
	assert_int_equal(limit_table_find(table, 1, 8)->full_ns, NOW + 3);
	assert_int_equal(limit_table_find(table, 1, 0)->full_ns, NOW + 4);
	assert_null(limit_table_find(table, 3, 7));
}

static void
test_a_new_bucket_is_full(void **state)
{
	(void)state;
	assert_int_equal(take_all(1), 10);
	assert_int_equal(take_all(1), 0);
	assert_int_equal(take_all(2), 10);
}

/* However many addresses somebody has: no more than a bucket for each slot. */
static void
test_many_keys_get_no_more_than_the_slots_hold(void **state)
{
	(void)state;
	int granted = 0;

	for (uint64_t subject = 0; subject < 100 * SLOTS; subject++)
		granted += take_all(subject);
	assert_int_equal(granted, 10 * SLOTS);
}

/* Who has emptied his bucket cannot have it forgotten by coming with other addresses. */
static void
test_a_bucket_is_not_reset_by_pushing_it_out(void **state)
{
	(void)state;
	assert_int_equal(take_all(7), 10);
	for (uint64_t subject = 1000; subject < 1000 + 100 * SLOTS; subject++)
		(void)take_all(subject);
	assert_int_equal(take_all(7), 0);
}

/* Of who asks little, little is forgotten; an emptied bucket is the last to go. */
static void
test_the_fullest_goes_first(void **state)
{
	(void)state;
	assert_int_equal(take_all(7), 10);
	for (uint64_t subject = 1000; subject < 1000 + 3 * SLOTS; subject++)
		assert_true(limit_take(&rate, NOW, &use(subject)->full_ns));
	assert_non_null(limit_table_find(table, 1, 7));
}

/* A limit that fills slowly does not stop who comes under one that fills fast for longer
 * than that one's own bucket could. */
static void
test_what_is_taken_over_is_at_most_an_empty_bucket(void **state)
{
	(void)state;
	for (uint64_t subject = 0; subject < 100 * SLOTS; subject++)
		limit_table_use(table, 2, subject, NOW, 1000000)->full_ns = NOW + 1000000;
	assert_int_equal(use(7)->full_ns, NOW + rate.depth_ns);
}

/* What was not told of a bucket that went is not said of the one that came. */
static void
test_a_new_bucket_has_nothing_to_tell(void **state)
{
	(void)state;
	for (uint64_t subject = 0; subject < 100 * SLOTS; subject++) {
		assert_int_equal(use(subject)->taken, 0);
		use(subject)->taken = 3;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_key_has_its_bucket, begin, end),
		cmocka_unit_test_setup_teardown(test_a_new_bucket_is_full, begin, end),
		cmocka_unit_test_setup_teardown(
		    test_many_keys_get_no_more_than_the_slots_hold, begin, end),
		cmocka_unit_test_setup_teardown(
		    test_a_bucket_is_not_reset_by_pushing_it_out, begin, end),
		cmocka_unit_test_setup_teardown(test_the_fullest_goes_first, begin, end),
		cmocka_unit_test_setup_teardown(
		    test_what_is_taken_over_is_at_most_an_empty_bucket, begin, end),
		cmocka_unit_test_setup_teardown(
		    test_a_new_bucket_has_nothing_to_tell, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
