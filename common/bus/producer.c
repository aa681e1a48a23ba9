/*
 * The producer. Each record that is under way has a struct sent, which librdkafka carries
 * as the record's opaque; there are never more of them than max_queue.
 *
 *   producer_send ──> under_way ──delivery report──> callback
 *                 └─> ended ─────next wake-up──────> callback      (refused, given up)
 *
 * A client is one instance of librdkafka. After a fatal error (the broker's and our view
 * of the sequence differ) it is replaced: what was under way ends with
 * ERR_UNKNOWN_OUTCOME, because the reports of the old client are not waited for, and a
 * thread of its own destroys it.
 *
 * Never blocks but in the functions that say so; never sends a record again by itself.
 */
#include "bus/producer.h"

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/log.h"
#include "base/clock.h"
#include "bus/feed.h"
#include "bus/kafka.h"
#include "bus/probe.h"

enum {
	FREE_WAIT_US = 800000, /* twice, of the five seconds that a thread has to end */
};

struct sent {
	TAILQ_ENTRY(sent) link; /* in under_way, ended or spare */
	producer_cb *cb;        /* NULL: nobody wants to know */
	void *arg;              /* borrowed until cb was called */
	enum err err;           /* in ended */
};
TAILQ_HEAD(sent_list, sent);

struct client {
	rd_kafka_t *rk;          /* owned */
	rd_kafka_queue_t *queue; /* owned; reports and errors */
	struct probe *probe;     /* owned */
};

struct producer {
	struct producer_conf conf; /* brokers and client_id owned */
	struct client *client;     /* owned */
	struct feed *feed;         /* owned; NULL without a loop */
	struct sent_list under_way, ended, spare;
	size_t spare_count;
	atomic_size_t queued; /* of under_way */
	atomic_bool up;       /* kept by the client's probe */
	bool broken;          /* the client saw a fatal error */
};

static void on_event(void *arg, rd_kafka_event_t *event);

/* --- clients -------------------------------------------------------------------------
 */

static rd_kafka_t *
connect_rk(const struct producer_conf *conf, char err[KAFKA_ERROR_SIZE])
{
	rd_kafka_conf_t *events = rd_kafka_conf_new();
	char linger_ms[32], timeout_ms[32], max_queue[32];
	const struct kafka_setting settings[] = {
		{ "enable.idempotence", "true" }, /* and with it acks=all, in order */
		{ "compression.type", "lz4" },
		{ "partitioner", "murmur2_random" }, /* as the Java clients do */
		{ "linger.ms", linger_ms },
		{ "batch.num.messages", "1000" },
		{ "message.timeout.ms", timeout_ms },
		{ "request.timeout.ms", "3000" },
		{ "queue.buffering.max.messages", max_queue },
		{ "queue.buffering.max.kbytes", "65536" },
		{ NULL, NULL },
	};

	snprintf(linger_ms, sizeof(linger_ms), "%lld.%03lld",
	    (long long)(conf->linger_us / CLOCK_US_PER_MS),
	    (long long)(conf->linger_us % CLOCK_US_PER_MS));
	snprintf(timeout_ms, sizeof(timeout_ms), "%d", kafka_ms(conf->timeout_us));
	snprintf(max_queue, sizeof(max_queue), "%zu", conf->max_queue);
	rd_kafka_conf_set_events(events, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
	return kafka_new(
	    RD_KAFKA_PRODUCER, conf->brokers, conf->client_id, settings, events, err);
}

static struct client *
client_new(struct producer *p, char err[KAFKA_ERROR_SIZE])
{
	rd_kafka_t *rk = connect_rk(&p->conf, err);
	struct client *c;

	if (rk == NULL)
		return NULL;
	c = xcalloc(1, sizeof(*c));
	c->rk = rk;
	c->queue = rd_kafka_queue_get_main(rk);
	c->probe = probe_new(rk, &p->up);
	return c;
}

/* Runs on a thread: both librdkafka and the probe may take their time. */
static void
client_free(void *arg)
{
	struct client *c = arg;

	probe_free(c->probe);
	rd_kafka_queue_destroy(c->queue);
	rd_kafka_destroy(c->rk);
	free(c);
}

static void
client_retire(struct client *c, int64_t wait_us)
{
	probe_stop(c->probe);
	if (!kafka_run_bounded(client_free, c, wait_us) && wait_us > 0)
		log_warn("kafka: a producer took too long to end and was left alone");
}

/* --- the life of a record ------------------------------------------------------------
 */

static struct sent *
sent_new(struct producer *p, producer_cb *cb, void *arg)
{
	struct sent *s = TAILQ_FIRST(&p->spare);

	if (s == NULL) {
		s = xcalloc(1, sizeof(*s));
	} else {
		TAILQ_REMOVE(&p->spare, s, link);
		p->spare_count--;
	}
	s->cb = cb;
	s->arg = arg;
	return s;
}

/* The end of a record that is in no list any more. */
static void
sent_report(struct producer *p, struct sent *s, enum err err)
{
	producer_cb *cb = s->cb;
	void *arg = s->arg;

	if (p->spare_count < p->conf.max_queue) {
		TAILQ_INSERT_HEAD(&p->spare, s, link);
		p->spare_count++;
	} else {
		free(s);
	}
	if (cb != NULL)
		cb(arg, err);
}

static void
sent_end_later(struct producer *p, struct sent *s, enum err err)
{
	s->err = err;
	TAILQ_INSERT_TAIL(&p->ended, s, link);
}

/* What a callback ends meanwhile waits for the next wake-up. */
static void
report_ended(struct producer *p)
{
	struct sent_list now = TAILQ_HEAD_INITIALIZER(now);
	struct sent *s;

	TAILQ_CONCAT(&now, &p->ended, link);
	while ((s = TAILQ_FIRST(&now)) != NULL) {
		TAILQ_REMOVE(&now, s, link);
		sent_report(p, s, s->err);
	}
}

static void
give_up_all(struct producer *p)
{
	struct sent *s;

	while ((s = TAILQ_FIRST(&p->under_way)) != NULL) {
		TAILQ_REMOVE(&p->under_way, s, link);
		sent_end_later(p, s, ERR_UNKNOWN_OUTCOME);
	}
	atomic_store(&p->queued, 0);
}

/* The settings were accepted before, so only a lack of memory or threads can stop it. */
static void
renew(struct producer *p)
{
	struct client *old = p->client;
	char err[KAFKA_ERROR_SIZE];

	if (p->feed != NULL)
		feed_attach(p->feed, NULL);
	client_retire(old, 0);
	give_up_all(p);
	p->broken = false;
	p->client = client_new(p, err);
	ASSERT(p->client != NULL);
	if (p->feed != NULL)
		feed_attach(p->feed, p->client->queue);
}

/* --- what librdkafka reports ---------------------------------------------------------
 */

static enum err
outcome(const rd_kafka_message_t *m)
{
	if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR)
		return ERR_OK;
	switch (rd_kafka_message_status(m)) {
	case RD_KAFKA_MSG_STATUS_PERSISTED: return ERR_OK;
	case RD_KAFKA_MSG_STATUS_NOT_PERSISTED: return ERR_UNAVAILABLE;
	case RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED: return ERR_UNKNOWN_OUTCOME;
	}
	UNREACHABLE();
}

