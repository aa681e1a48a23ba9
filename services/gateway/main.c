/* The gateway's life: the routes for all, a server and upstreams for every worker. */
#include <stddef.h>
#include <stdlib.h>

#include "app/log.h"
#include "app/privileges.h"
#include "app/sandbox.h"
#include "base/clock.h"
#include "gateway/admin.h"
#include "gateway/gateway.h"
#include "gateway/passes/line_copies.h"
#include "gateway/passes/pages.h"
#include "gateway/routes/routing.h"
#include "gateway/upstream/server_list.h"
#include "http/sockets.h"

#define OBSERVE_US (1 * CLOCK_US_PER_SEC)

static bool check(char *err, size_t err_size);
static bool start(struct app *app);
static void reload(struct app *app);
static void stop(struct app *app);
static bool worker_start(struct worker *w);
static void worker_drain(struct worker *w);
static void worker_stop(struct worker *w);

static struct gateway_settings settings;
static struct line_sources queues; /* filled before the workers start */

static const struct conf_item items[] = {
	APP_CONF_ITEMS("0"),
	HTTPD_CONF_ITEMS(struct gateway_settings, http, "127.0.0.1:8080"),
	CERTIFICATES_CONF_ITEMS(struct gateway_settings, tls),
	BALANCERS_CONF_ITEMS(struct gateway_settings, balancers),
	GATEWAY_CONF_ITEMS,
	UPSTREAM_CONF_ITEMS(struct gateway_settings, upstream),
	PASSES_CONF_ITEMS(struct gateway_settings, passes),
	LIMITS_CONF_ITEMS(struct gateway_settings, limits),
	IDENTITY_CONF_ITEMS(struct gateway_settings, identity),
	CORS_CONF_ITEMS(struct gateway_settings, cors),
	FORWARDED_CONF_ITEMS(struct gateway_settings, forwarded),
	TUNNEL_CONF_ITEMS(struct gateway_settings, tunnel),
	COMPRESS_CONF_ITEMS(struct gateway_settings, compress),
	TRACE_CONF_ITEMS(struct gateway_settings, trace),
};

static const struct app_desc desc = {
	.name = "gateway",
	.summary = "The one door: routes every call to the service that answers it.",
	.conf = items,
	.conf_count = ARRAY_LEN(items),
	.settings = &settings,
	.check = check,
	.start = start,
	.reload = reload,
	.worker_start = worker_start,
	.worker_drain = worker_drain,
	.worker_stop = worker_stop,
	.stop = stop,
};

int
main(int argc, char **argv)
{
	return app_main(argc, argv, &desc);
}

/* Settings that are read once and stay. */
static bool
read_settings(char *err, size_t err_size)
{
	return balancers_read(&settings.balancers, err, err_size) &&
	       limits_read(&settings.limits, err, err_size) &&
	       cors_read(&settings.cors, err, err_size) &&
	       forwarded_read(&settings.forwarded, err, err_size) &&
	       trace_read(&settings.trace, err, err_size);
}

/* Those, and the files that may be read again. */
static bool
check(char *err, size_t err_size)
{
	return read_settings(err, err_size) &&
	       certificates_check(&settings.tls, err, err_size) &&
	       routing_check(&settings, err, err_size) &&
	       identity_check_files(&settings.identity, err, err_size);
}

/* Where the line's numbers are asked for: the servers that the setting names by address.
 */
static void
find_queues(void)
{
	static struct server_entry entries[SERVER_LIST_MAX];
	char err[512];
	size_t count;

	queues.count = 0;
	if (!server_list_parse(str_of(settings.servers[GATEWAY_QUEUE]), entries, &count,
		err, sizeof(err)))
		return;
	for (size_t i = 0; i < count && queues.count < LINE_SOURCES_MAX; i++)
		if (!entries[i].srv)
			queues.addresses[queues.count++] = entries[i].name;
}

/* All that needs privileges has been opened. Before the first thread, which would keep
 * its own. */
