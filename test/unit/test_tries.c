/* The attempts of records: a small sorted table. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "bus/tries.h"

static void
test_set_get_forget(void **state)
{
	struct tries t = { 0 };

	(void)state;
	assert_int_equal(tries_get(&t, 5), 0);
	tries_forget(&t, 100);
	for (int64_t offset = 99; offset >= 0; offset--) /* worst order */
		tries_set(&t, offset * 3, (int)offset + 1);
	tries_set(&t, 30, 77); /* again */
	assert_int_equal(t.count, 100);
	for (int64_t offset = 0; offset < 300; offset++)
		assert_int_equal(tries_get(&t, offset), offset == 30      ? 77
							: offset % 3 == 0 ? offset / 3 + 1
									  : 0);
	tries_forget(&t, 30);
	assert_int_equal(tries_get(&t, 27), 0);
	assert_int_equal(tries_get(&t, 30), 77);
	assert_int_equal(t.count, 90);
	tries_forget(&t, 31);
	assert_int_equal(tries_get(&t, 30), 0);
	tries_forget(&t, 1000);
	assert_int_equal(t.count, 0);
	tries_fini(&t);
	tries_fini(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_get_forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
