/* The reservation service: settings, routes, and what each worker is made of. */
#include <stdio.h>
#include <stdlib.h>

#include "app/log.h"
#include "base/clock.h"
#include "order/order_events.h"
#include "reservation/holding.h"
#include "reservation/lists.h"

#define WRITE_US  (3 * CLOCK_US_PER_SEC)
#define LOOKUP_US (2 * CLOCK_US_PER_SEC)
#define WARM_US   (3 * CLOCK_US_PER_SEC)

enum {
	CALL_BODY_MAX = 4096,
	PG_CONNS = 2,
	PG_IN_FLIGHT = 64,
	PG_QUEUE = 4096,
	PRODUCER_QUEUE = 100000,
};

static struct reservation_settings settings;

static const struct conf_item conf[] = {
	APP_CONF_ITEMS("1"),
	HTTPD_CONF_ITEMS(struct reservation_settings, httpd, "127.0.0.1:8083"),
	{ "ONRUSH_PG_DSN", CONF_SECRET, offsetof(struct reservation_settings, pg_dsn),
	    NULL, 0, 0, "PostgreSQL, as libpq's connection string." },
	{ "ONRUSH_KAFKA_BROKERS", CONF_STRING,
	    offsetof(struct reservation_settings, brokers), NULL, 0, 0,
	    "Kafka brokers, as host:port,host:port." },
	{ "ONRUSH_TOPIC_PREFIX", CONF_STRING,
	    offsetof(struct reservation_settings, topic_prefix), "", 0, 0,
	    "Put before the name of every topic and group." },
	{ "ONRUSH_HOLD_MS", CONF_MS, offsetof(struct reservation_settings, hold_us),
	    "300000", 100, 86400000,
	    "How long seats are held for a user who has not paid." },
};

static const struct route routes[] = {
	{ HTTP_GET, "/concerts/{optionId}/available-seats", seats_list, LOOKUP_US, 0, 0 },
	{ HTTP_POST, "/concerts/reserve-seat", seats_hold, WRITE_US, CALL_BODY_MAX, 0 },
	{ HTTP_GET, "/concerts", concerts_list, LOOKUP_US, 0, 0 },
	{ HTTP_GET, "/concerts/{concertId}/available-dates", dates_list, LOOKUP_US, 0,
	    0 },
	{ HTTP_GET, "/reservations/{reservationId}", reservation_show, LOOKUP_US, 0, 0 },
	{ HTTP_POST, "/reservations/{reservationId}/cancel", reservation_cancel, WRITE_US,
	    CALL_BODY_MAX, 0 },
	{ HTTP_POST, "/payments", payment_request, WRITE_US, CALL_BODY_MAX, 0 },
	{ HTTP_GET, "/payments/{paymentId}", payment_show, LOOKUP_US, 0, 0 },
	{ HTTP_GET, "/internal/concerts/{concertId}/left", concert_left, LOOKUP_US, 0,
	    ROUTE_QUIET },
	{ HTTP_POST, "/admin/concerts", concert_create, LOOKUP_US, CALL_BODY_MAX,
	    ROUTE_ADMIN },
	{ HTTP_POST, "/admin/concerts/{concertId}/dates", date_create, LOOKUP_US,
	    CALL_BODY_MAX, ROUTE_ADMIN },
	{ HTTP_POST, "/admin/dates/{optionId}/seats", seats_create, LOOKUP_US,
	    CALL_BODY_MAX, ROUTE_ADMIN },
};

static bool is_database_up(void *arg);

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
					      .client_id = "reservation",
					      .linger_us = 1 * CLOCK_US_PER_MS,
					      .timeout_us = 5 * CLOCK_US_PER_SEC,
					      .max_queue = PRODUCER_QUEUE,
					  });
	if (s->producer == NULL)
		return false;
	/* A producer's first message can be a second late. */
	if (!producer_warm(s->producer, topics, ARRAY_LEN(topics), WARM_US))
		log_warn("Kafka does not answer yet; the keeper settles what is paid");
	return true;
}

static bool
worker_start(struct worker *w)
{
	struct service *s = xcalloc(1, sizeof(*s));

	w->state = s;
	s->worker = w;
	s->settings = &settings;
	if (!start_bus(s))
		return false;
	s->pg = pgpool_new(w->loop, &(struct pgpool_conf){
					.dsn = settings.pg_dsn,
					.role_note = "reservation",
					.conns = PG_CONNS,
					.max_in_flight = PG_IN_FLIGHT,
					.max_queue = PG_QUEUE,
					.timeout_us = LOOKUP_US,
				    });
	s->lists = lists_new(s);
	s->holding = holding_new(s);
	ready_add(w->app, "postgresql", is_database_up, s);
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
	pgpool_free(s->pg);
	lists_free(s->lists);
	holding_free(s->holding);
	free(s);
}

int
main(int argc, char **argv)
{
	static const struct app_desc desc = {
		.name = "reservation",
		.summary = "Shows concerts and free seats, holds seats for users, and "
			   "takes payments for them.",
		.conf = conf,
		.conf_count = ARRAY_LEN(conf),
		.settings = &settings,
		.worker_start = worker_start,
		.worker_drain = worker_drain,
		.worker_stop = worker_stop,
	};

	return app_main(argc, argv, &desc);
}
