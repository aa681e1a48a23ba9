/*
 * The inbox. Where to start reading takes questions that block, so a thread asks them:
 *
 *   finding ──thread: which partition, where is its end──> reading ──it is gone──>
 * finding
 *
 * A broker that goes away does not matter: librdkafka goes on from its last position when
 * the broker is back. Only a topic that was deleted is looked for again; if it was made
 * anew, everything in it came after our requests, and it is read from its beginning. So
 * auto.offset.reset is earliest, too: replies of others are skipped by their key.
 */
#include "bus/inbox.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "app/log.h"
#include "base/clock.h"
#include "bus/feed.h"
#include "bus/kafka.h"

enum {
	ASK_MS = 500,     /* how long one question may take: inbox_free waits for it */
	PAUSE_US = 50000, /* between a question that failed and the next */
	FREE_WAIT_US = 5000000,
};

struct place {
	int32_t partition;
	int64_t offset; /* to read next */
};

struct inbox {
	struct inbox_conf conf;  /* topic, instance and client_id owned; brokers NULL */
	rd_kafka_t *rk;          /* owned */
	rd_kafka_queue_t *queue; /* owned; of the consumer */
	struct feed *feed;       /* owned */
	struct place place;      /* the loop's; partition -1 until first found */

	/* The thread that asks: it has `found` for itself until `asked` is set. */
	pthread_t asker;
	bool asking;
	struct place found;
	atomic_bool asked, stopping;

	_Atomic int32_t ready; /* what inbox_partition says */
};

static void on_event(void *arg, rd_kafka_event_t *event);

/* --- the thread that asks ------------------------------------------------------------
 */

static uint32_t
fnv1a(const char *s)
{
	uint32_t hash = 2166136261U;

	for (; *s != '\0'; s++)
		hash = (hash ^ (uint8_t)*s) * 16777619U;
	return hash;
}

/*
 * The first time: the partition of the instance's hash, at its end. Later: the same
 * partition where we were; if that place is not in it any more, at its beginning.
 */
