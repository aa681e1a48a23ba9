/*
 * What PostgreSQL said about campaigns lately, per worker. A copy is good for
 * CAMPAIGNS_LEASE_US from the moment its query was sent; only then may a request be
 * refused because of it. An operator's change waits for one lease before it is answered,
 * so that no refusal is out of date when the operator knows.
 *
 * Reading is coalesced: however many ask, one query is under way.
 */
#ifndef ONRUSH_COUPON_CAMPAIGNS_H
#define ONRUSH_COUPON_CAMPAIGNS_H

#include "base/clock.h"
#include "coupon/service.h"

#define CAMPAIGNS_LEASE_US (100 * CLOCK_US_PER_MS)

struct campaigns *campaigns_new(struct service *s);
void campaigns_free(struct campaigns *c); /* NULL is fine */

/* The copy, or NULL if there is none. *fresh: it may refuse. One that is about to get old
 * is read again by the way. Borrowed until the next loop turn. */
const struct campaign *
campaigns_find(struct campaigns *c, int64_t coupon_id, bool *fresh);

/*
 * Reads the campaign now. The next step sees rq->err (ERR_OK also when there is no such
 * campaign) and finds it with campaigns_find. `coupon_id` must stay where it is until
 * then.
 */
rq_next campaigns_read(
    struct rq *rq, rq_step *next, struct campaigns *c, const int64_t *coupon_id) MUST_USE;

#endif
