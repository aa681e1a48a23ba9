/* Which traces are recorded, where they go, and what the collector's answers mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "gateway/trace/trace_rules.h"

#define S(n) ((n)*CLOCK_US_PER_SEC)

static void
test_where_spans_go(void **state)
{
	static const struct {
		const char *text, *server, *path;
	} cases[] = {
		{ "http://collector:4318", "collector:4318", "/v1/traces" },
		{ "http://127.0.0.1:4318/", "127.0.0.1:4318", "/v1/traces" },
		{ "http://[::1]:4318", "[::1]:4318", "/v1/traces" },
		{ "http://c:80/otlp/v1/traces?x=1", "c:80", "/otlp/v1/traces?x=1" },
	};
	struct trace_place place;
	char err[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (!trace_place_parse(str_of(cases[i].text), &place, err, sizeof(err)))
			fail_msg("%s: %s", cases[i].text, err);
		assert_string_equal(place.server.name, cases[i].server);
		assert_true(str_eq(place.path, str_of(cases[i].path)));
	}
}

static void
test_where_spans_cannot_go(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "collector:4318", "does not begin with http://" },
		{ "https://collector:4318", "for TLS" },
		{ "HTTP://collector:4318", "does not begin" },
		{ "http://", "one host:port" },
		{ "http:///v1/traces", "one host:port" },
		{ "http://collector", "one host:port" },
		{ "http://collector:0", "one host:port" },
		{ "http://a:1,b:2", "one host:port" },
		{ "http://a:1 weight=2", "one host:port" },
		{ "http://srv:_otlp._tcp.example", "one host:port" },
		{ "http://a:1/x y", "blank" },
		{ "http://a:1/#x", "\"#\"" },
		{ "http://a:1/\x7f", "escaped" },
		{ "http://a:1/\xc3\xa9", "escaped" },
	};
	struct trace_place place;
	char err[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (trace_place_parse(str_of(cases[i].text), &place, err, sizeof(err)))
			fail_msg("%s is taken", cases[i].text);
		if (strstr(err, cases[i].why) == NULL)
			fail_msg("%s: %s", cases[i].text, err);
	}
}

/* A traceparent with these last 14 digits of its trace's id. */
static str
parent(const char *digits, const char *flags)
{
	static char text[TRACE_PARENT_SIZE + 1];

	snprintf(text, sizeof(text), "00-0af7651916cd43dd84%s-b7ad6b7169203331-%s",
	    digits, flags);
	return str_of(text);
}

static void
test_the_flag(void **state)
{
	static const char *const yes[] = { "01", "03", "ff", "f1", "0b" };
	static const char *const no[] = { "00", "02", "fe", "f0", "0a" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		assert_true(trace_is_sampled(parent("48eb211c80319c", yes[i])));
		assert_false(trace_is_sampled(parent("48eb211c80319c", no[i])));
	}
}

static void
test_the_draw(void **state)
{
	const char *least = "00000000000000", *most = "ffffffffffffff";

	(void)state;
	assert_true(trace_draw(parent(least, "01"), 1));
	assert_true(trace_draw(parent(most, "01"), 1));
	assert_false(trace_draw(parent(least, "01"), 0));
	assert_false(trace_draw(parent(most, "01"), 0));
	/* Half of them, the larger ones, exactly. */
	assert_true(trace_draw(parent("80000000000000", "01"), 0.5));
	assert_false(trace_draw(parent("7fffffffffffff", "01"), 0.5));
	assert_true(trace_draw(parent("f0000000000000", "01"), 0.0625));
	assert_false(trace_draw(parent("efffffffffffff", "01"), 0.0625));
	assert_true(trace_draw(parent(most, "01"), 1e-9));
	/* Who takes few takes none that those who take more do not. */
	for (int i = 0; i < 256; i++) {
		char digits[15];
		bool taken = false;

		snprintf(digits, sizeof(digits), "%02x48eb211c8031", i);
		for (double ratio = 0; ratio <= 1; ratio += 1.0 / 64) {
			bool now = trace_draw(parent(digits, "01"), ratio);

			assert_true(now || !taken);
			taken = now;
		}
		assert_true(taken);
	}
}

static void
test_what_answers_mean(void **state)
{
	static const int later[] = { 429, 502, 503, 504 };
	static const int refused[] = { 301, 400, 401, 404, 405, 408, 413, 415, 500, 501,
		505 };

	(void)state;
	assert_int_equal(trace_judge(ERR_OK, 200), TRACE_TAKEN);
	assert_int_equal(trace_judge(ERR_OK, 202), TRACE_TAKEN);
	for (size_t i = 0; i < ARRAY_LEN(later); i++)
		assert_int_equal(trace_judge(ERR_OK, later[i]), TRACE_LATER);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		assert_int_equal(trace_judge(ERR_OK, refused[i]), TRACE_REFUSED);
	assert_int_equal(trace_judge(ERR_UNAVAILABLE, 0), TRACE_LATER);
	assert_int_equal(trace_judge(ERR_TIMEOUT, 0), TRACE_LATER);
	assert_int_equal(trace_judge(ERR_BAD_GATEWAY, 0), TRACE_LATER);
}

static void
test_rests(void **state)
{
	static const int64_t longest[] = { S(1), S(2), S(4), S(8), S(16), S(30), S(30) };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(longest); i++) {
		int failures = (int)i + 1;

		assert_int_equal(trace_rest_us(failures, 0, STR_NULL), longest[i]);
		for (uint64_t random = 1; random != 0; random <<= 1) {
			int64_t us = trace_rest_us(failures, random, STR_NULL);

			assert_in_range(us, longest[i] * 3 / 4, longest[i]);
		}
	}
	assert_int_equal(trace_rest_us(1000000, 0, STR_NULL), S(30));
	/* As long as the collector asks for, never shorter, and not for ever. */
	assert_int_equal(trace_rest_us(1, 0, STR("7")), S(7));
	assert_int_equal(trace_rest_us(4, 0, STR("7")), S(8));
	assert_int_equal(trace_rest_us(1, 0, STR("0")), S(1));
	assert_int_equal(trace_rest_us(1, 0, STR("86400")), S(3600));
	assert_int_equal(trace_rest_us(1, 0, STR("9223372036854775807")), S(3600));
	assert_int_equal(trace_rest_us(1, 0, STR("-5")), S(1));
	assert_int_equal(trace_rest_us(1, 0, STR("Sat, 21 Nov 2026 15:00:00 GMT")), S(1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_where_spans_go),
		cmocka_unit_test(test_where_spans_cannot_go),
		cmocka_unit_test(test_the_flag),
		cmocka_unit_test(test_the_draw),
		cmocka_unit_test(test_what_answers_mean),
		cmocka_unit_test(test_rests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
