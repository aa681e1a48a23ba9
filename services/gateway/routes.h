/*
 * Which call at the gateway becomes which call at which service. The table is routes.def
 * and immutable. A pattern's {…} stand for one segment each; they go into the target's
 * {…}, which has the same names in the same order.
 */
#ifndef ONRUSH_GATEWAY_ROUTES_H
#define ONRUSH_GATEWAY_ROUTES_H

#include "base/arena.h"
#include "http/httpd.h"

enum upstream_id {
	UPSTREAM_COUPON,
	UPSTREAM_ORDER,
	UPSTREAM_RESERVATION,
	UPSTREAM_QUEUE,
	UPSTREAM_COUNT
};

/* What the gateway knows of a route beside what the server matches it by. */
struct gateway_route {
	enum upstream_id upstream;
	const char *target; /* the path at the service */
};

/* The routes as the server takes them, in the order in which they are matched. */
const struct route *routes_table(size_t *count);

/* What belongs to one of routes_table's that is not a page of the gateway's own. */
const struct gateway_route *routes_find(const struct route *route);

/* The path and query at the service, with the params escaped anew; static or in the
 * arena. */
str routes_target(const struct gateway_route *route, const str params[RQ_MAX_PARAMS],
    str query, struct arena *arena);

#endif
