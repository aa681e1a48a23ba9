/* The queue service: settings, routes, and what each worker is made of. */
#include <stdlib.h>

#include "app/log.h"
#include "base/clock.h"
#include "queue/desk.h"
#include "queue/events.h"
#include "queue/line_script.h"
#include "queue/shop.h"

#define CALL_US (2 * CLOCK_US_PER_SEC)

enum {
	BODY_MAX = 1024,
	PG_CONNS = 1,
	PG_IN_FLIGHT = 16,
	PG_QUEUE = 256,
	REDIS_IN_FLIGHT = 1024,
};

static struct queue_settings settings;

static const struct conf_item conf[] = {
	APP_CONF_ITEMS("1"),
	HTTPD_CONF_ITEMS(struct queue_settings, httpd, "127.0.0.1:8084"),
	{ "ONRUSH_PG_DSN", CONF_SECRET, offsetof(struct queue_settings, pg_dsn), NULL, 0,
	    0, "PostgreSQL, as libpq's connection string." },
	{ "ONRUSH_REDIS_URL", CONF_SECRET, offsetof(struct queue_settings, redis_url),
	    NULL, 0, 0, "Redis, as redis://[user:password@]host:port[/db]." },
	{ "ONRUSH_PASS_KEYS", CONF_STRING, offsetof(struct queue_settings, pass_keys),
	    NULL, 0, 0, "File with the keys of passes (onrush passkey)." },
	{ "ONRUSH_RESERVATION_URL", CONF_STRING,
	    offsetof(struct queue_settings, shop_address), "", 0, 0,
	    "The shop behind the lines, as host:port or unix:/path: they go slower while "
	    "it "
	    "is unwell and know when all is sold. Empty: there is none." },
};

static const struct route routes[] = {
	{ HTTP_GET, "/queue/tokens/status/{userId}", token_status, CALL_US, 0, 0 },
	{ HTTP_POST, "/queue/tokens", token_take, CALL_US, BODY_MAX, 0 },
	{ HTTP_GET, "/queue/events/{userId}", token_events, CALL_US, 0, 0 },
	{ HTTP_DELETE, "/queue/tokens/{userId}", token_leave, CALL_US, 0, 0 },
	{ HTTP_GET, "/queue/serving", serving_show, CALL_US, 0, 0 },
	{ HTTP_POST, "/internal/lines/{line}/seen", serving_note_seen, CALL_US,
	    SERVING_BODY_MAX, 0 },
	{ HTTP_POST, "/admin/queue/lines", line_create, CALL_US, BODY_MAX, ROUTE_ADMIN },
	{ HTTP_GET, "/admin/queue/lines", line_list_all, CALL_US, 0, ROUTE_ADMIN },
	{ HTTP_PUT, "/admin/queue/lines/{line}", line_change, CALL_US, BODY_MAX,
	    ROUTE_ADMIN },
	{ HTTP_POST, "/admin/queue/lines/{line}/revoke", line_revoke, CALL_US, BODY_MAX,
	    ROUTE_ADMIN },
};

static bool
start(struct app *app UNUSED)
{
	line_script_init();
	return true;
}

static void
on_redis(struct redis *r UNUSED, void *arg)
{
	struct service *s = arg;

	lines_meet_redis(s->lines);
}

static void
start_stores(struct service *s)
{
	s->pg = pgpool_new(s->worker->loop, &(struct pgpool_conf){
						.dsn = settings.pg_dsn,
						.role_note = "queue",
						.conns = PG_CONNS,
						.max_in_flight = PG_IN_FLIGHT,
						.max_queue = PG_QUEUE,
						.timeout_us = CALL_US,
					    });
	s->redis = redis_new(s->worker->loop, &(struct redis_conf){
						  .url = settings.redis_url,
						  .max_in_flight = REDIS_IN_FLIGHT,
						  .timeout_us = CLOCK_US_PER_SEC,
						  .on_connect = on_redis,
						  .arg = s,
					      });
}

static bool
worker_start(struct worker *w)
{
	struct service *s = xcalloc(1, sizeof(*s));

	w->state = s;
	s->worker = w;
	s->settings = &settings;
	s->keys = pass_watch_new(w, settings.pass_keys);
	if (s->keys == NULL)
		return false;
	start_stores(s);
	s->lines = lines_new(s);
	s->desk = desk_new(s);
	s->shop = shop_new(s, settings.shop_address);
	if (s->shop == NULL)
		return false;
	s->events = events_new(s);
	ready_add(w->app, "lines", lines_ready, s->lines);
	s->httpd = httpd_new(w, &(struct httpd_conf){
				    .settings = &settings.httpd,
				    .routes = routes,
				    .route_count = ARRAY_LEN(routes),
				    .service = s,
				});
	return s->httpd != NULL;
}

static void
worker_drain(struct worker *w)
{
	struct service *s = w->state;

	httpd_drain(s->httpd);
}

/* The clients of both stores end what is pending, so the lines go after them. */
static void
worker_stop(struct worker *w)
{
	struct service *s = w->state;

	if (s == NULL)
		return;
	httpd_free(s->httpd);
	events_free(s->events);
	redis_free(s->redis);
	pgpool_free(s->pg);
	shop_free(s->shop);
	lines_free(s->lines);
	desk_free(s->desk);
	pass_watch_free(s->keys);
	free(s);
}

int
main(int argc, char **argv)
{
	static const struct app_desc desc = {
		.name = "queue",
		.summary = "The waiting line: gives tickets, serves them in order, never "
			   "more at once than the shop can take.",
		.conf = conf,
		.conf_count = ARRAY_LEN(conf),
		.settings = &settings,
		.start = start,
		.worker_start = worker_start,
		.worker_drain = worker_drain,
		.worker_stop = worker_stop,
	};

	return app_main(argc, argv, &desc);
}
