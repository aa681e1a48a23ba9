#include "gateway/trace/trace_rules.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"

enum {
	DRAW_BITS = 56,
	RETRY_AFTER_MAX_S = 3600,
	REST_DOUBLINGS = 5,
};

#define REST_MAX_US (30 * CLOCK_US_PER_SEC)

bool
trace_place_parse(str text, struct trace_place *out, char *err, size_t err_size)
{
	const str scheme = STR("http://");
	struct server_entry entries[SERVER_LIST_MAX];
	size_t count = 0;
	char why[512];
	str rest, server;

	if (!str_starts(text, scheme)) {
		snprintf(err, err_size,
		    "\"%.*s\" does not begin with http://; for TLS, let a collector on "
		    "this host pass traces on",
		    STR_ARG(text));
		return false;
	}
	rest = str_cut((str){ text.p + scheme.n, text.n - scheme.n }, '/', &server);
	if (!server_list_parse(server, entries, &count, why, sizeof(why)) || count != 1 ||
	    entries[0].srv || server.n != str_of(entries[0].name).n) {
		snprintf(err, err_size,
		    "\"%.*s\" is not http://, one host:port and perhaps a path",
		    STR_ARG(text));
		return false;
	}
	for (size_t i = 0; i < rest.n; i++) {
		if (rest.p[i] > ' ' && rest.p[i] < 0x7f && rest.p[i] != '#')
			continue;
		snprintf(err, err_size,
		    "the path of \"%.*s\" has a \"#\", a blank or "
		    "a character that must be escaped",
		    STR_ARG(text));
		return false;
	}
	out->server = entries[0];
	out->path = rest.n > 0 ? (str){ rest.p - 1, rest.n + 1 } : STR("/v1/traces");
	return true;
}

/* --- sampling ------------------------------------------------------------------------
 */

static unsigned
digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

bool
trace_is_sampled(str traceparent)
{
	ASSERT(traceparent.n == TRACE_PARENT_SIZE);
	return digit(traceparent.p[TRACE_FLAGS_AT + 1]) & 1;
}

bool
trace_draw(str traceparent, double ratio)
{
	const char *end = traceparent.p + TRACE_ID_AT + TRACE_ID_SIZE;
	uint64_t drawn = 0;

	ASSERT(traceparent.n == TRACE_PARENT_SIZE);
	for (const char *p = end - DRAW_BITS / 4; p < end; p++)
		drawn = drawn << 4 | digit(*p);
	/* Exact: a double has 53 bits, and a ratio of 0 gives 2^56. */
	return drawn >= (uint64_t)ldexp(1 - ratio, DRAW_BITS);
}

/* --- the collector -------------------------------------------------------------------
 */

enum trace_verdict
trace_judge(enum err err, int status)
{
	if (err != ERR_OK)
		return TRACE_LATER;
	if (status >= 200 && status < 300)
		return TRACE_TAKEN;
	if (status == 429 || (status >= 502 && status <= 504))
		return TRACE_LATER;
	return TRACE_REFUSED;
}

int64_t
trace_rest_us(int failures, uint64_t random, str retry_after)
{
	int doublings = failures - 1 < REST_DOUBLINGS ? failures - 1 : REST_DOUBLINGS;
	int64_t rest_us = CLOCK_US_PER_SEC << doublings, seconds;

	if (rest_us > REST_MAX_US)
		rest_us = REST_MAX_US;
	/* Between three quarters of it and all of it. */
	rest_us -= (int64_t)(random % (uint64_t)(rest_us / 4));
	if (!str_to_i64(retry_after, 0, INT64_MAX, &seconds))
		return rest_us;
	if (seconds > RETRY_AFTER_MAX_S)
		seconds = RETRY_AFTER_MAX_S;
	return seconds * CLOCK_US_PER_SEC > rest_us ? seconds * CLOCK_US_PER_SEC
						    : rest_us;
}
