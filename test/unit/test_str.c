/* Slices and the strict conversions of text that came from outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/str.h"

static void
test_compares_slices(void **state)
{
	(void)state;
	assert_true(str_eq(STR("abc"), str_of("abc")));
	assert_false(str_eq(STR("abc"), STR("abd")));
	assert_false(str_eq(STR("abc"), STR("ab")));
	assert_true(str_eq(STR_NULL, STR("")));
	assert_true(str_eq(str_of(NULL), STR("")));
	assert_true(str_starts(STR("/coupons/7"), STR("/coupons/")));
	assert_true(str_starts(STR("a"), STR_NULL));
	assert_false(str_starts(STR("/coupon"), STR("/coupons")));
}

static void
test_ignores_the_case_of_ascii_only(void **state)
{
	(void)state;
	assert_true(str_eq_nocase(STR("Content-Length"), STR("cONTENT-lENGTH")));
	assert_true(str_eq_nocase(STR_NULL, STR("")));
	assert_false(str_eq_nocase(STR("a"), STR("b")));
	assert_false(str_eq_nocase(STR("a"), STR("ab")));
	assert_false(str_eq_nocase(STR("[@"), STR("{`")));
	assert_false(str_eq_nocase(STR("\xc3\x84"), STR("\xc3\xa4")));
}

/* strncasecmp would stop at the NUL and call these equal. */
static void
test_compares_past_a_nul(void **state)
{
	(void)state;
	assert_false(str_eq(STR("a\0b"), STR("a\0c")));
	assert_false(str_eq_nocase(STR("a\0b"), STR("a\0c")));
	assert_true(str_eq_nocase(STR("a\0b"), STR("A\0B")));
}

static void
test_cuts_at_the_first_separator(void **state)
{
	(void)state;
	str head, rest = str_cut(STR("a,b,c"), ',', &head);

	assert_true(str_eq(head, STR("a")));
	assert_true(str_eq(rest, STR("b,c")));
	rest = str_cut(STR("a,"), ',', &head);
	assert_true(str_eq(head, STR("a")));
	assert_true(rest.n == 0 && rest.p != NULL);
	rest = str_cut(STR("a"), ',', &head);
	assert_true(str_eq(head, STR("a")));
	assert_null(rest.p);
	rest = str_cut(STR_NULL, ',', &head);
	assert_true(head.n == 0 && rest.p == NULL);
}

static void
test_trims_blanks(void **state)
{
	(void)state;
	assert_true(str_eq(str_trim(STR(" \t a b\t ")), STR("a b")));
	assert_true(str_eq(str_trim(STR(" \t ")), STR("")));
	assert_true(str_eq(str_trim(STR("\n")), STR("\n")));
	assert_true(str_eq(str_trim(STR_NULL), STR("")));
}

static void
test_reads_integers(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t value;
	} good[] = {
		{ "0", 0 },
		{ "7", 7 },
		{ "-7", -7 },
		{ "9223372036854775807", INT64_MAX },
		{ "-9223372036854775808", INT64_MIN },
	};
	static const char *const bad[] = { "", "-", "+1", " 1", "1 ", "01", "-0", "00",
		"1.0", "0x1", "1e3", "--1", "9223372036854775808", "-9223372036854775809",
		"99999999999999999999999" };
	int64_t value;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(
		    str_to_i64(str_of(good[i].text), INT64_MIN, INT64_MAX, &value));
		assert_true(value == good[i].value);
	}
	value = 42;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(str_to_i64(str_of(bad[i]), INT64_MIN, INT64_MAX, &value));
	assert_false(str_to_i64(STR("1\0"), 0, 9, &value));
	assert_false(str_to_i64(STR("10"), 0, 9, &value));
	assert_false(str_to_i64(STR("-1"), 0, 9, &value));
	assert_int_equal(value, 42);
	assert_true(str_to_i64(STR("9"), 9, 9, &value));
}

