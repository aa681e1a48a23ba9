/* The table of outcomes: rules that every row must keep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/err.h"

static void
test_ok_is_the_first_and_the_only_success(void **state)
{
	(void)state;
	assert_int_equal(ERR_OK, 0);
	assert_int_equal(err_info(ERR_OK)->status, 200);
	for (int e = ERR_OK + 1; e < ERR_COUNT; e++)
		assert_in_range(err_info((enum err)e)->status, 400, 599);
}

/* Clients branch on the code, so it must be theirs alone and look like one. */
static void
test_codes_are_unique_and_upper_case(void **state)
{
	(void)state;
	for (int e = 0; e < ERR_COUNT; e++) {
		const char *code = err_info((enum err)e)->code;

		assert_int_equal(
		    strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), strlen(code));
		assert_int_equal(err_from_code(code), e);
	}
	assert_int_equal(err_from_code("NO_SUCH_CODE"), ERR_COUNT);
	assert_int_equal(err_from_code(""), ERR_COUNT);
}

/* They are put into JSON answers as they are. */
static void
test_messages_are_sentences(void **state)
{
	(void)state;
	for (int e = ERR_OK + 1; e < ERR_COUNT; e++) {
		const char *message = err_info((enum err)e)->message;

		assert_int_equal(message[strlen(message) - 1], '.');
		assert_null(strpbrk(message, "\"\\\n"));
	}
}

/* Trying again heals trouble (5xx), a full queue (429) and a lost race, not a client's
 * mistake; what is acknowledged has been decided. */
static void
test_retry_and_ack_agree_with_the_status(void **state)
{
	(void)state;
	for (int e = 0; e < ERR_COUNT; e++) {
		const struct err_info *info = err_info((enum err)e);

		if (info->status == 503)
			assert_true(info->retry && !info->ack);
		if (info->status == 429)
			assert_true(info->retry);
		if (info->status < 500)
			assert_true(info->ack);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ok_is_the_first_and_the_only_success),
		cmocka_unit_test(test_codes_are_unique_and_upper_case),
		cmocka_unit_test(test_messages_are_sentences),
		cmocka_unit_test(test_retry_and_ack_agree_with_the_status),
	};
	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