static bool
give_up(void)
{
	return privileges_drop(settings.user) &&
	       (!settings.sandbox || sandbox_enter(items, ARRAY_LEN(items), &settings));
}

static bool
start(struct app *app)
{
	char err[1024];

	if (!read_settings(err, sizeof(err))) {
		log_error("%s", err);
		return false;
	}
	pages_init();
	find_queues();
	views_start(app_workers(app));
	balancers_start(&settings.tls.opening);
	limits_start(&settings.limits, app_workers(app));
	return gateway_admin_open(&settings.http, settings.admin_listen) &&
	       httpd_listen(&settings.http, &settings.tls.opening, app_workers(app)) &&
	       certificates_start(&settings.tls) && give_up() &&
	       routing_start(&settings) && passes_start(&settings.passes, &queues) &&
	       identity_start(&settings.identity) &&
	       trace_start(settings.upstream.name_server, settings.upstream.lookup_us);
}

static void
reload(struct app *app)
{
	char err[1024];
	bool ok;

	(void)app;
	gateway_admin_reloading();
	ok = routing_reload(err, sizeof(err));
	certificates_reload();
	credentials_reload();
	gateway_admin_reloaded(ok ? NULL : err);
}

static void
stop(struct app *app)
{
	(void)app;
	routing_stop();
	certificates_stop();
	trace_stop();
	sockets_close();
	credentials_stop();
	views_stop();
}

/* Says what this worker knows to whoever asks. */
static void
publish(struct gateway *gw)
{
	struct outlet *o;

	view_clear(&gw->view);
	LIST_FOREACH (o, &gw->outlets, link)
		upstream_view(o->upstream, &gw->view);
	httpd_load(gw->httpd, &gw->view.conns, &gw->view.requests);
	views_publish(gw->worker->index, &gw->view);
}

static void
on_observe(void *arg)
{
	struct gateway *gw = arg;
	struct outlet *o;

	if (!gateway_adopt(gw))
		log_error(
		    "the new routes are not taken over by worker %d", gw->worker->index);
	certificates_give(gw->httpd, &gw->tls_version);
	if (gw->worker->index == 0)
		certificates_watch();
	identity_adopt(gw->identity);
	LIST_FOREACH (o, &gw->outlets, link)
		upstream_observe(o->upstream);
	limits_observe(gw->limits);
	trace_observe(gw->trace);
	publish(gw);
	loop_timer_set(gw->observe, OBSERVE_US);
}

static void
on_drained(struct worker *w)
{
	const struct gateway *gw = w->state;

	trace_drain(gw->trace, w);
}

static bool
worker_start(struct worker *w)
{
	struct gateway *gw = w->state = xcalloc(1, sizeof(*gw));
	struct httpd_conf conf = {
		.settings = &settings.http,
		.opening = &settings.tls.opening,
		.service = gw,
		.no_metrics = settings.admin_listen[0] != '\0',
		.drained = on_drained,
	};
	bool failed;

	gw->worker = w;
	gw->settings = &settings;
	LIST_INIT(&gw->outlets);
	gw->observe = loop_timer_new(w->loop, on_observe, gw);
	gw->limits = limits_new(&settings.limits, w);
	gw->identity = identity_new(&settings.identity);
	gw->tunnels = tunnels_new(w->loop, &settings.tunnel);
	gw->compress = compress_new(&settings.compress);
	gw->passes = passes_new(&settings.passes, &queues, w, &failed);
	if (failed)
		return false;
	gw->trace = trace_new(w);
	conf.tracer = trace_tracer(gw->trace);
	gw->httpd = httpd_new(w, &conf);
	if (gw->httpd == NULL || !gateway_adopt(gw))
		return false;
	certificates_give(gw->httpd, &gw->tls_version);
	publish(gw);
	loop_timer_set(gw->observe, OBSERVE_US);
	return w->index != 0 || gateway_admin_start(w);
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
	if (w->index == 0)
		gateway_admin_stop();
	gateway_free(w->state);
}
