/*
 * The routes that are in force: made of a route file, immutable, shared by all workers
 * and freed when nobody has them any more. What a file says of a service that it has in
 * common with the file before, its servers and what is known of them, goes on.
 *
 *   route_table ─owns─> route_file (rows: what the server matches, where it leads)
 *               ─has──> service … (shared with the tables before and after)
 */
#ifndef ONRUSH_GATEWAY_ROUTES_ROUTES_H
#define ONRUSH_GATEWAY_ROUTES_ROUTES_H

#include <stdatomic.h>

#include "base/arena.h"
#include "gateway/routes/route_file.h"
#include "gateway/upstream/upstream.h"

struct route_table {
	atomic_int owners;
	struct route_file *file; /* owned */
	/* Had, one for each of the file's; NULL: it has no servers here. */
	struct service *services[ROUTE_FILE_SERVICES];
	const struct route **routes; /* owned; the file's, then the gateway's own pages */
	size_t count;
};

/* Takes the file. Looks names up, which may take seconds. `before` may be NULL. The
 * caller has the result. NULL with a sentence in err[err_size], and the file is freed. */
struct route_table *routes_new(struct route_file *file, const struct route_table *before,
    const struct upstream_settings *settings, char *err, size_t err_size);
struct route_table *routes_take(struct route_table *table); /* one more has it */
void routes_put(struct route_table *table);                 /* NULL is fine */

/* What belongs to a route of a table; not for pages. */
const struct route_row *routes_row(const struct route *route);

/* Is the route for this request's host? */
bool routes_fit(const struct route *route, const struct http_head *head);

/* The path and query at the service, with the params escaped anew; static or in the
 * arena. */
str routes_target(const struct route_row *row, const str params[RQ_MAX_PARAMS], str query,
    struct arena *arena);

#endif
