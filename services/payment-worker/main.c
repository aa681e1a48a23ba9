/*
 * The consumer that settles: PAYMENT_REQUESTED (group PAYMENT) in micro-batches, one
 * transaction for orders (settler.h) and one for seats (seat_settler.h). PostgreSQL
 * commits, then the offsets are acknowledged, then the rankings are told; so a crash
 * anywhere repeats a batch, and what is settled stays as it is.
 *
 *   main thread: poll ──> decode ──> settle ──> acknowledge ──> rank
 *   worker 0:    /healthz /readyz /metrics
 */
#include <stdio.h>

#include "app/app.h"
#include "app/log.h"
#include "app/metrics.h"
#include "base/clock.h"
#include "bus/consume.h"
#include "http/httpd.h"
#include "order/order_events.h"
#include "order/settler.h"
#include "reservation/seat_settler.h"

#define DATABASE_US (5 * CLOCK_US_PER_SEC)
#define PROGRAM     "payment-worker"

_Static_assert(
    (int)SETTLER_BATCH_MAX >= CONSUME_BATCH_MAX, "the settler takes what comes");
_Static_assert((int)SEAT_SETTLER_BATCH_MAX >= CONSUME_BATCH_MAX, "so does that of seats");

struct settings {
	struct app_settings app;
	struct httpd_settings httpd;
	struct consume_settings consume;
	const char *pg_dsn, *redis_url;
};

static struct settings settings;

static const struct conf_item conf[] = {
	APP_CONF_ITEMS("1"),
	HTTPD_CONF_ITEMS(struct settings, httpd, "127.0.0.1:8094"),
	CONSUME_CONF_ITEMS(struct settings, consume),
	{ "ONRUSH_PG_DSN", CONF_SECRET, offsetof(struct settings, pg_dsn), NULL, 0, 0,
	    "PostgreSQL, as libpq's connection string." },
	{ "ONRUSH_REDIS_URL", CONF_SECRET, offsetof(struct settings, redis_url), "", 0, 0,
	    "Redis, as redis://[user:password@]host:port[/db]; empty: rankings are left "
	    "to the keeper." },
};

/* Everything of the main thread. */
static struct {
	struct settler *settler;             /* owned; of orders */
	struct pgsync *seats;                /* owned; for payments of seats */
	bool failed_seats;                   /* the last failure was of those */
	struct consume *consume;             /* owned */
	struct counter *outcomes[ERR_COUNT]; /* owned by metrics */
} payment;

/* --- settling ------------------------------------------------------------------ */

static bool
decode(void *event, struct arena *arena, str text, const char **why)
{
	return payment_requested_decode(event, arena, text, why);
}

static void
count_outcomes(const int64_t *ids, const enum err *outcomes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		counter_add(payment.outcomes[outcomes[i]], 1);
		/* Nobody asks for the payment of an order before it is committed. */
		if (outcomes[i] == ERR_ORDER_UNKNOWN)
			log_warn("payment of order %lld, which does not exist",
			    (long long)ids[i]);
	}
}

static enum err
settle_orders(const int64_t *ids, size_t count)
{
	const enum err *outcomes;
	enum err err = settler_settle(payment.settler, ids, count, &outcomes);

	if (err == ERR_OK)
		count_outcomes(ids, outcomes, count);
	return err;
}

static enum err
settle_seats(struct arena *arena, const int64_t *ids, size_t count)
{
	enum err *outcomes = arena_alloc(arena, count * sizeof(*outcomes));
	enum err err = seat_settle(payment.seats, arena, ids, count, outcomes);

	if (err == ERR_OK)
		count_outcomes(ids, outcomes, count);
	return err;
}

/* Orders first; when the seats fail after them, both come again, which is harmless. */
static enum err
settle(void *arg UNUSED, struct arena *arena, const void *events, size_t count)
{
	const struct payment_requested *payments = events;
	int64_t *orders = arena_alloc(arena, 2 * count * sizeof(*orders));
	int64_t *seats = orders + count;
	size_t order_count = 0, seat_count = 0;
	enum err err = ERR_OK;

	for (size_t i = 0; i < count; i++)
		switch (payments[i].kind) {
		case PAYMENT_ORDER: orders[order_count++] = payments[i].id; break;
		case PAYMENT_SEAT: seats[seat_count++] = payments[i].id; break;
		}
	payment.failed_seats = false;
	if (order_count > 0)
		err = settle_orders(orders, order_count);
	if (err == ERR_OK && seat_count > 0) {
		err = settle_seats(arena, seats, seat_count);
		payment.failed_seats = err != ERR_OK;
	}
	return err;
}

static void
rank(void *arg UNUSED)
{
	settler_rank(payment.settler);
}

static bool
is_healthy(void *arg UNUSED)
{
	return settler_is_healthy(payment.settler);
}

static const char *
message(const void *arg UNUSED)
{
	return payment.failed_seats ? pgsync_message(payment.seats)
				    : settler_message(payment.settler);
}

static const struct consume_ops ops = {
	.event_size = sizeof(struct payment_requested),
	.decode = decode,
	.decide = settle,
	.acknowledged = rank,
	.is_healthy = is_healthy,
	.message = message,
};

static void
run(struct app *app)
{
	consume_run(payment.consume, app);
}

/* --- life ---------------------------------------------------------------------- */

static void
register_metrics(void)
{
	char labels[96];

	for (enum err e = ERR_OK; e < ERR_COUNT; e++) {
		snprintf(labels, sizeof(labels), "outcome=\"%s\"", err_info(e)->code);
		if (err_info(e)->ack)
			payment.outcomes[e] = counter_new("onrush_payments_total",
			    "Events that asked for a payment, by what came of it.",
			    labels);
	}
}

static bool
start(struct app *app)
{
	const char *instance = settings.consume.instance;

	register_metrics();
	payment.settler = settler_new(&(struct settler_conf){
	    .pg_dsn = settings.pg_dsn,
	    .redis_url = settings.redis_url,
	    .note = instance[0] != '\0' ? instance : PROGRAM,
	    .timeout_us = DATABASE_US,
	});
	payment.seats = pgsync_new(
	    settings.pg_dsn, instance[0] != '\0' ? instance : PROGRAM, DATABASE_US);
	payment.consume = consume_new(app, &(struct consume_conf){
					       .program = PROGRAM,
					       .settings = &settings.consume,
					       .topic = PAYMENT_TOPIC_REQUESTED,
					       .group = PAYMENT_GROUP,
					       .ops = &ops,
					   });
	return payment.consume != NULL;
}

static void
stop(struct app *app UNUSED)
{
	consume_free(payment.consume);
	settler_free(payment.settler);
	pgsync_free(payment.seats);
}

static bool
worker_start(struct worker *w)
{
	w->state = httpd_new(w, &(struct httpd_conf){ .settings = &settings.httpd });
	return w->state != NULL;
}

static void
worker_drain(struct worker *w)
{
	httpd_drain(w->state);
}

static void
worker_stop(struct worker *w)
{
	httpd_free(w->state);
}

int
main(int argc, char **argv)
{
	static const struct app_desc desc = {
		.name = PROGRAM,
		.summary = "Settles orders and seats whose payment is asked for through "
			   "Kafka.",
		.conf = conf,
		.conf_count = ARRAY_LEN(conf),
		.settings = &settings,
		.start = start,
		.worker_start = worker_start,
		.worker_drain = worker_drain,
		.worker_stop = worker_stop,
		.run = run,
		.stop = stop,
	};

	return app_main(argc, argv, &desc);
}
