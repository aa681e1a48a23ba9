/*
 * The route table, as the server wants it and as the forwarding step wants it: two arrays
 * made from routes.def whose elements of the same index belong together.
 */
#include "gateway/routes.h"

#include <string.h>

#include "base/clock.h"
#include "gateway/gateway.h"
#include "gateway/pages.h"
#include "gateway/passes.h"

/*
 * How long a client waits at most. A call that changes something outlasts the pool's own
 * deadlines (upstream.h), so that it ends with the pool's word on whether it was sent.
 */
#define DEADLINE_READ  (5 * CLOCK_US_PER_SEC)
#define DEADLINE_WRITE (30 * CLOCK_US_PER_SEC)

/* Where a call begins whose pass column says so. */
#define FIRST_NONE gateway_forward
#define FIRST_LINE passes_check

static const struct route table[] = {
#define X(method, pattern, upstream, target, deadline, body, pass)                       \
	{ HTTP_##method, pattern, FIRST_##pass, DEADLINE_##deadline, body, 0 },
#include "gateway/routes.def"
#undef X
#define X(pattern, name, file, type)                                                     \
	{ HTTP_GET, pattern, pages_show, DEADLINE_READ, 0, 0 },
#include "gateway/pages.def"
#undef X
};

/* The pages stand behind these and belong to no service. */
static const struct gateway_route rows[] = {
#define X(method, pattern, upstream, target, deadline, body, pass)                       \
	{ UPSTREAM_##upstream, target },
#include "gateway/routes.def"
#undef X
};

const struct route *
routes_table(size_t *count)
{
	*count = ARRAY_LEN(table);
	return table;
}

const struct gateway_route *
routes_find(const struct route *route)
{
	ASSERT(route >= table && route < table + ARRAY_LEN(rows));
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
		size += 3 * params[i].n;

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
		out = http_escape(params[i], out);
	}
	if (query.n > 0) {
		*out++ = '?';
		out = mempcpy(out, query.p, query.n);
	}
	return (str){ start, (size_t)(out - start) };
}
