/* Origins that may call, and what they may ask for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/edge/cors_rules.h"

static struct cors_origins origins;
static char why[256];

static bool
parse(const char *text)
{
	return cors_origins_parse(str_of(text), &origins, why, sizeof(why));
}

static void
test_lists(void **state)
{
	(void)state;
	assert_true(parse(""));
	assert_int_equal(origins.count, 0);
	assert_false(cors_origins_has(&origins, STR_NULL));
	assert_true(parse("https://shop.example, http://localhost:3000,http://[::1]:80"));
	assert_int_equal(origins.count, 3);
	assert_true(cors_origins_has(&origins, STR("https://shop.example")));
	assert_true(cors_origins_has(&origins, STR("http://localhost:3000")));
	assert_true(cors_origins_has(&origins, STR("http://[::1]:80")));
	static const char *const others[] = { "", "null", "*", "http://shop.example",
		"https://shop.example:443", "https://shop.example.evil",
		"https://xshop.example", "https://SHOP.example", "https://shop.example/",
		"http://localhost:3001" };
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (cors_origins_has(&origins, str_of(others[i])))
			fail_msg("%s", others[i]);
}

static void
test_lists_that_are_refused(void **state)
{
	static const char *const bad[] = { "*", "null", "shop.example", "https://",
		"https://shop.example/", "https://shop.example,", ",", " ",
		"https://Shop.example", "ftp://shop.example", "https://a b",
		"https://user@shop.example", "https://*.example" };
	char many[2048] = "", *end = many;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (parse(bad[i]))
			fail_msg("%s", bad[i]);
	for (int i = 0; i <= CORS_ORIGINS; i++)
		end += sprintf(end, "%shttp://h%d", i == 0 ? "" : ",", i);
	assert_false(parse(many));
	assert_non_null(strstr(why, "at most 32"));
	*strrchr(many, ',') = '\0';
	assert_true(parse(many));
}

static void
test_methods(void **state)
{
	static const char *const bad[] = { "", "get", "OPTIONS", "TRACE", "CONNECT",
		"GET, POST" };

	(void)state;
	assert_true(cors_method_fits(STR("GET")));
	assert_true(cors_method_fits(STR("HEAD")));
	assert_true(cors_method_fits(STR("POST")));
	assert_true(cors_method_fits(STR("PUT")));
	assert_true(cors_method_fits(STR("PATCH")));
	assert_true(cors_method_fits(STR("DELETE")));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(cors_method_fits(str_of(bad[i])));
}

static void
test_fields(void **state)
{
	(void)state;
	assert_true(cors_fields_fit(STR_NULL));
	assert_true(cors_fields_fit(STR("content-type")));
	assert_true(cors_fields_fit(STR("authorization,idempotency-key, x-onrush-pass")));
	assert_true(cors_fields_fit(cors_fields()));
	assert_false(cors_fields_fit(STR("x-onrush-user")));
	assert_false(cors_fields_fit(STR("content-type,x-evil")));
	assert_false(cors_fields_fit(STR("content-type,,prefer")));
	assert_false(cors_fields_fit(STR("*")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_lists_that_are_refused),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
