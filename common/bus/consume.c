/* The loop of consumers; see consume.h. */
#include "bus/consume.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/log.h"
#include "app/metrics.h"
#include "base/clock.h"
#include "bus/consumer.h"
#include "bus/dlq.h"
#include "bus/producer.h"

#define POLL_US    (100 * CLOCK_US_PER_MS)
#define DLQ_US     (5 * CLOCK_US_PER_SEC)
#define SESSION_US (30 * CLOCK_US_PER_SEC)

enum {
	POISON_AFTER = 4, /* retries; the fifth failure sends it to the dead letters */
	TOPIC_MAX = 256,
	QUEUE_MAX = 10000, /* records of the producer that wait */
};

struct consume {
	const struct consume_ops *ops; /* borrowed */
	const char *program;           /* static */
	size_t batch_max;
	struct producer *producer; /* owned */
	struct consumer *consumer; /* owned */
	struct arena *arena;       /* owned; one batch */
	char topic[TOPIC_MAX];     /* with the prefix */
	/* All owned by metrics. */
	struct counter *batches, *retries, *dead_letters;
	struct histogram *batch_seconds;
	struct gauge *lag, *partitions;
};

/* One batch: messages and what they say, index by index. */
struct work {
	const struct message *messages; /* borrowed from the consumer */
	char *events;                   /* in the arena; event_size each */
	size_t count;
};

static void handle(struct consume *c, const struct message *messages, size_t count);
static size_t decide_work(struct consume *c, const struct work *w, enum err *err);
static size_t decide_one_by_one(struct consume *c, const struct work *w, enum err *err);
static enum err decide(struct consume *c, const struct work *w);
static bool
bury(struct consume *c, const struct message *m, enum err err, const char *why);

/* --- life ---------------------------------------------------------------------- */

static void
register_metrics(struct consume *c)
{
	c->batches = counter_new("onrush_consumer_batches_total",
	    "Transactions in which events were decided.", NULL);
	c->batch_seconds = histogram_new("onrush_consumer_batch_seconds",
	    "From taking a batch to acknowledging it.", NULL);
	c->retries = counter_new("onrush_consumer_retries_total",
	    "Batches that were not decided and came again.", NULL);
	c->dead_letters = counter_new("onrush_consumer_dead_letters_total",
	    "Events that were put aside in the dead letter topic.", NULL);
	c->lag = gauge_new("onrush_consumer_lag",
	    "Events of the assigned partitions that wait; -1 while unknown.", NULL);
	c->partitions = gauge_new(
	    "onrush_consumer_partitions", "Partitions that are assigned here.", NULL);
	gauge_set(c->partitions, -1);
}

/* The group has spoken; a spare member may have no partition. */
static bool
is_member(void *arg)
{
	const struct consume *c = arg;

	return gauge_value(c->partitions) >= 0;
}

static bool
connect_kafka(
    struct consume *c, const struct consume_settings *settings, const char *group)
{
	c->producer = producer_new(NULL, &(struct producer_conf){
					     .brokers = settings->brokers,
					     .client_id = c->program,
					     .linger_us = 0,
					     .timeout_us = DLQ_US,
					     .max_queue = QUEUE_MAX,
					 });
	c->consumer = consumer_new(&(struct consumer_conf){
	    .brokers = settings->brokers,
	    .client_id = c->program,
	    .group = group,
	    .instance_id = settings->instance,
	    .topic = c->topic,
	    .session_timeout_us = SESSION_US,
	});
	return c->producer != NULL && c->consumer != NULL;
}

struct consume *
consume_new(struct app *app, const struct consume_conf *conf)
{
	struct consume *c = xcalloc(1, sizeof(*c));
	char group[TOPIC_MAX];

	c->ops = conf->ops;
	c->program = conf->program;
	c->batch_max = (size_t)conf->settings->batch_max;
	c->arena = arena_new();
	snprintf(c->topic, TOPIC_MAX, "%s%s", conf->settings->topic_prefix, conf->topic);
	snprintf(group, sizeof(group), "%s%s", conf->settings->topic_prefix, conf->group);
	register_metrics(c);
	if (!connect_kafka(c, conf->settings, group)) {
		consume_free(c);
		return NULL;
	}
	ready_add(app, "consumer", is_member, c);
	return c;
}

