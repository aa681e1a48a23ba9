/* Columns on the terminal, and texts from outside that must not drive it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "onrush/table.h"

static void
assert_printable(str text, const char *expected)
{
	struct arena *arena = arena_new();

	assert_string_equal(printable(arena, text), expected);
	arena_free(arena);
}

static void
test_printable(void **state UNUSED)
{
	assert_printable(STR("plain"), "plain");
	assert_printable(STR_NULL, "");
	assert_printable(STR("쿠폰 é"), "쿠폰 é");
	assert_printable(STR("a\x1b[2J\r\n\t\x7f"), "a?[2J????");
	assert_printable(STR("a\0b"), "a?b");
	/* C1: U+009B begins a control sequence too. */
	assert_printable(STR("\xc2\x9b"
			     "2J \xc2\xa0"),
	    "??2J \xc2\xa0");
	assert_printable(STR("\xff\xc3\xa9"), "???");
	assert_printable(STR("\xc2"), "?");
}

/* What the table prints, in a buffer that the caller frees. */
static char *
print(const struct table *t, int indent)
{
	FILE *out = tmpfile();
	int saved = dup(STDOUT_FILENO);
	char *text = calloc(1, 4096);

	assert_non_null(out);
	assert_non_null(text);
	fflush(stdout);
	dup2(fileno(out), STDOUT_FILENO);
	table_print(t, indent);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	rewind(out);
	assert_true(fread(text, 1, 4095, out) > 0);
	fclose(out);
	return text;
}

static void
test_columns(void **state UNUSED)
{
	static const char *const heads[] = { ">ID", "NAME", ">LEFT" };
	struct arena *arena = arena_new();
	struct table *t = table_new(arena, heads, ARRAY_LEN(heads));
	char *text;

	table_cell(t, "%d", 1);
	table_cell_str(t, STR("쿠폰"));
	table_cell(t, "%d", 10000);
	table_cell(t, "%d", 100);
	table_cell_str(t, STR("plain\n"));
	table_cell(t, "-");
	text = print(t, 1);
	assert_string_equal(text, "  ID  NAME     LEFT\n"
				  "   1  쿠폰    10000\n"
				  " 100  plain?      -\n");
	free(text);
	arena_free(arena);
}

static void
test_durations(void **state UNUSED)
{
	struct arena *arena = arena_new();

	assert_string_equal(duration_text(arena, 0), "0 µs");
	assert_string_equal(duration_text(arena, 999), "999 µs");
	assert_string_equal(duration_text(arena, 1000), "1.0 ms");
	assert_string_equal(duration_text(arena, 1500000), "1.5 s");
	arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_printable),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_durations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
