/* Who may pass: every way in which a pass can stand to its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/passes/pass_rules.h"

/* Places 11 to 20 are served, 17 is gone, 21 to 100 wait. */
static const uint8_t gone[] = { 0x40 };
static const struct line_view line = {
	.next = 100,
	.serving = 20,
	.floor = 10,
	.open = true,
	.gone = gone,
	.gone_size = sizeof(gone),
	.gone_from = 2,
};

static enum pass_ruling
rule(const struct line_view *v, int64_t ticket, int64_t *position)
{
	const struct pass pass = { .line = 1, .user_id = 7, .ticket = ticket };

	*position = -1;
	return pass_rule(SHOWN_PASS, &pass, v, position);
}

static void
assert_rule(int64_t ticket, enum pass_ruling ruling, int64_t position)
{
	int64_t told;

	assert_int_equal(rule(&line, ticket, &told), ruling);
	assert_int_equal(told, position);
}

static void
test_places(void **state)
{
	(void)state;
	assert_rule(1, RULING_OVER, 0);
	assert_rule(10, RULING_OVER, 0);
	assert_rule(11, RULING_ADMITTED, 0);
	assert_rule(17, RULING_OVER, 0);
	assert_rule(20, RULING_ADMITTED, 0);
	assert_rule(21, RULING_WAITING, 1);
	assert_rule(100, RULING_WAITING, 80);
	/* Of a ticket that the copy does not know of yet. */
	assert_rule(101, RULING_WAITING, 81);
}

static void
test_before_a_random_opening_there_is_no_position(void **state)
{
	struct line_view v = { .mode = LINE_RANDOM, .next = 9, .serving = 5 };
	int64_t position;

	(void)state;
	assert_int_equal(rule(&v, 3, &position), RULING_WAITING);
	assert_int_equal(position, 0);
}

static void
test_who_waits_in_a_closed_line_waits(void **state)
{
	struct line_view v = line;
	int64_t position;

	(void)state;
	v.mode = LINE_CLOSED;
	assert_int_equal(rule(&v, 21, &position), RULING_WAITING);
	assert_int_equal(rule(&v, 20, &position), RULING_ADMITTED);
}

static void
test_a_passthrough_line_admits_everybody(void **state)
{
	struct line_view v = line;
	int64_t position;

	(void)state;
	v.mode = LINE_PASSTHROUGH;
	assert_int_equal(rule(&v, 10, &position), RULING_ADMITTED);
	assert_int_equal(rule(&v, 99, &position), RULING_ADMITTED);
	assert_int_equal(pass_rule(SHOWN_NOTHING, NULL, &v, &position), RULING_ADMITTED);
	/* What is forged stays refused: its holder is not who it says. */
	assert_int_equal(pass_rule(SHOWN_FORGED, NULL, &v, &position), RULING_FORGED);
}

static void
test_without_a_pass_or_with_a_wrong_one(void **state)
{
	int64_t position;

	(void)state;
	assert_int_equal(
	    pass_rule(SHOWN_NOTHING, NULL, &line, &position), RULING_MISSING);
	assert_int_equal(pass_rule(SHOWN_FORGED, NULL, NULL, &position), RULING_FORGED);
	assert_int_equal(pass_rule(SHOWN_EXPIRED, NULL, NULL, &position), RULING_EXPIRED);
	assert_int_equal(
	    pass_rule(SHOWN_BORROWED, NULL, NULL, &position), RULING_BORROWED);
	assert_int_equal(position, 0);
}

static void
test_nothing_is_decided_without_numbers(void **state)
{
	int64_t position;

	(void)state;
	assert_int_equal(rule(NULL, 11, &position), RULING_BLIND);
	assert_int_equal(pass_rule(SHOWN_NOTHING, NULL, NULL, &position), RULING_BLIND);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_before_a_random_opening_there_is_no_position),
		cmocka_unit_test(test_who_waits_in_a_closed_line_waits),
		cmocka_unit_test(test_a_passthrough_line_admits_everybody),
		cmocka_unit_test(test_without_a_pass_or_with_a_wrong_one),
		cmocka_unit_test(test_nothing_is_decided_without_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
