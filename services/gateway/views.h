/*
 * What the workers know, for people and for /metrics: each worker publishes a copy about
 * once a second, and a reader adds the copies up. Nothing of it is on a request's way.
 *
 *   worker ──view_begin, upstream_view, view_publish──> copy (of each worker)
 *                                                        │
 *                admin.c, /metrics <──views_read─────────┘ added up
 */
#ifndef ONRUSH_GATEWAY_VIEWS_H
#define ONRUSH_GATEWAY_VIEWS_H

#include "base/breaker.h"
#include "gateway/upstream/dns.h"
#include "gateway/upstream/upstream_metrics.h"

enum {
	VIEW_NAME_SIZE = 64,
	BREAKER_STATES = BREAKER_HALF_OPEN + 1,
};

/* A server of a service. Of several workers everything is the sum, but `weight` and the
 * longest `ejected_us`. */
struct server_view {
	char service[VIEW_NAME_SIZE];
	char address[DNS_ADDRESS_SIZE];
	int weight;
	size_t states[SERVER_STATES]; /* workers to which it is in that state */
	size_t conns, busy, queued;
	uint64_t calls, failures; /* since a worker knows it */
	int64_t ejected_us;       /* until it is not left out any more */
};

struct service_view {
	char name[VIEW_NAME_SIZE];
	size_t breaker[BREAKER_STATES]; /* workers whose breaker is in that state */
};

/* One worker's, or all workers' together. All zero is an empty one. */
struct view {
	struct server_view *servers; /* owned; by service and address */
	size_t server_count, server_room;
	struct service_view *services; /* owned; by name */
	size_t service_count, service_room;
	size_t conns, requests; /* of clients; under way */
};

/* Appends a row of zeros but for the name, which is cut. */
struct service_view *view_add_service(struct view *v, const char *name);
struct server_view *
view_add_server(struct view *v, const char *service, const char *address);
void view_clear(struct view *v); /* keeps the memory */
void view_fini(struct view *v);

/* Adds rows of the same names up and sorts them. */
void view_merge(struct view *into, const struct view *from);

/* Before the workers start, and after they have ended. Servers are in /metrics then. */
void views_start(int workers);
void views_stop(void);

/* Makes *v what is known of this worker; *v is then an older one, to be filled again. */
void views_publish(int worker, struct view *v);
/* All workers' together, appended to *v, which was empty. Any thread. */
void views_read(struct view *v);

#endif
