/* The gateway's life: a server and a pool to each service for every worker. */
#include <stddef.h>
#include <stdlib.h>

#include "app/log.h"
#include "base/clock.h"
#include "gateway/gateway.h"
#include "gateway/pages.h"

#define OBSERVE_US (1 * CLOCK_US_PER_SEC)

static bool start(struct app *app);
static bool worker_start(struct worker *w);
static void worker_drain(struct worker *w);
static void worker_stop(struct worker *w);

static struct gateway_settings settings;

static const struct conf_item items[] = {
	APP_CONF_ITEMS("0"),
	HTTPD_CONF_ITEMS(struct gateway_settings, http, "127.0.0.1:8080"),
	UPSTREAM_CONF_ITEMS(struct gateway_settings, upstream),
	PASSES_CONF_ITEMS(struct gateway_settings, passes),
};

static const struct app_desc desc = {
	.name = "gateway",
	.summary = "The one door: routes every call to the service that answers it.",
	.conf = items,
	.conf_count = ARRAY_LEN(items),
	.settings = &settings,
	.start = start,
	.worker_start = worker_start,
	.worker_drain = worker_drain,
	.worker_stop = worker_stop,
};

int
main(int argc, char **argv)
{
	return app_main(argc, argv, &desc);
}

static const char *
queue_address(void)
{
	return settings.upstream.addresses[UPSTREAM_QUEUE];
}

static bool
start(struct app *app)
{
	(void)app;
	upstream_register();
	pages_init();
	return passes_start(&settings.passes, queue_address());
}

static void
on_observe(void *arg)
{
	struct gateway *gw = arg;

	for (int id = 0; id < UPSTREAM_COUNT; id++)
		upstream_observe(&gw->upstreams[id]);
	loop_timer_set(gw->observe, OBSERVE_US);
}

static bool
worker_start(struct worker *w)
{
	struct gateway *gw = w->state = xcalloc(1, sizeof(*gw));
	const int workers = app_workers(w->app);

	for (int id = 0; id < UPSTREAM_COUNT; id++) {
		if (!upstream_init(&gw->upstreams[id], (enum upstream_id)id,
			&settings.upstream, w->loop, workers))
			return false;
	}

	bool failed;
	gw->passes = passes_new(&settings.passes, queue_address(), w, &failed);
	if (failed)
		return false;

	struct httpd_conf conf = {
		.settings = &settings.http,
		.service = gw,
	};
	conf.routes = routes_table(&conf.route_count);
	gw->httpd = httpd_new(w, &conf);
	if (gw->httpd == NULL)
		return false;

	gw->observe = loop_timer_new(w->loop, on_observe, gw);
	loop_timer_set(gw->observe, OBSERVE_US);
	return true;
}

static void
worker_drain(struct worker *w)
{
	struct gateway *gw = w->state;

	httpd_drain(gw->httpd);
}

static void
worker_stop(struct worker *w)
{
	struct gateway *gw = w->state;

	loop_timer_free(gw->observe);
	httpd_free(gw->httpd);
	passes_free(gw->passes);
	for (int id = 0; id < UPSTREAM_COUNT; id++)
		upstream_fini(&gw->upstreams[id]);
	free(gw);
}
