/* The cache of tokens: found until they expire, bounded, forgotten together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/die.h"
#include "gateway/identity/token_cache.h"

/* One of set 7. */
static struct sha256
token(uint8_t n)
{
	struct sha256 t = { { 7, 0, 0, 0, n } };

	return t;
}

static void
test_found_until_it_expires(void **state)
{
	struct token_cache *cache = token_cache_new();
	struct sha256 a = token(1), b = token(2), zeros = { { 0 } };

	(void)state;
	assert_int_equal(token_cache_find(cache, &a, 0), 0);
	assert_int_equal(token_cache_find(cache, &zeros, 0), 0);
	token_cache_add(cache, &a, 42, 100);
	assert_int_equal(token_cache_find(cache, &a, 99), 42);
	assert_int_equal(token_cache_find(cache, &a, 100), 0);
	assert_int_equal(token_cache_find(cache, &b, 99), 0);
	token_cache_free(cache);
	token_cache_free(NULL);
}

static void
test_what_expires_first_makes_room(void **state)
{
	struct token_cache *cache = token_cache_new();
	struct sha256 t;

	(void)state;
	for (uint8_t i = 0; i < TOKEN_CACHE_WAYS; i++) {
		t = token(i);
		token_cache_add(cache, &t, i + 1, i == 2 ? 150 : 200);
	}
	t = token(9);
	token_cache_add(cache, &t, 99, 300);
	assert_int_equal(token_cache_find(cache, &t, 100), 99);
	for (uint8_t i = 0; i < TOKEN_CACHE_WAYS; i++) {
		t = token(i);
		assert_int_equal(token_cache_find(cache, &t, 100), i == 2 ? 0 : i + 1);
	}
	/* Another set's. */
	t.b[0] = 8;
	token_cache_add(cache, &t, 7, 300);
	t = token(9);
	assert_int_equal(token_cache_find(cache, &t, 100), 99);
	token_cache_free(cache);
}

static void
test_forgotten(void **state)
{
	struct token_cache *cache = token_cache_new();
	struct sha256 a = token(1);

	(void)state;
	token_cache_add(cache, &a, 42, 100);
	token_cache_clear(cache);
	assert_int_equal(token_cache_find(cache, &a, 1), 0);
	token_cache_free(cache);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found_until_it_expires),
		cmocka_unit_test(test_what_expires_first_makes_room),
		cmocka_unit_test(test_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