static bool
ask(struct inbox *in)
{
	int count = kafka_partition_count(in->rk, in->conf.topic, ASK_MS);
	struct place *at = &in->found;
	bool first = at->partition < 0;
	int64_t low, high;

	if (count == 0)
		return false;
	if (first || at->partition >= count) {
		at->partition = (int32_t)(fnv1a(in->conf.instance) % (uint32_t)count);
		at->offset = -1;
	}
	if (rd_kafka_query_watermark_offsets(in->rk, in->conf.topic, at->partition, &low,
		&high, ASK_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) {
		if (first)
			at->partition = -1;
		return false;
	}
	if (first)
		at->offset = high;
	else if (at->offset < low || at->offset > high)
		at->offset = low;
	return true;
}

static void *
run_asker(void *arg)
{
	const struct timespec pause = { .tv_nsec = PAUSE_US * 1000 };
	struct inbox *in = arg;

	while (!atomic_load(&in->stopping)) {
		if (ask(in)) {
			atomic_store(&in->asked, true);
			feed_kick(in->feed);
			break;
		}
		nanosleep(&pause, NULL);
	}
	return NULL;
}

/* --- on the loop ---------------------------------------------------------------------
 */

static void
start_finding(struct inbox *in)
{
	atomic_store(&in->ready, -1);
	atomic_store(&in->asked, false);
	in->found = in->place;
	in->asking = true;
	in->asker = kafka_thread(run_asker, in);
}

static void
start_reading(struct inbox *in)
{
	rd_kafka_topic_partition_list_t *one = rd_kafka_topic_partition_list_new(1);
	rd_kafka_resp_err_t err;

	pthread_join(in->asker, NULL);
	in->asking = false;
	in->place = in->found;
	rd_kafka_topic_partition_list_add(one, in->conf.topic, in->place.partition)
	    ->offset = in->place.offset;
	err = rd_kafka_assign(in->rk, one);
	rd_kafka_topic_partition_list_destroy(one);
	ASSERT(err == RD_KAFKA_RESP_ERR_NO_ERROR);
	atomic_store(&in->ready, in->place.partition);
	log_info("kafka inbox %s: reads %s[%" PRId32 "] from %" PRId64,
	    in->conf.client_id, in->conf.topic, in->place.partition, in->place.offset);
}

static void
on_message(struct inbox *in, const rd_kafka_message_t *m)
{
	str key = { m->key, m->key_len };

	if (in->asking || m->partition != in->place.partition)
		return;
	in->place.offset = m->offset + 1;
	if (str_eq(key, str_of(in->conf.instance)))
		in->conf.on_reply(in->conf.arg, (str){ m->payload, m->len });
}

static void
on_error(struct inbox *in, rd_kafka_event_t *event)
{
	rd_kafka_resp_err_t err = rd_kafka_event_error(event);

	kafka_log_error(
	    "inbox", in->conf.client_id, err, rd_kafka_event_error_string(event));
	if (in->asking || (err != RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION &&
			      err != RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC &&
			      err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART))
		return;
	/* The assignment stays until the new place is known: 2.0.2 never ends an instance
	 * that was unassigned from a partition which is not there. */
	start_finding(in);
}

static void
on_event(void *arg, rd_kafka_event_t *event)
{
	struct inbox *in = arg;
	const rd_kafka_message_t *m;

	if (event == NULL) {
		if (in->asking && atomic_load(&in->asked))
			start_reading(in);
		return;
	}
	switch (rd_kafka_event_type(event)) {
	case RD_KAFKA_EVENT_FETCH:
		while ((m = rd_kafka_event_message_next(event)) != NULL)
			on_message(in, m);
		break;
	case RD_KAFKA_EVENT_ERROR: on_error(in, event); break;
	}
}

/* --- life ----------------------------------------------------------------------------
 */

static rd_kafka_t *
connect_rk(const struct inbox_conf *conf, char err[KAFKA_ERROR_SIZE])
{
	rd_kafka_conf_t *events = rd_kafka_conf_new();
	const struct kafka_setting settings[] = {
		/* librdkafka wants a group for rd_kafka_assign; nobody joins it. */
		{ "group.id", "onrush-inbox" },
		{ "auto.offset.reset", "earliest" },
		{ "enable.auto.commit", "false" },
		{ "enable.auto.offset.store", "false" },
		{ "fetch.error.backoff.ms", "50" },
		{ "queued.min.messages", "50000" },
		{ "queued.max.messages.kbytes", "16384" },
		{ NULL, NULL },
	};

	rd_kafka_conf_set_events(events, RD_KAFKA_EVENT_FETCH | RD_KAFKA_EVENT_ERROR);
	return kafka_new(
	    RD_KAFKA_CONSUMER, conf->brokers, conf->client_id, settings, events, err);
}

struct inbox *
inbox_new(struct loop *loop, const struct inbox_conf *conf)
{
	struct inbox *in = xcalloc(1, sizeof(*in));
	char err[KAFKA_ERROR_SIZE];

	in->conf = *conf;
	in->conf.brokers = NULL;
	in->conf.topic = xstrdup(conf->topic);
	in->conf.instance = xstrdup(conf->instance);
	in->conf.client_id = xstrdup(conf->client_id);
	in->place.partition = -1;
	in->rk = connect_rk(conf, err);
	if (in->rk == NULL) {
		log_error("kafka inbox %s: %s", conf->client_id, err);
		inbox_free(in);
		return NULL;
	}
	rd_kafka_poll_set_consumer(in->rk);
	in->queue = rd_kafka_queue_get_consumer(in->rk);
	in->feed = feed_new(loop, on_event, in);
	feed_attach(in->feed, in->queue);
	start_finding(in);
	return in;
}

static void
stop(struct inbox *in)
{
	atomic_store(&in->stopping, true);
	if (in->asking)
		pthread_join(in->asker, NULL);
	feed_free(in->feed);
	rd_kafka_queue_destroy(in->queue);
	kafka_destroy(in->rk, FREE_WAIT_US);
}

void
inbox_free(struct inbox *in)
{
	if (in == NULL)
		return;
	if (in->rk != NULL)
		stop(in);
	free((void *)(uintptr_t)in->conf.topic);
	free((void *)(uintptr_t)in->conf.instance);
	free((void *)(uintptr_t)in->conf.client_id);
	free(in);
}

int32_t
inbox_partition(const struct inbox *in)
{
	return atomic_load(&in->ready);
}
