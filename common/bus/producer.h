/*
 * The Kafka producer of one worker or one consumer thread: idempotent, acks=all, LZ4,
 * with delivery reports as callbacks. Never blocks: a full queue is ERR_OVERLOAD.
 *
 * With a loop, reports arrive on the loop's thread. Without one (loop NULL, for blocking
 * programs) they arrive inside producer_poll and producer_flush.
 */
#ifndef ONRUSH_BUS_PRODUCER_H
#define ONRUSH_BUS_PRODUCER_H

#include "app/loop.h"
#include "base/err.h"
#include "base/str.h"
#include "http/rq.h"

struct producer;

struct producer_conf {
	const char *brokers; /* "host:port,…" */
	const char *client_id;
	int64_t linger_us;  /* 100 for requests, 0 for what is a batch already */
	int64_t timeout_us; /* until a record must be delivered: 5 s; relay: 120 s */
	size_t max_queue;   /* records that wait for delivery */
};

/* How a record ended. ERR_OK: persisted. ERR_UNAVAILABLE: certainly not persisted.
 * ERR_UNKNOWN_OUTCOME: perhaps. ERR_OVERLOAD: not taken. */
typedef void producer_cb(void *arg, enum err err);

struct record {
	const char *topic;
	int32_t partition; /* -1: by key */
	str key;           /* p == NULL: none */
	str value;
	const struct http_header *headers; /* name and value; copied */
	size_t header_count;
};

/* NULL with an error logged when the settings are refused. */
struct producer *producer_new(struct loop *loop, const struct producer_conf *conf);
/* Waits up to 800 ms for what is under way, then drops it (callbacks get
 * ERR_UNKNOWN_OUTCOME), and as long for librdkafka to end. */
void producer_free(struct producer *p); /* NULL is fine */

/* Key and value are copied. cb (may be NULL) is called exactly once, never before this
 * returns. */
void producer_send(
    struct producer *p, const struct record *record, producer_cb *cb, void *arg);

/* Asks the brokers for these topics so that the first record is not the slow one. True
 * when they all exist and have leaders. Blocks up to timeout_us: before readiness only.
 */
bool producer_warm(
    struct producer *p, const char *const *topics, size_t count, int64_t timeout_us);

/* For blocking programs. */
void producer_poll(struct producer *p, int64_t timeout_us);
/* True when everything was delivered (or failed) within timeout_us. */
bool producer_flush(struct producer *p, int64_t timeout_us);

/* A broker answers: false from the moment that the last connection is gone (a broker that
 * stands still: from the first request that timed out) until one has answered again, with
 * or without traffic. From any thread, as producer_queued. */
bool producer_is_up(const struct producer *p);
size_t producer_queued(const struct producer *p);

/* For a step: the next one sees rq->err when the delivery report came. */
rq_next rq_publish(struct rq *rq, rq_step *next, struct producer *p,
    const struct record *record) MUST_USE;

#endif
