/*
 * Placing orders: those that wait at the same moment are written together, in two round
 * trips.
 *
 *   read prices, and what the keys did before ──> price each ──> insert all ──> events
 *
 * An order is refused by itself; when the statement fails, each is tried alone.
 */
#ifndef ONRUSH_ORDER_PLACING_H
#define ONRUSH_ORDER_PLACING_H

#include "base/uuid.h"
#include "order/order_rules.h"
#include "order/running.h"
#include "order/service.h"

struct placing;

/* An order that is asked for, and what became of it. */
struct order_request {
	struct order order;
	struct running_key key; /* its id is the request's */
	bool keyed;             /* it is of an Idempotency-Key */
	int64_t hash;           /* of the content */
	str traceparent;        /* borrowed; for the event */

	/* Set by placing_place: */
	enum err outcome;
	int64_t offender; /* the product that a refusal is about */
	bool replayed;    /* the order was there already */
};

struct placing *placing_new(struct service *s);
void placing_free(struct placing *p); /* nothing may be pending; NULL is fine */

/* Places the order (borrowed until the next step). That step finds its outcome, or
 * rq->err when it could not be begun. */
rq_next placing_place(struct rq *rq, rq_step *next, struct placing *p,
    struct order_request *request) MUST_USE;

/* What the request's key did before, in the columns that placing_replay reads; no row if
 * nothing. */
rq_next placing_find(struct rq *rq, rq_step *next, struct placing *p,
    const struct order_request *request) MUST_USE;
/* The order that a key made: it is the answer, or ERR_KEY_REUSED for other content. */
void
placing_replay(struct order_request *r, const struct pg_result *rows, int row, int col);

#endif
