/*
 * The consumer that decides: COUPON_PUBLISH_REQUESTED (group COUPON) in micro-batches,
 * each one transaction. PostgreSQL commits, then the waiting instances get their replies,
 * then the offsets are acknowledged; so a crash anywhere repeats a batch, and a repeated
 * batch gets the same answers (decider.h).
 *
 *   main thread: poll ──> decode ──> decide ──> reply ──> acknowledge
 *   worker 0:    /healthz /readyz /metrics
 */
#include <stdio.h>
#include <stdlib.h>

#include "app/app.h"
#include "app/log.h"
#include "app/metrics.h"
#include "base/clock.h"
#include "bus/consume.h"
#include "bus/producer.h"
#include "coupon/coupon_events.h"
#include "coupon/decider.h"
#include "http/httpd.h"

#define DATABASE_US (5 * CLOCK_US_PER_SEC)
#define TOPIC_MAX   256
#define PROGRAM     "coupon-publisher"

_Static_assert(
    (int)COUPON_BATCH_MAX >= CONSUME_BATCH_MAX, "the decider takes what comes");

struct settings {
	struct app_settings app;
	struct httpd_settings httpd;
	struct consume_settings consume;
	const char *pg_dsn, *redis_url, *receipt_key;
};

static struct settings settings;

static const struct conf_item conf[] = {
	APP_CONF_ITEMS("1"),
	HTTPD_CONF_ITEMS(struct settings, httpd, "127.0.0.1:8091"),
	CONSUME_CONF_ITEMS(struct settings, consume),
	{ "ONRUSH_PG_DSN", CONF_SECRET, offsetof(struct settings, pg_dsn), NULL, 0, 0,
	    "PostgreSQL, as libpq's connection string." },
	{ "ONRUSH_REDIS_URL", CONF_SECRET, offsetof(struct settings, redis_url), "", 0, 0,
	    "Redis, as redis://[user:password@]host:port[/db]; empty: no filter marks." },
	{ "ONRUSH_RECEIPT_KEY", CONF_STRING, offsetof(struct settings, receipt_key), NULL,
	    0, 0, "File with the private key that signs receipts (onrush keygen)." },
};

/* Everything of the main thread. */
static struct {
	struct sign_key *key;    /* owned */
	struct decider *decider; /* owned */
	struct consume *consume; /* owned */
	char replies[TOPIC_MAX];
	struct counter *outcomes[ERR_COUNT]; /* owned by metrics */
} publisher;

/* What one transaction decides. */
struct batch {
	struct arena *arena;                   /* borrowed */
	const struct coupon_requested *events; /* in the arena */
	size_t count;
};

/* --- replies ------------------------------------------------------------------- */

/* One record with all decisions that the instance of event `first` waits for. */
static void
reply_to_instance(
    const struct batch *b, const struct decided *decided, size_t first, bool *replied)
{
	const struct coupon_requested *to = &b->events[first];
	struct coupon_decided reply = {
		.decisions = arena_alloc(b->arena, b->count * sizeof(*reply.decisions)),
		.heads = decided->heads,
		.head_count = decided->head_count,
	};
	struct buf text = { 0 };

	for (size_t i = first; i < b->count; i++) {
		if (replied[i] || b->events[i].reply_partition != to->reply_partition ||
		    !str_eq(b->events[i].reply_instance, to->reply_instance))
			continue;
		replied[i] = true;
		reply.decisions[reply.count++] = decided->decisions[i];
	}
	coupon_decided_encode(&text, &reply);
	producer_send(consume_producer(publisher.consume),
	    &(struct record){
		.topic = publisher.replies,
		.partition = to->reply_partition,
		.key = to->reply_instance,
		.value = buf_str(&text),
	    },
	    NULL, NULL);
	buf_fini(&text);
}

/* A reply that is lost is not lost work: its client asks again and gets the decision. */
static void
reply_all(const struct batch *b, const struct decided *decided)
{
	bool *replied = arena_alloc(b->arena, b->count * sizeof(*replied));

	for (size_t i = 0; i < b->count; i++) {
		counter_add(publisher.outcomes[decided->decisions[i].outcome], 1);
		if (b->events[i].reply_partition >= 0 && !replied[i])
			reply_to_instance(b, decided, i, replied);
	}
}

/* --- deciding ------------------------------------------------------------------ */

static bool
decode(void *event, struct arena *arena, str text, const char **why)
{
	return coupon_requested_decode(event, arena, text, why);
}

static enum err
decide(void *arg UNUSED, struct arena *arena, const void *events, size_t count)
{
	const struct batch b = { arena, events, count };
	struct coupon_request *requests = arena_alloc(arena, count * sizeof(*requests));
	struct decided decided;
	enum err err;

	for (size_t i = 0; i < count; i++)
		requests[i] = b.events[i].request;
	err = decider_decide(publisher.decider, requests, count, &decided);
	if (err == ERR_OK)
		reply_all(&b, &decided);
	return err;
}

static void
mark(void *arg UNUSED)
{
	decider_mark(publisher.decider);
}

static bool
is_healthy(void *arg UNUSED)
{
	return decider_is_healthy(publisher.decider);
}

static const char *
message(const void *arg UNUSED)
{
	return decider_message(publisher.decider);
}

static const struct consume_ops ops = {
	.event_size = sizeof(struct coupon_requested),
	.decode = decode,
	.decide = decide,
	.acknowledged = mark,
	.is_healthy = is_healthy,
	.message = message,
};

static void
run(struct app *app)
{
	consume_run(publisher.consume, app);
}

/* --- life ---------------------------------------------------------------------- */

static void
register_metrics(void)
{
	char labels[96];

	for (enum err e = ERR_OK; e < ERR_COUNT; e++) {
		snprintf(labels, sizeof(labels), "outcome=\"%s\"", err_info(e)->code);
		if (err_info(e)->ack)
			publisher.outcomes[e] =
			    counter_new("onrush_coupon_decisions_total",
				"Requests for coupons that were decided, by outcome.",
				labels);
	}
}

static bool
start(struct app *app)
{
	char err[256];

	publisher.key = sign_key_load(settings.receipt_key, err, sizeof(err));
	if (publisher.key == NULL) {
		log_error("ONRUSH_RECEIPT_KEY=%s: %s", settings.receipt_key, err);
		return false;
	}
	register_metrics();
	snprintf(publisher.replies, TOPIC_MAX, "%s%s", settings.consume.topic_prefix,
	    COUPON_TOPIC_REPLIES);
	publisher.decider = decider_new(&(struct decider_conf){
	    .pg_dsn = settings.pg_dsn,
	    .redis_url = settings.redis_url,
	    .note = settings.consume.instance[0] != '\0' ? settings.consume.instance
							 : PROGRAM,
	    .key = publisher.key,
	    .timeout_us = DATABASE_US,
	});
	publisher.consume = consume_new(app, &(struct consume_conf){
						 .program = PROGRAM,
						 .settings = &settings.consume,
						 .topic = COUPON_TOPIC_REQUESTED,
						 .group = COUPON_GROUP,
						 .ops = &ops,
					     });
	return publisher.consume != NULL;
}

static void
stop(struct app *app UNUSED)
{
	consume_free(publisher.consume);
	decider_free(publisher.decider);
	sign_key_free(publisher.key);
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
		.summary = "Decides requests for coupons that arrive through Kafka.",
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
