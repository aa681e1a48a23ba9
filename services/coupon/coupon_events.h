/* The coupon service's records in Kafka, both ways. */
#ifndef ONRUSH_COUPON_COUPON_EVENTS_H
#define ONRUSH_COUPON_COUPON_EVENTS_H

#include "base/arena.h"
#include "base/buf.h"
#include "coupon/coupon.h"

/*
 * COUPON_PUBLISH_REQUESTED, key couponId. The eventId is the request's id, so the event
 * is its own proof against repetition. replyTo names the partition of
 * COUPON_TOPIC_REPLIES and the instance that waits.
 */
struct coupon_requested {
	struct coupon_request request;
	int32_t reply_partition; /* -1: nobody waits */
	str reply_instance;
};

void coupon_requested_encode(
    struct buf *out, const struct coupon_requested *e, str traceparent);
/* False with a sentence in *why (static or in the arena) when it is not that. */
bool coupon_requested_decode(
    struct coupon_requested *e, struct arena *arena, str text, const char **why) MUST_USE;

/*
 * COUPON_PUBLISHED, key couponId: a fact for other systems, with the receipt as payload.
 * Its eventId is a function of the receipt, so that it stays the same when it is told
 * again.
 */
void coupon_published_encode(struct buf *out, const struct receipt *r);

/* COUPON_DECIDED, to COUPON_TOPIC_REPLIES, key instance: what a batch decided for one
 * instance. The arrays live in the arena. */
struct coupon_decided {
	struct coupon_decision *decisions;
	size_t count;
	struct chain_head *heads; /* one for each campaign that gave something */
	size_t head_count;
};

void coupon_decided_encode(struct buf *out, const struct coupon_decided *e);
bool coupon_decided_decode(
    struct coupon_decided *e, struct arena *arena, str text, const char **why) MUST_USE;

#endif
