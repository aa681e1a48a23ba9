/* Addresses as text, who counts as one client, lists of networks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "gateway/edge/address_rules.h"

static char err[256];

static uint64_t
subject(const char *text)
{
	struct address address;

	assert_true(address_parse(str_of(text), &address));
	return address_subject(&address);
}

static void
test_only_addresses_are_addresses(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "1.2.3", "1.2.3.4.5", "1.2.3.256",
		"1.2.3.", ".1.2.3", "1..2.3", "01.2.3.4", "1.2.3.0004", "1.2.3.4 ",
		"1.2.3.4:80", "x", "1:2", ":::", "2001:db8::g", "[::1]",
		"unix:", "2001:0db8:0000:0000:0000:0000:0000:0000:0000:0000:0000" };
	struct address address;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(address_parse(str_of(bad[i]), &address));
	assert_true(address_parse(STR("10.0.255.1"), &address));
	assert_int_equal(address.high, 0);
	assert_int_equal(address.low, UINT64_C(0xffff0a00ff01));
	assert_true(address_parse(STR("2001:db8::ff"), &address));
	assert_int_equal(address.high, UINT64_C(0x20010db800000000));
	assert_int_equal(address.low, 0xff);
}

static void
test_one_client_is_an_address_or_a_64(void **state)
{
	(void)state;
	assert_int_equal(subject("1.2.3.4"), subject("::ffff:1.2.3.4"));
	assert_int_not_equal(subject("1.2.3.4"), subject("1.2.3.5"));
	assert_int_equal(subject("2001:db8:0:1::1"), subject("2001:db8:0:1:ffff::2"));
	assert_int_not_equal(subject("2001:db8:0:1::1"), subject("2001:db8:0:2::1"));
	assert_int_not_equal(subject("::1"), subject("0.0.0.1"));
}

static bool
has(const char *list, const char *text)
{
	struct address_list parsed;
	struct address address;

	assert_true(address_list_parse(str_of(list), &parsed, err, sizeof(err)));
	assert_true(address_parse(str_of(text), &address));
	return address_list_has(&parsed, &address);
}

static void
test_lists_of_networks(void **state)
{
	(void)state;
	static const char list[] = "127.0.0.0/8, ::1,10.1.2.3 , fc00::/7, 2001:db8::/80";

	assert_true(has(list, "127.255.0.1"));
	assert_false(has(list, "128.0.0.1"));
	assert_true(has(list, "::1"));
	assert_false(has(list, "::2"));
	assert_true(has(list, "10.1.2.3"));
	assert_false(has(list, "10.1.2.4"));
	assert_true(has(list, "fdff::1"));
	assert_false(has(list, "fe00::1"));
	assert_true(has(list, "2001:db8::ffff:1"));
	assert_false(has(list, "2001:db8::1:0:0:1"));
	assert_false(has(" ", "127.0.0.1"));
	assert_true(has("0.0.0.0/0", "9.9.9.9"));
	assert_false(has("0.0.0.0/0", "2001:db8::1"));
	assert_true(has("::/0", "9.9.9.9"));
}

static void
test_what_is_no_list(void **state)
{
	(void)state;
	static const char *const bad[] = { "x", "1.2.3.4/", "1.2.3.4/33", "::/129",
		"10.0.0.1/8", "fc01::/8", "1.2.3.0/2a", "1.2.3.0/0024", "1.2.3.4,",
		",1.2.3.4", "1.2.3.4 5.6.7.8" };
	struct address_list list;
	char many[ADDRESS_NETWORKS * 8 + 16] = "1.1.1.1";

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(address_list_parse(str_of(bad[i]), &list, err, sizeof(err)));
		assert_non_null(strstr(err, "is not a network"));
	}
	for (size_t i = 1; i < ADDRESS_NETWORKS; i++)
		strcat(many, ",1.1.1.1");
	assert_true(address_list_parse(str_of(many), &list, err, sizeof(err)));
	assert_int_equal(list.count, ADDRESS_NETWORKS);
	strcat(many, ",1.1.1.1");
	assert_false(address_list_parse(str_of(many), &list, err, sizeof(err)));
	assert_string_equal(err, "must have at most 64 networks");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_addresses_are_addresses),
		cmocka_unit_test(test_one_client_is_an_address_or_a_64),
		cmocka_unit_test(test_lists_of_networks),
		cmocka_unit_test(test_what_is_no_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
