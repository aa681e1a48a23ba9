/* The coupon service: settings, routes, and what each worker is made of. */
#include <stdio.h>
#include <stdlib.h>

#include "app/log.h"
#include "coupon/campaigns.h"
#include "coupon/coupon_events.h"
#include "coupon/direct.h"
#include "coupon/filter.h"
#include "coupon/flights.h"
#include "coupon/uses.h"

#define DECISION_US    (3 * CLOCK_US_PER_SEC) /* then 202 */
#define LOOKUP_US      (2 * CLOCK_US_PER_SEC)
#define WARM_US        (3 * CLOCK_US_PER_SEC)
#define PROBE_US       (500 * CLOCK_US_PER_MS) /* of a Kafka that was taken for dead */
#define KAFKA_FAILURES 3                       /* in a row, then it is taken for dead */
#define LINGER_US      100                     /* docs/decisions/009-linger.md */

enum {
	BODY_MAX = 1024,
	USES_MAX = 65536, /* bytes; 1000 of them */
	PG_CONNS = 2,
	PG_IN_FLIGHT = 64,
	PG_QUEUE = 4096,
	REDIS_IN_FLIGHT = 4096,
	PRODUCER_QUEUE = 20000,
};

static struct coupon_settings settings;

static const struct conf_item conf[] = {
	APP_CONF_ITEMS("1"),
	HTTPD_CONF_ITEMS(struct coupon_settings, httpd, "127.0.0.1:8081"),
	{ "ONRUSH_PG_DSN", CONF_SECRET, offsetof(struct coupon_settings, pg_dsn), NULL, 0,
	    0, "PostgreSQL, as libpq's connection string." },
	{ "ONRUSH_REDIS_URL", CONF_SECRET, offsetof(struct coupon_settings, redis_url),
	    "", 0, 0,
	    "Redis, as redis://[user:password@]host:port[/db]; empty: no filter." },
	{ "ONRUSH_KAFKA_BROKERS", CONF_STRING, offsetof(struct coupon_settings, brokers),
	    NULL, 0, 0, "Kafka brokers, as host:port,host:port." },
	{ "ONRUSH_TOPIC_PREFIX", CONF_STRING,
	    offsetof(struct coupon_settings, topic_prefix), "", 0, 0,
	    "Put before the name of every topic and group." },
	{ "ONRUSH_RECEIPT_KEY", CONF_STRING,
	    offsetof(struct coupon_settings, receipt_key), NULL, 0, 0,
	    "File with the private key that signs receipts (onrush keygen)." },
	{ "ONRUSH_KAFKA_PATIENCE_MS", CONF_MS,
	    offsetof(struct coupon_settings, patience_us), "500", 10, 60000,
	    "Without Kafka's confirmation for so long, a request is decided directly." },
	{ "ONRUSH_MAX_WAITING", CONF_INT, offsetof(struct coupon_settings, max_waiting),
	    "8192", 1, 1000000, "Requests per worker that wait for a decision." },
};

static const struct route routes[] = {
	{ HTTP_POST, "/coupons", coupon_issue, DECISION_US, BODY_MAX, 0 },
	{ HTTP_POST, "/users/{userId}/coupons", coupon_issue_for_user, DECISION_US,
	    BODY_MAX, 0 },
	{ HTTP_GET, "/users/{userId}/coupons", coupon_of_user, LOOKUP_US, 0, 0 },
	{ HTTP_GET, "/coupons/{couponId}", coupon_campaign, LOOKUP_US, 0, 0 },
	{ HTTP_GET, "/coupons/{couponId}/requests/{requestId}", coupon_request_status,
	    LOOKUP_US, 0, 0 },
	{ HTTP_GET, "/receipts/key", coupon_receipt_key, LOOKUP_US, 0, 0 },
	{ HTTP_POST, "/admin/coupons", admin_create, LOOKUP_US, BODY_MAX, ROUTE_ADMIN },
	{ HTTP_GET, "/admin/coupons", admin_list, LOOKUP_US, 0, ROUTE_ADMIN },
	{ HTTP_POST, "/admin/coupons/{couponId}/open", admin_open, LOOKUP_US, BODY_MAX,
	    ROUTE_ADMIN },
	{ HTTP_POST, "/admin/coupons/{couponId}/close", admin_close, LOOKUP_US, BODY_MAX,
	    ROUTE_ADMIN },
	{ HTTP_POST, "/admin/coupons/{couponId}/restock", admin_restock, LOOKUP_US,
	    BODY_MAX, ROUTE_ADMIN },
	{ HTTP_POST, "/internal/uses", uses_take, LOOKUP_US, BODY_MAX, 0 },
	{ HTTP_PUT, "/internal/uses", uses_change, LOOKUP_US, USES_MAX, 0 },
};

static bool is_database_up(void *arg);
static bool is_kafka_settled(void *arg);
static void on_reply(void *arg, str value);

static bool
start(struct app *app UNUSED)
{
	char err[256];
	struct sign_key *key = sign_key_load(settings.receipt_key, err, sizeof(err));

	if (key == NULL)
		log_error("ONRUSH_RECEIPT_KEY=%s: %s", settings.receipt_key, err);
	sign_key_free(key);
	return key != NULL;
}

