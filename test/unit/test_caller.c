/* For whom a request may act, by what the gateway says of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "http/caller.h"

static char text[512];
static struct http_head head;

static struct rq
with(const char *fields)
{
	size_t scanned = 0;
	enum err err;

	snprintf(text, sizeof(text), "GET /a HTTP/1.1\r\nHost: t\r\n%s\r\n", fields);
	assert_int_equal(
	    http_parse_request(str_of(text), &scanned, &head, &err), HTTP_PARSE_DONE);
	return (struct rq){ .head = &head };
}

static void
test_for_whom(void **state)
{
	static const struct {
		const char *fields;
		int64_t user_id;
		enum err err;
	} rows[] = {
		{ "", 7, ERR_OK },
		{ "X-Onrush-User: 7\r\n", 7, ERR_OK },
		{ "x-onrush-user: 9223372036854775807\r\n", INT64_MAX, ERR_OK },
		{ "X-Onrush-User: 7\r\n", 8, ERR_FORBIDDEN },
		{ "X-Onrush-User: 7\r\n", -7, ERR_FORBIDDEN },
		{ "X-Onrush-User:\r\n", 7, ERR_FORBIDDEN },
		{ "X-Onrush-User: 0\r\n", 0, ERR_FORBIDDEN },
		{ "X-Onrush-User: x\r\n", 7, ERR_FORBIDDEN },
		{ "X-Onrush-User: 7\r\nX-Onrush-Line: 1\r\n", 7, ERR_OK },
		{ "X-Onrush-User: 7\r\nX-Onrush-Line: 1\r\n", 8, ERR_PASS_BORROWED },
		{ "X-Onrush-Line: 1\r\n", 8, ERR_OK },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rq rq = with(rows[i].fields);

		if (caller_check(&rq, rows[i].user_id) != rows[i].err)
			fail_msg("%s", rows[i].fields);
	}
}

static void
test_of_which_line(void **state)
{
	struct rq rq = with("X-Onrush-Line: 0\r\n");
	int64_t line = -1;

	(void)state;
	assert_true(caller_line(&rq, &line));
	assert_int_equal(line, 0);
	rq = with("");
	assert_false(caller_line(&rq, &line));
	rq = with("X-Onrush-Line: -1\r\n");
	assert_false(caller_line(&rq, &line));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_for_whom),
		cmocka_unit_test(test_of_which_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