static void
on_reports(struct producer *p, rd_kafka_event_t *event)
{
	const rd_kafka_message_t *m;
	struct sent *s;
	enum err err;

	while ((m = rd_kafka_event_message_next(event)) != NULL) {
		err = outcome(m);
		if (err == ERR_OK && !atomic_load(&p->up))
			probe_found(p->client->probe);
		if (err != ERR_OK)
			log_warn("kafka producer %s: a record was not delivered: %s",
			    p->conf.client_id, rd_kafka_err2name(m->err));
		s = m->_private;
		TAILQ_REMOVE(&p->under_way, s, link);
		atomic_fetch_sub(&p->queued, 1);
		sent_report(p, s, err);
	}
}

static void
on_error(struct producer *p, rd_kafka_event_t *event)
{
	char why[KAFKA_ERROR_SIZE];

	/* The event carries the cause; that it was fatal, only the instance says. */
	if (rd_kafka_fatal_error(p->client->rk, why, sizeof(why)) !=
	    RD_KAFKA_RESP_ERR_NO_ERROR) {
		log_error("kafka producer %s starts anew: %s", p->conf.client_id, why);
		p->broken = true;
	} else if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
		log_warn("kafka producer %s: no broker is reachable", p->conf.client_id);
		probe_lost(p->client->probe);
	} else {
		kafka_log_error("producer", p->conf.client_id,
		    rd_kafka_event_error(event), rd_kafka_event_error_string(event));
	}
}

/* After a fatal error the rest of the client's events is of no interest: all its records
 * are given up. */
static void
on_event(void *arg, rd_kafka_event_t *event)
{
	struct producer *p = arg;

	if (event == NULL) {
		if (p->broken)
			renew(p);
		report_ended(p);
	} else if (!p->broken) {
		switch (rd_kafka_event_type(event)) {
		case RD_KAFKA_EVENT_DR: on_reports(p, event); break;
		case RD_KAFKA_EVENT_ERROR: on_error(p, event); break;
		}
	}
}

/* --- public --------------------------------------------------------------------------
 */

struct producer *
producer_new(struct loop *loop, const struct producer_conf *conf)
{
	struct producer *p = xcalloc(1, sizeof(*p));
	char err[KAFKA_ERROR_SIZE];

	ASSERT(conf->max_queue > 0);
	p->conf = *conf;
	p->conf.brokers = xstrdup(conf->brokers);
	p->conf.client_id = xstrdup(conf->client_id);
	TAILQ_INIT(&p->under_way);
	TAILQ_INIT(&p->ended);
	TAILQ_INIT(&p->spare);
	p->client = client_new(p, err);
	if (p->client == NULL) {
		log_error("kafka producer %s: %s", conf->client_id, err);
		producer_free(p);
		return NULL;
	}
	if (loop != NULL) {
		p->feed = feed_new(loop, on_event, p);
		feed_attach(p->feed, p->client->queue);
	}
	return p;
}

