/*
 * The consumer that settles: PAYMENT_REQUESTED (group PAYMENT) in micro-batches, each one
 * transaction (settler.h). PostgreSQL commits, then the offsets are acknowledged, then
 * the rankings are told; so a crash anywhere repeats a batch, and an order that is
 * settled stays as it is.
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

#define DATABASE_US (5 * CLOCK_US_PER_SEC)
#define PROGRAM     "payment-worker"

_Static_assert(
    (int)SETTLER_BATCH_MAX >= CONSUME_BATCH_MAX, "the settler takes what comes");

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
	struct settler *settler;             /* owned */
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
count_outcomes(
    const struct payment_requested *events, const enum err *outcomes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		counter_add(payment.outcomes[outcomes[i]], 1);
		/* Nobody asks for the payment of an order before it is committed. */
		if (outcomes[i] == ERR_ORDER_UNKNOWN)
			log_warn("payment of order %lld, which does not exist",
			    (long long)events[i].id);
	}
}

static enum err
settle(void *arg UNUSED, struct arena *arena, const void *events, size_t count)
{
	const struct payment_requested *payments = events;
	int64_t *orders = arena_alloc(arena, count * sizeof(*orders));
	const enum err *outcomes;
	enum err err;

	for (size_t i = 0; i < count; i++)
		switch (payments[i].kind) {
		case PAYMENT_ORDER: orders[i] = payments[i].id; break;
		}
	err = settler_settle(payment.settler, orders, count, &outcomes);
	if (err == ERR_OK)
		count_outcomes(payments, outcomes, count);
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
	return settler_message(payment.settler);
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
		.summary = "Settles orders whose payment is asked for through Kafka.",
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