/* Kafka, both ways. False when its settings are refused; a Kafka that is away is fine. */
static bool
start_bus(struct service *s)
{
	const char *const topics[] = { s->topic, s->replies };
	char id[UUID_TEXT_SIZE];

	snprintf(
	    s->topic, TOPIC_MAX, "%s%s", settings.topic_prefix, COUPON_TOPIC_REQUESTED);
	snprintf(
	    s->replies, TOPIC_MAX, "%s%s", settings.topic_prefix, COUPON_TOPIC_REPLIES);
	uuid_format(uuid_new(), id);
	snprintf(s->instance, INSTANCE_SIZE, "coupon-%s", id);
	breaker_init(&s->kafka, KAFKA_FAILURES, PROBE_US);
	s->producer =
	    producer_new(s->worker->loop, &(struct producer_conf){
					      .brokers = settings.brokers,
					      .client_id = "coupon",
					      .linger_us = LINGER_US,
					      .timeout_us = 5 * CLOCK_US_PER_SEC,
					      .max_queue = PRODUCER_QUEUE,
					  });
	s->inbox = inbox_new(s->worker->loop, &(struct inbox_conf){
						  .brokers = settings.brokers,
						  .client_id = "coupon",
						  .topic = s->replies,
						  .instance = s->instance,
						  .on_reply = on_reply,
						  .arg = s,
					      });
	if (s->producer == NULL || s->inbox == NULL)
		return false;
	/* A producer's first message can be a second late. */
	if (!producer_warm(s->producer, topics, ARRAY_LEN(topics), WARM_US))
		log_warn("Kafka does not answer yet; coupons are decided directly");
	return true;
}

static void
start_stores(struct service *s)
{
	s->pg = pgpool_new(s->worker->loop, &(struct pgpool_conf){
						.dsn = settings.pg_dsn,
						.role_note = "coupon",
						.conns = PG_CONNS,
						.max_in_flight = PG_IN_FLIGHT,
						.max_queue = PG_QUEUE,
						.timeout_us = LOOKUP_US,
					    });
	s->campaigns = campaigns_new(s);
	if (settings.redis_url[0] == '\0')
		return;
	s->redis = redis_new(s->worker->loop, &(struct redis_conf){
						  .url = settings.redis_url,
						  .max_in_flight = REDIS_IN_FLIGHT,
						  .timeout_us = 100 * CLOCK_US_PER_MS,
					      });
	s->filter = filter_new(s);
}

static bool
worker_start(struct worker *w)
{
	struct service *s = xcalloc(1, sizeof(*s));
	char err[256];

	w->state = s;
	s->worker = w;
	s->settings = &settings;
	s->key = sign_key_load(settings.receipt_key, err, sizeof(err));
	if (s->key == NULL || !start_bus(s))
		return false;
	start_stores(s);
	s->flights = flights_new(s);
	s->direct = direct_new(s);
	s->uses = uses_new(s);
	ready_add(w->app, "postgresql", is_database_up, s);
	ready_add(w->app, "kafka", is_kafka_settled, s);
	s->httpd = httpd_new(w, &(struct httpd_conf){
				    .settings = &settings.httpd,
				    .routes = routes,
				    .route_count = ARRAY_LEN(routes),
				    .service = s,
				});
	return s->httpd != NULL;
}

static bool
is_database_up(void *arg)
{
	const struct service *s = arg;

	return pgpool_is_up(s->pg);
}

/* Where replies go is known, or there is no Kafka and the direct road is taken. */
static bool
is_kafka_settled(void *arg)
{
	const struct service *s = arg;

	return inbox_partition(s->inbox) >= 0 || !producer_is_up(s->producer);
}

static void
on_reply(void *arg, str value)
{
	struct service *s = arg;
	struct arena *arena = arena_new();
	struct coupon_decided decided;
	const char *why;

	if (coupon_decided_decode(&decided, arena, value, &why))
		flights_land(s->flights, decided.decisions, decided.count, decided.heads,
		    decided.head_count);
	else
		log_error("a reply cannot be understood: %s", why);
	arena_free(arena);
}

static void
worker_drain(struct worker *w)
{
	struct service *s = w->state;

	httpd_drain(s->httpd);
}

static void
worker_stop(struct worker *w)
{
	struct service *s = w->state;

	if (s == NULL)
		return;
	direct_free(s->direct);
	httpd_free(s->httpd);
	inbox_free(s->inbox);
	producer_free(s->producer);
	flights_free(s->flights);
	filter_free(s->filter);
	redis_free(s->redis);
	/* First the pool: it tells a refresh of the campaigns that it is over. */
	pgpool_free(s->pg);
	uses_free(s->uses);
	campaigns_free(s->campaigns);
	sign_key_free(s->key);
	free(s);
}

int
main(int argc, char **argv)
{
	static const struct app_desc desc = {
		.name = "coupon",
		.summary = "Issues coupons: first come, first served, exactly as many as "
			   "there are.",
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
