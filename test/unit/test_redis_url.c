/* Redis URLs: every form that is taken, and what is not. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "store/redis_impl.h"

static void
urls_are_taken_apart(void **state)
{
	static const struct {
		const char *url, *address, *user, *password;
		int db;
	} cases[] = {
		{ "redis://h:1", "h:1", "", "", 0 },
		{ "redis://h", "h:6379", "", "", 0 },
		{ "redis://127.0.0.1:65535/", "127.0.0.1:65535", "", "", 0 },
		{ "redis://h:6380/15", "h:6380", "", "", 15 },
		{ "redis://:secret@h", "h:6379", "", "secret", 0 },
		{ "redis://me:secret@h:7/1", "h:7", "me", "secret", 1 },
		{ "redis://me:s%3A%40%2f%25@h", "h:6379", "me", "s:@/%", 0 },
		{ "redis://me:a@b:c@h", "h:6379", "me", "a@b:c", 0 },
		{ "redis://[::1]:7/2", "[::1]:7", "", "", 2 },
		{ "redis://[::1]", "[::1]:6379", "", "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct redis_url out;

		assert_true(redis_url_parse(cases[i].url, &out));
		assert_string_equal(out.address, cases[i].address);
		assert_string_equal(out.user, cases[i].user);
		assert_string_equal(out.password, cases[i].password);
		assert_int_equal(out.db, cases[i].db);
	}
}

static void
other_texts_are_refused(void **state)
{
	static const char *const cases[] = { "", "redis", "redis:", "redis://", "h:6379",
		"http://h", "rediss://h", "REDIS://h", "redis://:6379",
		"redis://h:", "redis://h:0", "redis://h:65536", "redis://h:6379x",
		"redis://h:-1", "redis://h/x", "redis://h/-1", "redis://h/65536",
		"redis://h/1/2", "redis://h/1?x", "redis://me@h", "redis://me:@h",
		"redis://@h", "redis://a:b@", "redis://a:%4@h", "redis://a:%00@h",
		"redis://a:%zz@h", "redis://[::1", "redis://[::1]x",
		"redis://[::1]:", "redis://a:b@:6379" };
	struct redis_url out;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (redis_url_parse(cases[i], &out))
			fail_msg("taken: %s", cases[i]);
}

static void
long_parts_are_refused(void **state)
{
	char url[2000], part[1000];
	struct redis_url out;

	(void)state;
	memset(part, 'x', sizeof(part));
	snprintf(url, sizeof(url), "redis://%.*s", 265, part);
	assert_false(redis_url_parse(url, &out));
	snprintf(url, sizeof(url), "redis://%.*s:6379", 264, part);
	assert_true(redis_url_parse(url, &out));
	assert_int_equal(strlen(out.address), 269);
	snprintf(url, sizeof(url), "redis://%.*s:p@h", 128, part);
	assert_false(redis_url_parse(url, &out));
	snprintf(url, sizeof(url), "redis://u:%.*s@h", 512, part);
	assert_false(redis_url_parse(url, &out));
	snprintf(url, sizeof(url), "redis://%.*s:%.*s@h", 127, part, 511, part);
	assert_true(redis_url_parse(url, &out));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_are_taken_apart),
		cmocka_unit_test(other_texts_are_refused),
		cmocka_unit_test(long_parts_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
