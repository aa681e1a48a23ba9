/* What proxies say of the client: how much of it is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/edge/forwarded_rules.h"

static void
assert_str(str given, const char *wanted)
{
	if (!str_eq(given, str_of(wanted)))
		fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(given), wanted);
}

static void
test_the_sound_end(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" },
		{ "192.0.2.1", "192.0.2.1" },
		{ "192.0.2.1, 2001:db8::1", "192.0.2.1, 2001:db8::1" },
		{ "x, 192.0.2.1,10.0.0.1", "192.0.2.1,10.0.0.1" },
		{ "192.0.2.1, unknown, 10.0.0.1", "10.0.0.1" },
		{ "192.0.2.1, ", "" },
		{ "192.0.2.1, 10.0.0.1:80", "" },
		{ "192.0.2.1\", 10.0.0.1", "10.0.0.1" },
		{ ",,,", "" },
	};
	char many[1024] = "", *end = many;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_str(forwarded_sound_end(str_of(rows[i][0])), rows[i][1]);
	assert_int_equal(forwarded_sound_end(STR_NULL).n, 0);
	for (int i = 0; i < 2 * FORWARDED_HOPS; i++)
		end += sprintf(end, "%s192.0.2.%d", i == 0 ? "" : ",", 10 + i);
	assert_true(str_starts(forwarded_sound_end(str_of(many)), STR("192.0.2.26,")));
}

static void
test_the_client(void **state)
{
	static const char *const rows[][2] = {
		{ "", "10.0.0.9" },
		{ "192.0.2.1", "192.0.2.1" },
		{ "192.0.2.1, 10.0.0.1", "192.0.2.1" },
		{ "192.0.2.7, 192.0.2.1, 10.0.0.1, 10.0.0.2", "192.0.2.1" },
		{ "10.0.0.1, 10.0.0.2", "10.0.0.1" },
		{ "192.0.2.1, unknown", "10.0.0.9" },
		{ "192.0.2.1, unknown, 10.0.0.3", "10.0.0.3" },
		{ "2001:db8::1", "2001:db8::1" },
	};
	struct address_list trusted;
	char why[128];

	(void)state;
	assert_true(address_list_parse(STR("10.0.0.0/8"), &trusted, why, sizeof(why)));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_str(
		    forwarded_client(str_of(rows[i][0]), &trusted, STR("10.0.0.9")),
		    rows[i][1]);
}

static void
test_fields(void **state)
{
	static const char *const good[] = { "for=192.0.2.60",
		"For=\"[2001:db8::1]:4711\"", "for=192.0.2.60;proto=http;by=203.0.113.43",
		"for=192.0.2.43, for=198.51.100.17", "for=_hidden,for=unknown",
		"for=a;host=\"shop.example:80\" , for=b" };
	static const char *const bad[] = { "", "for", "for=", "for=;proto=http", "for=a;",
		"for=a,", "for=a b", "=a", "for=[2001:db8::1]", "for=\"a",
		"for=\"a\\\"b\"", "for=\"a b\"", "for=a  ", "for=a,,for=b", "for=a; b=c",
		"for=a\t" };
	char long_one[FORWARDED_BYTES + 8];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (!forwarded_is_sound(str_of(good[i])))
			fail_msg("%s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (forwarded_is_sound(str_of(bad[i])))
			fail_msg("%s", bad[i]);
	memset(long_one, 'a', sizeof(long_one));
	memcpy(long_one, "for=", 4);
	assert_true(forwarded_is_sound((str){ long_one, FORWARDED_BYTES }));
	assert_false(forwarded_is_sound((str){ long_one, FORWARDED_BYTES + 1 }));
}

static void
test_our_own_hop(void **state)
{
	static const struct {
		const char *peer;
		bool secure;
		const char *host, *wanted;
	} rows[] = {
		{ "192.0.2.1", false, "", "for=192.0.2.1;proto=http" },
		{ "192.0.2.1", true, "shop:80",
		    "for=192.0.2.1;proto=https;host=\"shop:80\"" },
		{ "2001:db8::1", true, "s",
		    "for=\"[2001:db8::1]\";proto=https;host=\"s\"" },
		{ "?", false, "", "for=unknown;proto=http" },
	};
	char out[FORWARDED_HOP_MAX + 64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *end = forwarded_hop(
		    out, str_of(rows[i].peer), rows[i].secure, str_of(rows[i].host));

		assert_str((str){ out, (size_t)(end - out) }, rows[i].wanted);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_sound_end),
		cmocka_unit_test(test_the_client),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_our_own_hop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
