/* The series as other implementations have it: places in lines and ids depend on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/splitmix.h"

static void
test_the_series(void **state)
{
	static const uint64_t expected[] = { UINT64_C(6457827717110365317),
		UINT64_C(3203168211198807973), UINT64_C(9817491932198370423),
		UINT64_C(4593380528125082431), UINT64_C(16408922859458223821) };
	uint64_t at = 1234567;

	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_int_equal(splitmix64_next(&at), expected[i]);
	assert_int_equal(splitmix64_mix(0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_the_series) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