static void
test_accepts_only_well_formed_utf8(void **state)
{
	(void)state;
	static const str good[] = {
		STR_INIT(""),
		STR_INIT("a\0z"),
		STR_INIT("\xc2\x80"),
		STR_INIT("\xdf\xbf"),
		STR_INIT("\xe0\xa0\x80"),
		STR_INIT("\xed\x9f\xbf"),
		STR_INIT("\xee\x80\x80"),
		STR_INIT("\xef\xbf\xbf"),
		STR_INIT("\xf0\x90\x80\x80"),
		STR_INIT("\xf4\x8f\xbf\xbf"),
	};
	static const str bad[] = {
		STR_INIT("\x80"),             /* a continuation alone */
		STR_INIT("\xc0\x80"),         /* overlong NUL */
		STR_INIT("\xc1\xbf"),         /* overlong */
		STR_INIT("\xe0\x9f\xbf"),     /* overlong */
		STR_INIT("\xed\xa0\x80"),     /* surrogate */
		STR_INIT("\xed\xbf\xbf"),     /* surrogate */
		STR_INIT("\xf0\x8f\xbf\xbf"), /* overlong */
		STR_INIT("\xf4\x90\x80\x80"), /* beyond U+10FFFF */
		STR_INIT("\xf5\x80\x80\x80"),
		STR_INIT("\xff"),
		STR_INIT("\xc3"),         /* cut short */
		STR_INIT("\xe2\x82"),     /* cut short */
		STR_INIT("\xf0\x9f\x98"), /* cut short */
		STR_INIT("\xc3("),        /* no continuation */
		STR_INIT("\xe2(\x82"),
		STR_INIT("\xe2\x82("),
		STR_INIT("ok\xf0\x9f\x98(ok"),
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(str_is_utf8(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(str_is_utf8(bad[i]));
}

static void
test_measures_one_character(void **state)
{
	(void)state;
	assert_int_equal(str_utf8_length(STR("")), 0);
	assert_int_equal(str_utf8_length(STR("ab")), 1);
	assert_int_equal(str_utf8_length(STR("éa")), 2);
	assert_int_equal(str_utf8_length(STR("€a")), 3);
	assert_int_equal(str_utf8_length(STR("😀a")), 4);
	assert_int_equal(str_utf8_length(STR("\xa9")), 0);
}

static void
test_hex_there_and_back(void **state)
{
	(void)state;
	static const uint8_t bytes[] = { 0x00, 0x9a, 0xff, 0x10 };
	uint8_t back[4];
	char text[9];

	hex_encode(bytes, sizeof(bytes), text);
	assert_string_equal(text, "009aff10");
	assert_true(hex_decode(STR("009AfF10"), back, sizeof(back)));
	assert_memory_equal(back, bytes, sizeof(bytes));
	assert_false(hex_decode(STR("009aff1"), back, sizeof(back)));
	assert_false(hex_decode(STR("009aff100"), back, sizeof(back)));
	assert_false(hex_decode(STR("009aff1g"), back, sizeof(back)));
	assert_false(hex_decode(STR("0x9aff10"), back, sizeof(back)));
}

static void
test_decimal(void **state)
{
	char digits[STR_DECIMAL_MAX];

	(void)state;
	assert_true(str_eq(str_decimal(0, digits), STR("0")));
	assert_true(str_eq(str_decimal(1200, digits), STR("1200")));
	assert_true(str_eq(str_decimal(UINT64_MAX, digits), STR("18446744073709551615")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decimal),
		cmocka_unit_test(test_compares_slices),
		cmocka_unit_test(test_ignores_the_case_of_ascii_only),
		cmocka_unit_test(test_compares_past_a_nul),
		cmocka_unit_test(test_cuts_at_the_first_separator),
		cmocka_unit_test(test_trims_blanks),
		cmocka_unit_test(test_reads_integers),
		cmocka_unit_test(test_accepts_only_well_formed_utf8),
		cmocka_unit_test(test_measures_one_character),
		cmocka_unit_test(test_hex_there_and_back),
	};
	return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
