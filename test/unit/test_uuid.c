/* UUIDs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/uuid.h"

static void
test_text_there_and_back(void **state)
{
	(void)state;
	static const char want[] = "01234567-89ab-7def-8123-456789abcdef";
	char text[UUID_TEXT_SIZE];
	uuid id, same;

	assert_true(uuid_parse(str_of(want), &id));
	uuid_format(id, text);
	assert_string_equal(text, want);
	assert_true(uuid_parse(STR("01234567-89AB-7DEF-8123-456789ABCDEF"), &same));
	assert_true(uuid_eq(id, same));
}

static void
test_refuses_other_forms(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "01234567-89ab-7def-8123-456789abcde",
		"01234567-89ab-7def-8123-456789abcdef0",
		"0123456789ab7def8123456789abcdef",
		"{1234567-89ab-7def-8123-456789abcde}",
		"01234567-89ab-7def-8123-456789abcdeg",
		"01234567089ab-7def-8123-456789abcdef",
		"01234567-89ab07def-8123-456789abcdef",
		"01234567-89ab-7def08123-456789abcdef",
		"01234567-89ab-7def-81230456789abcdef",
		"-1234567-89ab-7def-8123-456789abcdef" };
	uuid id;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(uuid_parse(str_of(bad[i]), &id));
}

static void
test_new_ones_are_version_7_of_now(void **state)
{
	(void)state;
	int64_t before = clock_wall_us() / CLOCK_US_PER_MS * CLOCK_US_PER_MS;
	uuid id = uuid_new();
	int64_t made_us;

	assert_int_equal(id.b[6] >> 4, 7);
	assert_int_equal(id.b[8] >> 6, 2);
	assert_true(uuid_time_us(id, &made_us));
	assert_true(made_us >= before && made_us <= clock_wall_us());
}

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(uuid));
}

/* Many more than the random numbers that are fetched at once. */
static void
test_new_ones_differ(void **state)
{
	(void)state;
	static uuid ids[10000];

	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		ids[i] = uuid_new();
	qsort(ids, ARRAY_LEN(ids), sizeof(ids[0]), compare);
	for (size_t i = 1; i < ARRAY_LEN(ids); i++)
		assert_false(uuid_eq(ids[i - 1], ids[i]));
}

static void
test_a_hash_gives_version_8(void **state)
{
	(void)state;
	uint8_t hash[16];
	char text[UUID_TEXT_SIZE];
	int64_t made_us;

	memset(hash, 0xff, sizeof(hash));
	uuid_format(uuid_from_hash(hash), text);
	assert_string_equal(text, "ffffffff-ffff-8fff-bfff-ffffffffffff");
	assert_true(uuid_eq(uuid_from_hash(hash), uuid_from_hash(hash)));
	assert_false(uuid_time_us(uuid_from_hash(hash), &made_us));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_there_and_back),
		cmocka_unit_test(test_refuses_other_forms),
		cmocka_unit_test(test_new_ones_are_version_7_of_now),
		cmocka_unit_test(test_new_ones_differ),
		cmocka_unit_test(test_a_hash_gives_version_8),
	};
	return cmocka_run_group_tests_name("uuid", tests, NULL, NULL);
}
