/* API keys: the file, its refusals, and keys that are shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/digest.h"
#include "gateway/identity/api_keys.h"

/* Some hash. */
#define HASH_A "7a5bc29d2f3a2e5e8a0d9f8f00000000000000000000000000000000000000aa"

static char why[256];

static struct api_keys *
parse(const char *text)
{
	return api_keys_parse(str_of(text), why, sizeof(why));
}

/* A line for this key. */
static const char *
line_of(const char *id, const char *key, const char *scopes)
{
	static char line[512];
	str text = str_of(key);
	struct sha256 hash = sha256_of(&text, 1);
	char hex[2 * SHA256_SIZE + 1];

	hex_encode(hash.b, SHA256_SIZE, hex);
	snprintf(line, sizeof(line), "%s %s %s\n", id, hex, scopes);
	return line;
}

static void
test_found(void **state)
{
	char text[2048] = "# partners\n\n";
	struct api_keys *keys;
	const struct api_key *key;

	(void)state;
	strcat(text, line_of("b", "b.other", "x"));
	strcat(text, line_of("a", "a.secret", "orders.read,orders:cancel"));
	strcat(text, line_of("ab", "ab.third", "y"));
	keys = parse(text);
	assert_non_null(keys);
	assert_int_equal(api_keys_count(keys), 3);
	key = api_keys_find(keys, STR("a.secret"));
	assert_non_null(key);
	assert_true(str_eq(api_key_id(key), STR("a")));
	assert_true(api_key_may(key, STR("orders.read")));
	assert_true(api_key_may(key, STR("orders:cancel")));
	assert_false(api_key_may(key, STR("orders")));
	assert_false(api_key_may(key, STR("orders.read,orders:cancel")));
	assert_false(api_key_may(key, STR("")));
	assert_non_null(api_keys_find(keys, STR("ab.third")));
	assert_non_null(api_keys_find(keys, STR("b.other")));
	api_keys_free(keys);
}

static void
test_not_found(void **state)
{
	static const char *const shown[] = { "", ".", "a", "a.", "a.secre", "a.secret ",
		"a.secrets", "A.secret", "b.secret", ".secret", "c.secret", "aa.secret" };
	struct api_keys *keys = parse(line_of("a", "a.secret", "x"));
	char long_one[API_KEY_TEXT_MAX + 2];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shown); i++)
		if (api_keys_find(keys, str_of(shown[i])) != NULL)
			fail_msg("%s", shown[i]);
	assert_null(api_keys_find(keys, STR_NULL));
	memset(long_one, 'a', sizeof(long_one));
	long_one[1] = '.';
	assert_null(api_keys_find(keys, (str){ long_one, sizeof(long_one) }));
	api_keys_free(keys);
	api_keys_free(NULL);
}

static void
test_an_empty_file_has_no_key(void **state)
{
	struct api_keys *keys = parse("");

	(void)state;
	assert_non_null(keys);
	assert_int_equal(api_keys_count(keys), 0);
	assert_null(api_keys_find(keys, STR("a.secret")));
	api_keys_free(keys);
}

static void
test_refused(void **state)
{
	static const struct {
		const char *text, *sentence;
	} rows[] = {
		{ "a", "line 1 must have a space and 64 hex digits" },
		{ "# x\n\na b c", "line 3 must have a space and 64 hex digits" },
		{ "a " HASH_A, "line 1 must end with scopes" },
		{ "a " HASH_A " x,", "line 1 must end with scopes" },
		{ "a " HASH_A " x y", "line 1 must end with scopes" },
		{ "a " HASH_A " *", "line 1 must end with scopes" },
		{ "a.b " HASH_A " x", "line 1 must begin with an id" },
		{ "a " HASH_A "0 x", "64 hex digits" },
		{ "a " HASH_A " x\na " HASH_A " y", "same id" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_null(parse(rows[i].text));
		if (strstr(why, rows[i].sentence) == NULL)
			fail_msg("%s: %s", rows[i].text, why);
	}
}

static void
test_no_more_than_so_many(void **state)
{
	char *text = malloc((API_KEYS_MAX + 1) * 80), *end = text;
	struct api_keys *keys;

	(void)state;
	for (int i = 0; i <= API_KEYS_MAX; i++) {
		if (i == API_KEYS_MAX) {
			keys = parse(text);
			assert_int_equal(api_keys_count(keys), API_KEYS_MAX);
			api_keys_free(keys);
		}
		end += sprintf(end, "k%d " HASH_A " x\n", i);
	}
	assert_null(parse(text));
	assert_non_null(strstr(why, "line 1001 is one key more"));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_not_found),
		cmocka_unit_test(test_an_empty_file_has_no_key),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_more_than_so_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
