/* Memory that is freed all at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdalign.h>
#include <string.h>

#include "base/arena.h"

static void
test_pieces_are_zeroed_aligned_and_apart(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	unsigned char *pieces[300];

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		pieces[i] = arena_alloc(a, i);
		assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
		for (size_t at = 0; at < i; at++)
			assert_int_equal(pieces[i][at], 0);
		memset(pieces[i], (int)i, i);
	}
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
		for (size_t at = 0; at < i; at++)
			assert_int_equal(pieces[i][at], i & 0xff);
	arena_free(a);
}

static void
test_reset_gives_back_all_but_a_block(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	size_t fresh = arena_footprint(a);
	unsigned char *p;

	for (int round = 0; round < 3; round++) {
		memset(arena_alloc(a, 100), 0xff, 100);
		memset(arena_alloc(a, 1 << 20), 0xff, 1 << 20);
		assert_true(arena_footprint(a) > 1 << 20);
		arena_reset(a);
		assert_int_equal(arena_footprint(a), fresh);
	}
	/* What was used before is zero again. */
	p = arena_alloc(a, 100);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
	arena_free(a);
}

static void
test_copies_and_prints(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	char long_text[5000];
	str copy;

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	assert_string_equal(arena_strdup(a, STR("abc")), "abc");
	assert_string_equal(arena_strdup(a, STR_NULL), "");
	copy = arena_str(a, STR("a\0b"));
	assert_int_equal(copy.n, 3);
	assert_memory_equal(copy.p, "a\0b", 4);
	assert_string_equal(arena_printf(a, "%s-%d", "n", 7), "n-7");
	assert_string_equal(arena_printf(a, "%s", ""), "");
	assert_string_equal(arena_printf(a, "%s", long_text), long_text);
	arena_free(a);
}

static void
test_free_accepts_null(void **state)
{
	(void)state;
	arena_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_are_zeroed_aligned_and_apart),
		cmocka_unit_test(test_reset_gives_back_all_but_a_block),
		cmocka_unit_test(test_copies_and_prints),
		cmocka_unit_test(test_free_accepts_null),
	};
	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