static void
finish(struct producer *p)
{
	producer_flush(p, FREE_WAIT_US);
	if (p->feed != NULL)
		feed_attach(p->feed, NULL);
	give_up_all(p);
	while (!TAILQ_EMPTY(&p->ended))
		report_ended(p);
	client_retire(p->client, FREE_WAIT_US);
}

void
producer_free(struct producer *p)
{
	struct sent *s;

	if (p == NULL)
		return;
	if (p->client != NULL)
		finish(p);
	feed_free(p->feed);
	while ((s = TAILQ_FIRST(&p->spare)) != NULL) {
		TAILQ_REMOVE(&p->spare, s, link);
		free(s);
	}
	free((void *)(uintptr_t)p->conf.brokers);
	free((void *)(uintptr_t)p->conf.client_id);
	free(p);
}

static rd_kafka_headers_t *
copy_headers(const struct record *r)
{
	rd_kafka_headers_t *headers;

	if (r->header_count == 0)
		return NULL;
	headers = rd_kafka_headers_new(r->header_count);
	for (size_t i = 0; i < r->header_count; i++)
		rd_kafka_header_add(headers, r->headers[i].name.p,
		    (ssize_t)r->headers[i].name.n, r->headers[i].value.p,
		    (ssize_t)r->headers[i].value.n);
	return headers;
}

/* Nothing of the record stays borrowed. */
static rd_kafka_resp_err_t
enqueue(rd_kafka_t *rk, const struct record *r, struct sent *s)
{
	rd_kafka_headers_t *headers = copy_headers(r);
	rd_kafka_resp_err_t err;

	/* Tags instead of the RD_KAFKA_V_ macros: those are statement expressions. */
	err = rd_kafka_producev(rk, RD_KAFKA_VTYPE_TOPIC, r->topic,
	    RD_KAFKA_VTYPE_PARTITION, r->partition, RD_KAFKA_VTYPE_KEY, r->key.p,
	    r->key.n, RD_KAFKA_VTYPE_VALUE, r->value.p, r->value.n,
	    RD_KAFKA_VTYPE_MSGFLAGS, RD_KAFKA_MSG_F_COPY, RD_KAFKA_VTYPE_OPAQUE,
	    (void *)s, RD_KAFKA_VTYPE_HEADERS, headers, RD_KAFKA_VTYPE_END);
	if (err != RD_KAFKA_RESP_ERR_NO_ERROR && headers != NULL)
		rd_kafka_headers_destroy(headers);
	return err;
}

static void
refuse(struct producer *p, struct sent *s, enum err err)
{
	sent_end_later(p, s, err);
	if (p->feed != NULL)
		feed_kick(p->feed);
}

void
producer_send(struct producer *p, const struct record *record, producer_cb *cb, void *arg)
{
	struct sent *s = sent_new(p, cb, arg);
	rd_kafka_resp_err_t failed;

	if (atomic_load(&p->queued) >= p->conf.max_queue) {
		refuse(p, s, ERR_OVERLOAD);
		return;
	}
	failed = enqueue(p->client->rk, record, s);
	if (failed == RD_KAFKA_RESP_ERR_NO_ERROR) {
		TAILQ_INSERT_TAIL(&p->under_way, s, link);
		atomic_fetch_add(&p->queued, 1);
	} else if (failed == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
		refuse(p, s, ERR_OVERLOAD);
	} else {
		log_warn("kafka producer %s: a record for %s was refused: %s",
		    p->conf.client_id, record->topic, rd_kafka_err2name(failed));
		refuse(p, s, ERR_UNAVAILABLE);
	}
}

bool
producer_warm(
    struct producer *p, const char *const *topics, size_t count, int64_t timeout_us)
{
	int64_t until_us = clock_mono_us() + timeout_us;
	size_t known = 0;

	do {
		while (known < count && kafka_partition_count(p->client->rk,
					    topics[known], kafka_ms_until(until_us)) > 0)
			known++;
	} while (known < count && kafka_pause(until_us));
	return known == count;
}

void
producer_poll(struct producer *p, int64_t timeout_us)
{
	int wait_ms = TAILQ_EMPTY(&p->ended) ? kafka_ms(timeout_us) : 0;
	rd_kafka_event_t *event;

	while ((event = rd_kafka_queue_poll(p->client->queue, wait_ms)) != NULL) {
		on_event(p, event);
		rd_kafka_event_destroy(event);
		wait_ms = 0;
	}
	on_event(p, NULL);
}

bool
producer_flush(struct producer *p, int64_t timeout_us)
{
	int64_t until_us = clock_mono_us() + timeout_us;
	int64_t left_us = timeout_us;

	while ((producer_queued(p) > 0 || !TAILQ_EMPTY(&p->ended)) && left_us > 0) {
		producer_poll(p, left_us);
		left_us = until_us - clock_mono_us();
	}
	return producer_queued(p) == 0;
}

bool
producer_is_up(const struct producer *p)
{
	return atomic_load(&p->up);
}

size_t
producer_queued(const struct producer *p)
{
	return atomic_load(&p->queued);
}
