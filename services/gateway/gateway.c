/* One worker's gateway: the tables it has adopted and the upstreams that they need. */
#include "gateway/gateway.h"

#include <stdlib.h>

#include "app/log.h"
#include "gateway/routes/routing.h"

const char *const gateway_service_settings[GATEWAY_SERVICES] = {
	"ONRUSH_COUPON_URL",
	"ONRUSH_ORDER_URL",
	"ONRUSH_RESERVATION_URL",
	"ONRUSH_QUEUE_URL",
};

/* A table that requests of this worker may have. */
struct adopted {
	struct gateway *gateway;   /* borrowed */
	struct route_table *table; /* had */
};

static bool open_outlets(struct gateway *gw, const struct route_table *table);
static void close_outlets(struct gateway *gw, const struct route_table *table);
static void on_unused(void *arg);

bool
gateway_adopt(struct gateway *gw)
{
	struct adopted *a;
	struct httpd_routes routes;

	if (gw->version == routing_version())
		return true;
	a = xcalloc(1, sizeof(*a));
	a->gateway = gw;
	a->table = routing_table(&gw->version);
	if (!open_outlets(gw, a->table)) {
		close_outlets(gw, a->table);
		routes_put(a->table);
		free(a);
		return false;
	}
	gw->adopted++;
	routes = (struct httpd_routes){
		.routes = a->table->routes,
		.count = a->table->count,
		.fits = routes_fit,
		.preflight = cors_route(),
		.unused = on_unused,
		.arg = a,
	};
	httpd_set_routes(gw->httpd, &routes);
	return true;
}

/* No request of this worker has the table any more. */
static void
on_unused(void *arg)
{
	struct adopted *a = arg;
	struct gateway *gw = a->gateway;

	close_outlets(gw, a->table);
	routes_put(a->table);
	free(a);
	gw->adopted--;
	if (gw->httpd == NULL && gw->adopted == 0)
		free(gw);
}

void
gateway_free(struct gateway *gw)
{
	struct outlet *o;
	struct httpd *httpd = gw->httpd;

	loop_timer_free(gw->observe);
	httpd_free(httpd);
	trace_free(gw->trace);
	view_fini(&gw->view);
	tunnels_free(gw->tunnels);
	passes_free(gw->passes);
	limits_free(gw->limits);
	identity_free(gw->identity);
	compress_free(gw->compress);
	LIST_FOREACH (o, &gw->outlets, link) {
		upstream_free(o->upstream);
		o->upstream = NULL;
	}
	gw->httpd = NULL;
	if (gw->adopted == 0)
		free(gw);
}

/* --- outlets -------------------------------------------------------------------------
 */

static struct outlet *
find_outlet(const struct gateway *gw, const struct service *service)
{
	struct outlet *o;

	LIST_FOREACH (o, &gw->outlets, link)
		if (o->service == service)
			return o;
	return NULL;
}

struct upstream *
gateway_upstream(const struct gateway *gw, const struct service *service)
{
	const struct outlet *o = service == NULL ? NULL : find_outlet(gw, service);

	return o == NULL ? NULL : o->upstream;
}

static bool
open_outlets(struct gateway *gw, const struct route_table *table)
{
	bool ok = true;

	for (size_t i = 0; i < table->file->service_count; i++) {
		struct service *service = table->services[i];
		struct outlet *o;

		if (service == NULL)
			continue;
		o = find_outlet(gw, service);
		if (o == NULL) {
			o = xcalloc(1, sizeof(*o));
			o->service = service;
			o->upstream =
			    upstream_new(gw->worker->loop, app_workers(gw->worker->app),
				service, &gw->settings->upstream);
			LIST_INSERT_HEAD(&gw->outlets, o, link);
		}
		o->tables++;
		ok &= o->upstream != NULL;
	}
	return ok;
}

static void
close_outlets(struct gateway *gw, const struct route_table *table)
{
	for (size_t i = 0; i < table->file->service_count; i++) {
		struct outlet *o = table->services[i] == NULL
				       ? NULL
				       : find_outlet(gw, table->services[i]);

		if (o == NULL || --o->tables > 0)
			continue;
		LIST_REMOVE(o, link);
		upstream_free(o->upstream);
		free(o);
	}
}
