/* Time and its text form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

/* 2026-11-21T03:04:05Z */
#define A_MOMENT (INT64_C(1795230245) * CLOCK_US_PER_SEC)

static void
test_formats_in_utc(void **state)
{
	(void)state;
	static const struct {
		int64_t us;
		const char *text;
	} cases[] = {
		{ A_MOMENT + 123456, "2026-11-21T03:04:05.123456Z" },
		{ A_MOMENT, "2026-11-21T03:04:05.000000Z" },
		{ 0, "1970-01-01T00:00:00.000000Z" },
		{ -1, "1969-12-31T23:59:59.999999Z" },
		{ INT64_MAX, "294247-01-10T04:00:54.775807Z" },
	};
	char text[CLOCK_ISO_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		clock_format_iso(cases[i].us, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void
test_parses_rfc3339(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t us;
	} cases[] = {
		{ "2026-11-21T03:04:05Z", A_MOMENT },
		{ "2026-11-21T03:04:05.1Z", A_MOMENT + 100000 },
		{ "2026-11-21T03:04:05.123456Z", A_MOMENT + 123456 },
		{ "2026-11-21T12:04:05+09:00", A_MOMENT },
		{ "2026-11-20T22:34:05-04:30", A_MOMENT },
		{ "1969-12-31T23:59:59.999999Z", -1 },
		{ "2024-02-29T00:00:00Z", INT64_C(1709164800) * CLOCK_US_PER_SEC },
	};
	int64_t us;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_true(clock_parse_iso(str_of(cases[i].text), &us));
		assert_true(us == cases[i].us);
	}
}

static void
test_refuses_what_is_no_time(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "2026-11-21", "2026-11-21T03:04:05",
		"2026-11-21 03:04:05Z", "2026-11-21T03:04Z", "2026-11-21T03:04:05ZZ",
		"2026-11-21T03:04:05.Z", "2026-11-21T03:04:05.1234567Z",
		"2026-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-00-01T00:00:00Z",
		"2026-13-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z",
		"2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+01:60",
		"2026-01-01T00:00:00+0100", "2026-01-01T00:00:00+1:00",
		"26-01-01T00:00:00Z", "2026-1-01T00:00:00Z", "-026-01-01T00:00:00Z",
		"2026-01-01T00:00:00 Z", "2026-01-01T0x:00:00Z" };
	int64_t us = 42;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(clock_parse_iso(str_of(bad[i]), &us));
	assert_int_equal(us, 42);
}

static void
test_there_and_back(void **state)
{
	(void)state;
	char text[CLOCK_ISO_SIZE];
	int64_t us;

	/* About every 11 days from 1970 to 2100. */
	for (int64_t t = 0; t < INT64_C(4102444800000000); t += INT64_C(987654321987)) {
		clock_format_iso(t, text);
		assert_true(clock_parse_iso(str_of(text), &us));
		assert_true(us == t);
	}
}

static void
test_day_changes_at_midnight_utc(void **state)
{
	(void)state;
	int64_t midnight;

	assert_true(clock_parse_iso(STR("2026-11-21T00:00:00Z"), &midnight));
	assert_int_equal(clock_day(midnight), 20261121);
	assert_int_equal(clock_day(midnight - 1), 20261120);
	assert_int_equal(clock_day(-1), 19691231);
}

static void
test_clocks_go_on(void **state)
{
	(void)state;
	int64_t before = clock_mono_us();

	assert_true(clock_mono_us() >= before);
	assert_true(clock_wall_us() > A_MOMENT - 365 * 86400 * CLOCK_US_PER_SEC);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats_in_utc),
		cmocka_unit_test(test_parses_rfc3339),
		cmocka_unit_test(test_refuses_what_is_no_time),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_day_changes_at_midnight_utc),
		cmocka_unit_test(test_clocks_go_on),
	};
	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
