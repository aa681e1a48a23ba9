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
#include "bus/consumer.h"
#include "bus/dlq.h"
#include "bus/producer.h"
#include "coupon/coupon_events.h"
#include "coupon/decider.h"
#include "http/httpd.h"

#define POLL_US      (100 * CLOCK_US_PER_MS)
#define DATABASE_US  (5 * CLOCK_US_PER_SEC)
#define DLQ_US       (5 * CLOCK_US_PER_SEC)
#define POISON_AFTER 4 /* retries; the fifth failure sends it to the dead letters */
#define TOPIC_MAX    256
#define PROGRAM      "coupon-publisher"

struct settings {
	struct app_settings app;
	struct httpd_settings httpd;
	const char *pg_dsn, *redis_url, *brokers, *topic_prefix, *instance, *receipt_key;
	int64_t batch_max;
};

static struct settings settings;

static const struct conf_item conf[] = {
	APP_CONF_ITEMS("1"),
	HTTPD_CONF_ITEMS(struct settings, httpd, "127.0.0.1:8091"),
	{ "ONRUSH_PG_DSN", CONF_SECRET, offsetof(struct settings, pg_dsn), NULL, 0, 0,
	    "PostgreSQL, as libpq's connection string." },
	{ "ONRUSH_REDIS_URL", CONF_SECRET, offsetof(struct settings, redis_url), "", 0, 0,
	    "Redis, as redis://[user:password@]host:port[/db]; empty: no filter marks." },
	{ "ONRUSH_KAFKA_BROKERS", CONF_STRING, offsetof(struct settings, brokers), NULL,
	    0, 0, "Kafka brokers, as host:port,host:port." },
	{ "ONRUSH_TOPIC_PREFIX", CONF_STRING, offsetof(struct settings, topic_prefix), "",
	    0, 0, "Put before the name of every topic and group." },
	{ "ONRUSH_INSTANCE", CONF_STRING, offsetof(struct settings, instance), "", 0, 0,
	    "Name of this copy in the consumer group, such as coupon-publisher-0: a "
	    "restart "
	    "gets its partitions back at once. Empty: any name, with a rebalance." },
	{ "ONRUSH_RECEIPT_KEY", CONF_STRING, offsetof(struct settings, receipt_key), NULL,
	    0, 0, "File with the private key that signs receipts (onrush keygen)." },
	{ "ONRUSH_BATCH_MAX", CONF_INT, offsetof(struct settings, batch_max), "256", 1,
	    COUPON_BATCH_MAX, "Requests that are decided in one transaction, at most." },
};

/* Everything of the main thread. */
static struct {
	struct sign_key *key;      /* owned */
	struct decider *decider;   /* owned */
	struct producer *producer; /* owned: replies and dead letters */
	struct consumer *consumer; /* owned */
	struct arena *arena;       /* owned; one batch */
	char topic[TOPIC_MAX], replies[TOPIC_MAX], group[TOPIC_MAX];
	struct counter *outcomes[ERR_COUNT]; /* owned by metrics */
	struct counter *batches, *retries, *dead_letters;
	struct histogram *batch_seconds;
	struct gauge *lag, *partitions;
} publisher;

/* One batch: messages and what they say, index by index. */
struct work {
	const struct message *messages;  /* borrowed from the consumer */
	struct coupon_requested *events; /* in the arena */
	struct coupon_request *requests; /* in the arena */
	size_t count;
};

/* --- replies ------------------------------------------------------------------- */