void
consume_free(struct consume *c)
{
	if (c == NULL)
		return;
	consumer_free(c->consumer);
	producer_free(c->producer);
	arena_free(c->arena);
	free(c);
}

struct producer *
consume_producer(const struct consume *c)
{
	return c->producer;
}

/* --- the loop ------------------------------------------------------------------ */

void
consume_run(struct consume *c, struct app *app)
{
	struct message messages[CONSUME_BATCH_MAX];

	while (!app_stopping(app)) {
		size_t n = consumer_poll(c->consumer, messages, c->batch_max, POLL_US);

		producer_poll(c->producer, 0);
		gauge_set(c->lag, consumer_lag(c->consumer));
		gauge_set(c->partitions, consumer_assigned(c->consumer));
		arena_reset(c->arena);
		if (n > 0)
			handle(c, messages, n);
		if (consumer_failed(c->consumer)) {
			app_stop(app, 1); /* the supervisor begins anew */
			break;
		}
	}
}

/*
 * Decides runs of readable messages; what cannot be read goes to the dead letters between
 * them. The first message that is not done with ends it: that one and all after it come
 * again, because acknowledging a later one would acknowledge it too.
 */
static void
handle(struct consume *c, const struct message *messages, size_t count)
{
	const struct message *end = messages + count, *m = messages;
	size_t size = c->ops->event_size;
	char *events = arena_alloc(c->arena, count * size);
	const char *why = NULL;

	while (m < end) {
		struct work w = { m, events, 0 };
		enum err err = ERR_UNAVAILABLE;

		for (; m < end; m++, w.count++)
			if (!c->ops->decode(
				events + w.count * size, c->arena, m->value, &why))
				break;
		m = w.messages + decide_work(c, &w, &err);
		if (m < w.messages + w.count ||
		    (m < end && !bury(c, m, ERR_POISON, why))) {
			counter_add(c->retries, 1);
			consumer_retry(c->consumer, m, (size_t)(end - m), err);
			return;
		}
		if (m < end)
			m++; /* it was put aside */
	}
}

/* How many from the start are done with; if not all, *err says why. */
static size_t
decide_work(struct consume *c, const struct work *w, enum err *err)
{
	if (w->count == 0 || (*err = decide(c, w)) == ERR_OK)
		return w->count;
	return *err == ERR_INTERNAL ? decide_one_by_one(c, w, err) : 0;
}

/*
 * The batch was refused as a whole: its events one by one, so that one that cannot be
 * taken holds up only itself. How many from the start are done with.
 */
static size_t
decide_one_by_one(struct consume *c, const struct work *w, enum err *err)
{
	for (size_t i = 0; i < w->count; i++) {
		const struct work one = { w->messages + i,
			w->events + i * c->ops->event_size, 1 };

		if ((*err = decide(c, &one)) == ERR_OK)
			continue;
		if (*err == ERR_INTERNAL && w->messages[i].attempts >= POISON_AFTER &&
		    c->ops->is_healthy(c->ops->arg) &&
		    bury(c, &w->messages[i], *err, c->ops->message(c->ops->arg)))
			continue;
		return i;
	}
	return w->count;
}

static enum err
decide(struct consume *c, const struct work *w)
{
	int64_t began_us = clock_mono_us();
	enum err err = c->ops->decide(c->ops->arg, c->arena, w->events, w->count);

	if (err != ERR_OK)
		return err;
	producer_poll(c->producer, 0);
	consumer_ack(c->consumer, w->messages, w->count);
	if (c->ops->acknowledged != NULL)
		c->ops->acknowledged(c->ops->arg);
	counter_add(c->batches, 1);
	histogram_observe_us(c->batch_seconds, clock_mono_us() - began_us);
	return ERR_OK;
}

/* True when the message has been put aside and acknowledged. */
static bool
bury(struct consume *c, const struct message *m, enum err err, const char *why)
{
	if (dlq_send(c->producer, c->topic, m, err, why, c->program, DLQ_US) != ERR_OK)
		return false;
	counter_add(c->dead_letters, 1);
	log_error("event put aside in %s.dlq: partition %d offset %lld: %s", c->topic,
	    m->partition, (long long)m->offset, why);
	consumer_ack(c->consumer, m, 1);
	return true;
}
