/* The order service: settings, routes, and what each worker is made of. */
#include <stdio.h>
#include <stdlib.h>

#include "app/log.h"
#include "base/clock.h"
#include "order/charges.h"
#include "order/order_events.h"
#include "order/order_ids.h"
#include "order/placing.h"
#include "order/ranks.h"
#include "order/running.h"

#define WRITE_US  (3 * CLOCK_US_PER_SEC)
#define LOOKUP_US (2 * CLOCK_US_PER_SEC)
#define WARM_US   (3 * CLOCK_US_PER_SEC)
/* A batch's events come at once. librdkafka spins for the last millisecond of a linger: a
 * longer one costs a tenth of a core. */
#define LINGER_US 300

enum {
	CALL_BODY_MAX = 1024,
	ACCOUNTS_BODY_MAX = 65536,
	ORDER_BODY_MAX = 65536,
	PG_CONNS = 2,
	PG_IN_FLIGHT = 64,
	PG_QUEUE = 4096,
	REDIS_IN_FLIGHT = 1024,
	PRODUCER_QUEUE = 100000,
	COUPON_CONNS = 64,
	COUPON_QUEUE = 1024,
	COUPON_RESPONSE_MAX = 4096,
};

static struct order_settings settings;

static const struct conf_item conf[] = {
	APP_CONF_ITEMS("1"),
	HTTPD_CONF_ITEMS(struct order_settings, httpd, "127.0.0.1:8082"),
	{ "ONRUSH_PG_DSN", CONF_SECRET, offsetof(struct order_settings, pg_dsn), NULL, 0,
	    0, "PostgreSQL, as libpq's connection string." },
	{ "ONRUSH_REDIS_URL", CONF_SECRET, offsetof(struct order_settings, redis_url), "",
	    0, 0,
	    "Redis, as redis://[user:password@]host:port[/db]; empty: rankings come from "
	    "PostgreSQL." },
	{ "ONRUSH_KAFKA_BROKERS", CONF_STRING, offsetof(struct order_settings, brokers),
	    NULL, 0, 0, "Kafka brokers, as host:port,host:port." },
	{ "ONRUSH_TOPIC_PREFIX", CONF_STRING,
	    offsetof(struct order_settings, topic_prefix), "", 0, 0,
	    "Put before the name of every topic and group." },
	{ "ONRUSH_COUPON_URL", CONF_STRING,
	    offsetof(struct order_settings, coupon_address), NULL, 0, 0,
	    "The coupon service, as host:port or unix:/path." },
	{ "ONRUSH_RANKS_COUNT", CONF_INT, offsetof(struct order_settings, ranks_count),
	    "10", 1, 100, "Products that the ranks show." },
};

static const struct route routes[] = {
	{ HTTP_POST, "/orders", order_place, WRITE_US, ORDER_BODY_MAX, 0 },
	{ HTTP_GET, "/orders/{orderId}", order_show, LOOKUP_US, 0, 0 },
	{ HTTP_POST, "/orders/{orderId}/cancel", order_cancel, WRITE_US, CALL_BODY_MAX,
	    0 },
	{ HTTP_GET, "/products/ranks", ranks_read, LOOKUP_US, 0, 0 },
	{ HTTP_POST, "/users/{userId}/balance/charge", balance_charge, WRITE_US,
	    CALL_BODY_MAX, 0 },
	{ HTTP_PUT, "/points/charge", balance_charge_points, WRITE_US, CALL_BODY_MAX, 0 },
	{ HTTP_GET, "/users/{userId}/balance", balance_read, LOOKUP_US, 0, 0 },
	{ HTTP_GET, "/products/{productId}", product_read, LOOKUP_US, 0, 0 },
	{ HTTP_POST, "/admin/products", product_create, LOOKUP_US, CALL_BODY_MAX,
	    ROUTE_ADMIN },
	{ HTTP_GET, "/admin/products/{productId}", product_read, LOOKUP_US, 0,
	    ROUTE_ADMIN },
	{ HTTP_POST, "/admin/products/{productId}/restock", product_restock, LOOKUP_US,
	    CALL_BODY_MAX, ROUTE_ADMIN },
	{ HTTP_POST, "/admin/products/{productId}/stop", product_stop, LOOKUP_US,
	    CALL_BODY_MAX, ROUTE_ADMIN },
	{ HTTP_POST, "/admin/products/{productId}/sell", product_sell, LOOKUP_US,
	    CALL_BODY_MAX, ROUTE_ADMIN },
	{ HTTP_PUT, "/admin/products/{productId}/price", product_price, LOOKUP_US,
	    CALL_BODY_MAX, ROUTE_ADMIN },
	{ HTTP_POST, "/admin/accounts", accounts_open, LOOKUP_US, ACCOUNTS_BODY_MAX,
	    ROUTE_ADMIN },
};

