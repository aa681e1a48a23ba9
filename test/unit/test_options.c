/* The command line of `onrush`: options, values, limits, operands. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "onrush/ctl.h"

static const struct ctl_option options[] = {
	{ "--dir", "DIR", NULL, 0, 0, NULL, "A folder." },
	{ "--count", "N", "3", 1, 10, NULL, "A number." },
	{ "--all", NULL, NULL, 0, 0, NULL, "A flag." },
	CTL_OUTPUT_OPTION,
};

static const struct ctl_command command = {
	.name = "test",
	.operands = "ID…",
	.min_operands = 1,
	.max_operands = 2,
	.options = options,
	.option_count = ARRAY_LEN(options),
};

enum {
	MAX_WORDS = 8
};

/* Parses the words of a line; the result stays valid until the next call. */
static bool
parse(struct ctl *ctl, const char *line)
{
	static char text[128];
	static char *argv[MAX_WORDS];
	int argc = 0;

	snprintf(text, sizeof(text), "%s", line);
	for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
		argv[argc++] = word;
	*ctl = (struct ctl){ .command = &command };
	return ctl_parse(ctl, argc, argv);
}

static void
test_values(void **state UNUSED)
{
	struct ctl ctl;

	assert_true(parse(&ctl, "--dir here 7 --count=10 --all -o json"));
	assert_string_equal(ctl_text(&ctl, "--dir"), "here");
	assert_int_equal(ctl_int(&ctl, "--count"), 10);
	assert_true(ctl_flag(&ctl, "--all"));
	assert_true(ctl_json(&ctl));
	assert_int_equal(ctl.operand_count, 1);
	assert_string_equal(ctl.operands[0], "7");
}

static void
test_defaults(void **state UNUSED)
{
	struct ctl ctl;

	assert_true(parse(&ctl, "7"));
	assert_null(ctl_text(&ctl, "--dir"));
	assert_int_equal(ctl_int(&ctl, "--count"), 3);
	assert_false(ctl_flag(&ctl, "--all"));
	assert_false(ctl_json(&ctl));
}

static void
test_operands(void **state UNUSED)
{
	struct ctl ctl;

	assert_true(parse(&ctl, "7 --all -"));
	assert_int_equal(ctl.operand_count, 2);
	assert_string_equal(ctl.operands[1], "-");
	assert_true(parse(&ctl, "-- --all"));
	assert_string_equal(ctl.operands[0], "--all");
	assert_false(ctl_flag(&ctl, "--all"));
	assert_false(parse(&ctl, ""));
	assert_false(parse(&ctl, "1 2 3"));
}

static void
test_ids(void **state UNUSED)
{
	struct ctl ctl;
	int64_t id;

	assert_true(parse(&ctl, "9223372036854775807 -- -1"));
	assert_true(ctl_operand_id(&ctl, 0, &id));
	assert_int_equal(id, INT64_MAX);
	assert_false(ctl_operand_id(&ctl, 1, &id));
	assert_true(parse(&ctl, "0 01"));
	assert_false(ctl_operand_id(&ctl, 0, &id));
	assert_false(ctl_operand_id(&ctl, 1, &id));
}

static void
test_refused(void **state UNUSED)
{
	static const char *const lines[] = { "7 --frob", "7 --frob=1", "7 --dir",
		"7 --all=yes", "7 --count 0", "7 --count 11", "7 --count x",
		"7 --count=", "7 --count", "7 -o xml", "7 -o tex", "7 -o text|json",
		"7 -o", "7 --al" };
	struct ctl ctl;

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (parse(&ctl, lines[i]))
			fail_msg("\"%s\" was taken", lines[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_operands),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