/* One record with all decisions that the instance of event `first` waits for. */
static void
reply_to_instance(
    const struct work *w, const struct decided *decided, size_t first, bool *replied)
{
	const struct coupon_requested *to = &w->events[first];
	struct coupon_decided reply = {
		.decisions =
		    arena_alloc(publisher.arena, w->count * sizeof(*reply.decisions)),
		.heads = decided->heads,
		.head_count = decided->head_count,
	};
	struct buf text = { 0 };

	for (size_t i = first; i < w->count; i++) {
		if (replied[i] || w->events[i].reply_partition != to->reply_partition ||
		    !str_eq(w->events[i].reply_instance, to->reply_instance))
			continue;
		replied[i] = true;
		reply.decisions[reply.count++] = decided->decisions[i];
	}
	coupon_decided_encode(&text, &reply);
	producer_send(publisher.producer,
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
reply_all(const struct work *w, const struct decided *decided)
{
	bool *replied = arena_alloc(publisher.arena, w->count * sizeof(*replied));

	for (size_t i = 0; i < w->count; i++) {
		counter_add(publisher.outcomes[decided->decisions[i].outcome], 1);
		if (w->events[i].reply_partition >= 0 && !replied[i])
			reply_to_instance(w, decided, i, replied);
	}
}

/* --- deciding ------------------------------------------------------------------ */

static enum err
decide(const struct work *w)
{
	int64_t began_us = clock_mono_us();
	struct decided decided;
	enum err err = decider_decide(publisher.decider, w->requests, w->count, &decided);

	if (err != ERR_OK)
		return err;
	reply_all(w, &decided);
	producer_poll(publisher.producer, 0);
	consumer_ack(publisher.consumer, w->messages, w->count);
	decider_mark(publisher.decider);
	counter_add(publisher.batches, 1);
	histogram_observe_us(publisher.batch_seconds, clock_mono_us() - began_us);
	return ERR_OK;
}

/* True when the message has been put aside and acknowledged. */
static bool
bury(const struct message *m, enum err err, const char *why)
{
	if (dlq_send(publisher.producer, publisher.topic, m, err, why, PROGRAM, DLQ_US) !=
	    ERR_OK)
		return false;
	counter_add(publisher.dead_letters, 1);
	log_error("event put aside in %s.dlq: partition %d offset %lld: %s",
	    publisher.topic, m->partition, (long long)m->offset, why);
	consumer_ack(publisher.consumer, m, 1);
	return true;
}

/*
 * The batch was refused as a whole: its requests one by one, so that one that the
 * database cannot take holds up only itself. How many from the start are done with.
 */
static size_t
decide_one_by_one(const struct work *w, enum err *err)
{
	for (size_t i = 0; i < w->count; i++) {
		const struct work one = { w->messages + i, w->events + i, w->requests + i,
			1 };

		if ((*err = decide(&one)) == ERR_OK)
			continue;
		if (*err == ERR_INTERNAL && w->messages[i].attempts >= POISON_AFTER &&
		    decider_is_healthy(publisher.decider) &&
		    bury(&w->messages[i], *err, decider_message(publisher.decider)))
			continue;
		return i;
	}
	return w->count;
}

/* How many from the start are done with; if not all, *err says why. */
static size_t
decide_work(const struct work *w, enum err *err)
{
	if (w->count == 0 || (*err = decide(w)) == ERR_OK)
		return w->count;
	return *err == ERR_INTERNAL ? decide_one_by_one(w, err) : 0;
}

/*
 * Decides runs of readable messages; what cannot be read goes to the dead letters between
 * them. The first message that is not done with ends it: that one and all after it come
 * again, because acknowledging a later one would acknowledge it too.
 */
static void
handle(const struct message *messages, size_t count)
{
	const struct message *end = messages + count, *m = messages;
	struct coupon_requested *events =
	    arena_alloc(publisher.arena, count * sizeof(*events));
	struct coupon_request *requests =
	    arena_alloc(publisher.arena, count * sizeof(*requests));
	const char *why = NULL;

	while (m < end) {
		struct work w = { m, events, requests, 0 };
		enum err err = ERR_UNAVAILABLE;

		for (; m < end; m++) {
			if (!coupon_requested_decode(
				&events[w.count], publisher.arena, m->value, &why))
				break;
			requests[w.count] = events[w.count].request;
			w.count++;
		}
		m = w.messages + decide_work(&w, &err);
		if (m < w.messages + w.count || (m < end && !bury(m, ERR_POISON, why))) {
			counter_add(publisher.retries, 1);
			consumer_retry(publisher.consumer, m, (size_t)(end - m), err);
			return;
		}
		if (m < end)
			m++; /* it was put aside */
	}
}

static void
run(struct app *app)
{
	struct message messages[COUPON_BATCH_MAX];

	while (!app_stopping(app)) {
		size_t n = consumer_poll(
		    publisher.consumer, messages, (size_t)settings.batch_max, POLL_US);

		producer_poll(publisher.producer, 0);
		gauge_set(publisher.lag, consumer_lag(publisher.consumer));
		gauge_set(publisher.partitions, consumer_assigned(publisher.consumer));
		arena_reset(publisher.arena);
		if (n > 0)
			handle(messages, n);
		if (consumer_failed(publisher.consumer)) {
			app_stop(app, 1); /* the supervisor begins anew */
			break;
		}
	}
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
	publisher.batches = counter_new("onrush_coupon_batches_total",
	    "Transactions in which requests were decided.", NULL);
	publisher.batch_seconds = histogram_new("onrush_coupon_batch_seconds",
	    "From taking a batch to acknowledging it.", NULL);
	publisher.retries = counter_new("onrush_consumer_retries_total",
	    "Batches that were not decided and came again.", NULL);
	publisher.dead_letters = counter_new("onrush_consumer_dead_letters_total",
	    "Events that were put aside in the dead letter topic.", NULL);
	publisher.lag = gauge_new("onrush_consumer_lag",
	    "Events of the assigned partitions that wait; -1 while unknown.", NULL);
	publisher.partitions = gauge_new(
	    "onrush_consumer_partitions", "Partitions that are assigned here.", NULL);
}

/* The group has spoken; a spare member may have no partition. */
static bool
is_member(void *arg UNUSED)
{
	return gauge_value(publisher.partitions) >= 0;
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
	gauge_set(publisher.partitions, -1);
	ready_add(app, "consumer", is_member, NULL);
	snprintf(publisher.topic, TOPIC_MAX, "%s%s", settings.topic_prefix,
	    COUPON_TOPIC_REQUESTED);
	snprintf(publisher.replies, TOPIC_MAX, "%s%s", settings.topic_prefix,
	    COUPON_TOPIC_REPLIES);
	snprintf(publisher.group, TOPIC_MAX, "%s%s", settings.topic_prefix, COUPON_GROUP);
	publisher.arena = arena_new();
	publisher.decider = decider_new(&(struct decider_conf){
	    .pg_dsn = settings.pg_dsn,
	    .redis_url = settings.redis_url,
	    .note = settings.instance[0] != '\0' ? settings.instance : PROGRAM,
	    .key = publisher.key,
	    .timeout_us = DATABASE_US,
	});
	publisher.producer = producer_new(NULL, &(struct producer_conf){
						    .brokers = settings.brokers,
						    .client_id = PROGRAM,
						    .linger_us = 0,
						    .timeout_us = DLQ_US,
						    .max_queue = 10000,
						});
	publisher.consumer = consumer_new(&(struct consumer_conf){
	    .brokers = settings.brokers,
	    .client_id = PROGRAM,
	    .group = publisher.group,
	    .instance_id = settings.instance,
	    .topic = publisher.topic,
	    .session_timeout_us = 30 * CLOCK_US_PER_SEC,
	});
	return publisher.producer != NULL && publisher.consumer != NULL;
}

static void
stop(struct app *app UNUSED)
{
	consumer_free(publisher.consumer);
	producer_free(publisher.producer);
	decider_free(publisher.decider);
	arena_free(publisher.arena);
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