static bool is_database_up(void *arg);
static bool has_ids(void *arg);

/* False when Kafka's settings are refused; a Kafka that is away is fine. */
static bool
start_bus(struct service *s)
{
	const char *const topics[] = { s->payments };

	snprintf(s->payments, TOPIC_MAX, "%s%s", settings.topic_prefix,
	    PAYMENT_TOPIC_REQUESTED);
	s->producer =
	    producer_new(s->worker->loop, &(struct producer_conf){
					      .brokers = settings.brokers,
					      .client_id = "order",
					      .linger_us = LINGER_US,
					      .timeout_us = 5 * CLOCK_US_PER_SEC,
					      .max_queue = PRODUCER_QUEUE,
					  });
	if (s->producer == NULL)
		return false;
	/* A producer's first message can be a second late. */
	if (!producer_warm(s->producer, topics, ARRAY_LEN(topics), WARM_US))
		log_warn("Kafka does not answer yet; the keeper settles what is ordered");
	return true;
}

static bool
start_peers(struct service *s)
{
	s->pg = pgpool_new(s->worker->loop, &(struct pgpool_conf){
						.dsn = settings.pg_dsn,
						.role_note = "order",
						.conns = PG_CONNS,
						.max_in_flight = PG_IN_FLIGHT,
						.max_queue = PG_QUEUE,
						.timeout_us = LOOKUP_US,
					    });
	if (settings.redis_url[0] != '\0')
		s->redis =
		    redis_new(s->worker->loop, &(struct redis_conf){
						   .url = settings.redis_url,
						   .max_in_flight = REDIS_IN_FLIGHT,
						   .timeout_us = 100 * CLOCK_US_PER_MS,
					       });
	s->coupon = httpc_new(s->worker->loop, &(struct httpc_conf){
						   .address = settings.coupon_address,
						   .max_conns = COUPON_CONNS,
						   .max_queue = COUPON_QUEUE,
						   .queue_us = 500 * CLOCK_US_PER_MS,
						   .connect_us = 500 * CLOCK_US_PER_MS,
						   .response_us = LOOKUP_US,
						   .idle_us = 20 * CLOCK_US_PER_SEC,
						   .max_response = COUPON_RESPONSE_MAX,
					       });
	return s->coupon != NULL;
}

static bool
worker_start(struct worker *w)
{
	struct service *s = xcalloc(1, sizeof(*s));

	w->state = s;
	s->worker = w;
	s->settings = &settings;
	if (!start_bus(s) || !start_peers(s))
		return false;
	s->running = running_new();
	s->ids = order_ids_new(w->loop, s->pg);
	s->placing = placing_new(s);
	s->charges = charges_new(s);
	s->ranks = ranks_new(s);
	ready_add(w->app, "postgresql", is_database_up, s);
	ready_add(w->app, "order ids", has_ids, s);
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

static bool
has_ids(void *arg)
{
	const struct service *s = arg;

	return order_ids_ready(s->ids);
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
	httpd_free(s->httpd);
	producer_free(s->producer);
	httpc_free(s->coupon);
	redis_free(s->redis);
	pgpool_free(s->pg);
	placing_free(s->placing);
	charges_free(s->charges);
	ranks_free(s->ranks);
	order_ids_free(s->ids);
	running_free(s->running);
	free(s);
}

int
main(int argc, char **argv)
{
	static const struct app_desc desc = {
		.name = "order",
		.summary = "Takes orders, keeps balances and products, and shows what is "
			   "sold most.",
		.conf = conf,
		.conf_count = ARRAY_LEN(conf),
		.settings = &settings,
		.worker_start = worker_start,
		.worker_drain = worker_drain,
		.worker_stop = worker_stop,
	};

	return app_main(argc, argv, &desc);
}
