/*
 * Requests that wait for their decision, found by the request's id. Whoever learns a
 * decision (a reply over Kafka, the direct road) lands it here.
 */
#ifndef ONRUSH_COUPON_FLIGHTS_H
#define ONRUSH_COUPON_FLIGHTS_H

#include <sys/queue.h>

#include "coupon/service.h"

/* How far the event of a request got. */
enum delivery {
	DELIVERY_NONE,    /* not sent, or certainly not persisted */
	DELIVERY_PENDING, /* sent, no report yet */
	DELIVERY_DONE,    /* persisted: it will be decided */
	DELIVERY_UNKNOWN, /* perhaps persisted */
};

/* One waiting request; lives in the request's arena. */
struct flight {
	LIST_ENTRY(flight) link;
	struct coupon_request request;
	struct rq *rq;         /* borrowed: waits while it is registered */
	struct report *report; /* borrowed until the delivery report came; may be NULL */
	enum delivery delivery;
	bool wake_on_delivery; /* Prefer: respond-async */
	/* What landed: set before the request is woken with ERR_OK. */
	struct coupon_decision decision;
	struct chain_head head; /* of its campaign's batch; rank 0 when there is none */
};

struct flights *flights_new(struct service *s);
void flights_free(struct flights *f); /* NULL is fine */

/* Registers; ERR_OVERLOAD when too many wait. */
enum err flights_add(struct flights *f, struct flight *flight) MUST_USE;
/* Forgets; not registered is fine. */
void flights_remove(struct flights *f, struct flight *flight);

/* Sends the request's event; flight->delivery follows its report. When the report is bad,
 * or good and wake_on_delivery is set, the request is woken with ERR_UNAVAILABLE or
 * ERR_OK (with no decision: decision.request_id is zero). */
void flights_send(struct flights *f, struct flight *flight);

/* Lands decisions: every registered request with one of these ids is woken. */
void flights_land(struct flights *f, const struct coupon_decision *decisions,
    size_t count, const struct chain_head *heads, size_t head_count);

#endif
