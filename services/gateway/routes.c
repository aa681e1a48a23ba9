/*
 * The route table, as the server wants it and as the forwarding step wants it: two arrays
 * made from routes.def whose elements of the same index belong together.
 */
#include "gateway/routes.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/gateway.h"

/*
 * How long a client waits at most. A call that changes something outlasts the pool's own
 * deadlines (upstream.h), so that it ends with the pool's word on whether it was sent.
 */
#define DEADLINE_READ  (5 * CLOCK_US_PER_SEC)
#define DEADLINE_WRITE (30 * CLOCK_US_PER_SEC)

static const struct route table[] = {
#define X(method, pattern, upstream, target, deadline, body)                             \
	{ HTTP_##method, pattern, gateway_forward, DEADLINE_##deadline, body, 0 },
#include "gateway/routes.def"
#undef X
};

static const struct gateway_route rows[] = {
#define X(method, pattern, upstream, target, deadline, body)                             \
	{ UPSTREAM_##upstream, target },
#include "gateway/routes.def"
#undef X
};

static size_t escaped_size(str s);
static char *escape(char *out, str s);

const struct route *
routes_table(size_t *count)
{
	*count = ARRAY_LEN(table);
	return table;
}

const struct gateway_route *
routes_find(const struct route *route)
{
	ASSERT(route >= table && route < table + ARRAY_LEN(table));
	return &rows[route - table];
}

str
routes_target(const struct gateway_route *route, const str params[RQ_MAX_PARAMS],
    str query, struct arena *arena)
{
	str rest = str_of(route->target);

	if (query.n == 0 && memchr(rest.p, '{', rest.n) == NULL)
		return rest;

	size_t size = rest.n + 1 + query.n;
	for (size_t i = 0; i < RQ_MAX_PARAMS; i++)
		size += escaped_size(params[i]);

	char *start = arena_alloc(arena, size);
	char *out = start;
	for (size_t i = 0; rest.n > 0; i++) {
		str literal;
		rest = str_cut(rest, '{', &literal);
		out = mempcpy(out, literal.p, literal.n);
		if (rest.p == NULL)
			break;
		str name;
		rest = str_cut(rest, '}', &name);
		ASSERT(i < RQ_MAX_PARAMS);
		out = escape(out, params[i]);
	}
	if (query.n > 0) {
		*out++ = '?';
		out = mempcpy(out, query.p, query.n);
	}
	return (str){ start, (size_t)(out - start) };
}

/* What needs no escaping in a segment. The dot does: a segment of dots is a way up. */
static bool
is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '~';
}

static size_t
escaped_size(str s)
{
	size_t size = s.n;

	for (size_t i = 0; i < s.n; i++)
		size += is_plain(s.p[i]) ? 0 : 2;
	return size;
}

static char *
escape(char *out, str s)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (is_plain(s.p[i])) {
			*out++ = s.p[i];
			continue;
		}
		*out++ = '%';
		*out++ = digits[c >> 4];
		*out++ = digits[c & 15];
	}
	return out;
}
