/* Where a token and a key may be, and when a cookie does not count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/identity/identity_rules.h"

static char text[512];

static struct http_head
head_of(const char *method, const char *fields)
{
	struct http_head head;
	size_t scanned = 0;
	enum err err;

	snprintf(
	    text, sizeof(text), "%s /a HTTP/1.1\r\nHost: t\r\n%s\r\n", method, fields);
	assert_int_equal(
	    http_parse_request(str_of(text), &scanned, &head, &err), HTTP_PARSE_DONE);
	return head;
}

static void
test_tokens(void **state)
{
	static const struct {
		const char *method, *fields;
		enum identity_shown shown;
	} rows[] = {
		{ "GET", "", SHOWN_NO_TOKEN },
		{ "POST", "Authorization: Bearer a.b.c\r\n", SHOWN_TOKEN },
		{ "GET", "authorization: bEARER  a.b.c \r\n", SHOWN_TOKEN },
		{ "GET", "Authorization: Bearer\r\n", SHOWN_ELSE },
		{ "GET", "Authorization: \r\n", SHOWN_ELSE },
		{ "GET", "Authorization: Basic a.b.c\r\n", SHOWN_ELSE },
		{ "GET", "Authorization: Bearer a.b.c\r\nAuthorization: Bearer a.b.c\r\n",
		    SHOWN_TWICE },
		{ "GET", "Cookie: onrush_token=a.b.c\r\n", SHOWN_TOKEN },
		{ "HEAD", "Cookie: x=1; onrush_token=a.b.c\r\n", SHOWN_TOKEN },
		{ "GET", "Cookie: onrush_token=\r\n", SHOWN_NO_TOKEN },
		{ "GET", "Cookie: onrush_token\r\n", SHOWN_NO_TOKEN },
		{ "GET", "Cookie: xonrush_token=a.b.c\r\n", SHOWN_NO_TOKEN },
		{ "GET", "Cookie: onrush_token=x\r\nAuthorization: Bearer a.b.c\r\n",
		    SHOWN_TOKEN },
		{ "POST", "Cookie: onrush_token=a.b.c\r\n", SHOWN_ASTRAY },
		{ "DELETE", "Cookie: onrush_token=a.b.c\r\nSec-Fetch-Site: same-site\r\n",
		    SHOWN_ASTRAY },
		{ "PUT", "Cookie: onrush_token=a.b.c\r\nSec-Fetch-Site: cross-site\r\n",
		    SHOWN_ASTRAY },
		{ "POST", "Cookie: onrush_token=a.b.c\r\nSec-Fetch-Site: same-origin\r\n",
		    SHOWN_TOKEN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_head head = head_of(rows[i].method, rows[i].fields);
		str token;

		if (identity_find_token(&head, &token) != rows[i].shown)
			fail_msg("%s", text);
		if (rows[i].shown == SHOWN_TOKEN)
			assert_true(str_eq(token, STR("a.b.c")));
	}
}

static void
test_keys(void **state)
{
	struct http_head head = head_of("GET", "");
	str key;

	(void)state;
	assert_int_equal(identity_find_key(&head, &key), SHOWN_NO_TOKEN);
	head = head_of("GET", "X-Api-Key:\r\n");
	assert_int_equal(identity_find_key(&head, &key), SHOWN_NO_TOKEN);
	head = head_of("GET", "x-api-key: a.b\r\n");
	assert_int_equal(identity_find_key(&head, &key), SHOWN_TOKEN);
	assert_true(str_eq(key, STR("a.b")));
	head = head_of("GET", "x-api-key: a.b\r\nX-Api-Key: a.b\r\n");
	assert_int_equal(identity_find_key(&head, &key), SHOWN_TWICE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
