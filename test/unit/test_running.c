/* The keys that are being worked on. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/die.h"
#include "order/running.h"

enum {
	MANY = 5000, /* more than there are buckets */
};

static void
test_a_key_is_there_until_it_ends(void **state UNUSED)
{
	struct running *r = running_new();
	struct running_key key = { .id = uuid_new() }, other = { .id = uuid_new() };

	assert_false(running_has(r, key.id));
	running_begin(r, &key);
	assert_true(running_has(r, key.id));
	assert_false(running_has(r, other.id));
	running_begin(r, &other);
	running_end(&key);
	assert_false(running_has(r, key.id));
	assert_true(running_has(r, other.id));
	running_end(&other);
	running_free(r);
}

static void
test_many_keys(void **state UNUSED)
{
	struct running *r = running_new();
	struct running_key *keys = xcalloc(MANY, sizeof(*keys));

	for (int i = 0; i < MANY; i++) {
		keys[i].id = uuid_new();
		running_begin(r, &keys[i]);
	}
	for (int i = 0; i < MANY; i += 2)
		running_end(&keys[i]);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(running_has(r, keys[i].id), i % 2);
	for (int i = 1; i < MANY; i += 2)
		running_end(&keys[i]);
	free(keys);
	running_free(r);
}

static void
test_nothing_to_free(void **state UNUSED)
{
	running_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_key_is_there_until_it_ends),
		cmocka_unit_test(test_many_keys),
		cmocka_unit_test(test_nothing_to_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
