/* The growable buffer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buf.h"

static void
assert_holds(const struct buf *b, const char *want)
{
	assert_int_equal(buf_size(b), strlen(want));
	assert_memory_equal(buf_str(b).p, want, strlen(want));
}

/* The first print into an empty buffer, which has no memory yet. */
static void
test_printf_into_an_empty_buffer(void **state)
{
	(void)state;
	struct buf b = { 0 };

	buf_printf(&b, "{\"seconds\":%d}", 7);
	assert_holds(&b, "{\"seconds\":7}");
	buf_fini(&b);
}

/* Around the room that a print reserves before it knows its length. */
static void
test_printf_of_every_length(void **state)
{
	(void)state;
	char want[600] = "";

	for (size_t n = 0; n < sizeof(want) - 1; n++) {
		struct buf b = { 0 };
		buf_printf(&b, "%s", want);
		assert_holds(&b, want);
		buf_printf(&b, "%d", 5);
		assert_int_equal(buf_size(&b), n + 1);
		buf_fini(&b);
		want[n] = (char)('a' + n % 26);
	}
}

static void
test_consume_and_append(void **state)
{
	(void)state;
	struct buf b = { 0 };

	buf_add_str(&b, STR("hello"));
	buf_consume(&b, 2);
	assert_holds(&b, "llo");
	buf_add_i64(&b, INT64_MIN);
	assert_holds(&b, "llo-9223372036854775808");
	buf_consume(&b, buf_size(&b));
	assert_holds(&b, "");
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_printf_into_an_empty_buffer),
		cmocka_unit_test(test_printf_of_every_length),
		cmocka_unit_test(test_consume_and_append),
	};
	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
