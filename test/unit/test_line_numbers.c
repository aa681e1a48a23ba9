/* What the queue service says of a line, read: all of it, or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "gateway/passes/line_numbers.h"

#define SEED "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define OPEN "\"open\":true,\"seed\":\"" SEED "\",\"shuffled\":4"
#define GONE "\"goneFrom\":2,\"gone\":\"QA\"" /* place 17 */

/* Now, as the tests have it: 2026-11-21T00:00:00Z. */
#define NOW_US INT64_C(1795219200000000)

static bool
take(struct line_numbers *n, bool merge, const char *mode, int serving, int floor,
    const char *opening, const char *rest)
{
	char text[1024];

	snprintf(text, sizeof(text),
	    "{\"code\":200,\"message\":\"OK\",\"data\":{\"line\":1,\"mode\":\"%s\","
	    "\"given\":30,\"serving\":%d,\"floor\":%d,\"pace\":2000,\"holes\":\"40:50\","
	    "%s,%s}}",
	    mode, serving, floor, opening, rest);
	return line_numbers_take(n, str_of(text), NOW_US, merge);
}

static void
test_an_answer_becomes_numbers(void **state)
{
	struct line_numbers n = { 0 };
	const struct line_view *v = &n.view;

	(void)state;
	assert_true(take(&n, false, "random", 20, 10, OPEN, GONE));
	assert_int_equal(v->mode, LINE_RANDOM);
	assert_int_equal(v->next, 30);
	assert_int_equal(v->serving, 20);
	assert_int_equal(v->floor, 10);
	assert_true(v->open);
	assert_int_equal(v->opens_s, 0);
	assert_int_equal(v->shuffled, 4);
	assert_int_equal(v->seed[31], 31);
	assert_int_equal(line_pace(v, 99), 2000);
	assert_true(line_in_hole(v, 45));
	assert_int_equal(line_status_of(v, 16), LINE_ACTIVE);
	assert_int_equal(line_status_of(v, 17), LINE_EXPIRED);
	line_numbers_fini(&n);
}

static void
test_before_the_opening_there_is_no_shuffle(void **state)
{
	static const char soon[] =
	    "\"open\":false,\"opensAt\":\"2026-11-21T00:00:09.5Z\",\"shuffled\":null";
	static const char late[] =
	    "\"open\":false,\"opensAt\":\"2026-11-20T23:00:00Z\",\"shuffled\":9";
	struct line_numbers n = { 0 };

	(void)state;
	assert_true(
	    take(&n, false, "random", 0, 0, soon, "\"goneFrom\":0,\"gone\":\"\""));
	assert_false(n.view.open);
	assert_int_equal(n.view.opens_s, 10);
	assert_int_equal(n.view.gone_size, 0);
	assert_true(take(&n, false, "fifo", 0, 0, late, GONE));
	assert_int_equal(n.view.opens_s, 0);
	assert_int_equal(n.view.shuffled, 0);
	line_numbers_fini(&n);
}

static void
test_a_line_does_not_go_back_while_its_numbers_are_fresh(void **state)
{
	struct line_numbers n = { 0 };

	(void)state;
	assert_true(take(&n, false, "fifo", 20, 10, OPEN, GONE));
	assert_true(take(&n, true, "fifo", 18, 9, OPEN, GONE));
	assert_int_equal(n.view.serving, 20);
	assert_int_equal(n.view.floor, 10);
	assert_true(take(&n, true, "closed", 22, 12, OPEN, GONE));
	assert_int_equal(n.view.serving, 22);
	assert_int_equal(n.view.floor, 12);
	assert_int_equal(n.view.mode, LINE_CLOSED);
	/* An old copy proves nothing. */
	assert_true(take(&n, false, "fifo", 3, 1, OPEN, GONE));
	assert_int_equal(n.view.serving, 3);
	line_numbers_fini(&n);
}

static void
test_what_is_not_an_answer_changes_nothing(void **state)
{
	static const char *const openings[] = {
		"\"open\":true,\"seed\":\"00\"",
		"\"open\":true",
		"\"open\":1",
		"\"open\":false,\"opensAt\":\"soon\"",
	};
	static const char *const rests[] = {
		"\"goneFrom\":2,\"gone\":\"Q\"",
		"\"goneFrom\":2,\"gone\":\"Q!\"",
		"\"goneFrom\":-1,\"gone\":\"\"",
		"\"goneFrom\":2",
		"\"gone\":\"\"",
		"\"goneFrom\":9223372036854775807,\"gone\":\"\"",
	};
	static const char *const bodies[] = { "", "{}", "[]", "{\"data\":null}",
		"{\"data\":{}}", "{\"code\":200,\"data\":{\"mode\":\"fifo\"}}",
		"nonsense" };
	struct line_numbers n = { 0 };

	(void)state;
	assert_true(take(&n, false, "fifo", 20, 10, OPEN, GONE));
	for (size_t i = 0; i < ARRAY_LEN(openings); i++)
		assert_false(take(&n, true, "fifo", 21, 11, openings[i], GONE));
	for (size_t i = 0; i < ARRAY_LEN(rests); i++)
		assert_false(take(&n, true, "fifo", 21, 11, OPEN, rests[i]));
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
		assert_false(line_numbers_take(&n, str_of(bodies[i]), NOW_US, true));
	assert_false(take(&n, true, "lifo", 21, 11, OPEN, GONE));
	assert_false(take(&n, true, "fifo", -1, 11, OPEN, GONE));
	assert_int_equal(n.view.serving, 20);
	assert_int_equal(line_status_of(&n.view, 17), LINE_EXPIRED);
	line_numbers_fini(&n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_answer_becomes_numbers),
		cmocka_unit_test(test_before_the_opening_there_is_no_shuffle),
		cmocka_unit_test(
		    test_a_line_does_not_go_back_while_its_numbers_are_fresh),
		cmocka_unit_test(test_what_is_not_an_answer_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
