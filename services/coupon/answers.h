/* How decisions and campaigns are found and shown to a client; for the service's steps.
 */
#ifndef ONRUSH_COUPON_ANSWERS_H
#define ONRUSH_COUPON_ANSWERS_H

#include "coupon/service.h"

/* 200 with the coupon and its receipt, or the refusal. head may be NULL. */
rq_next answers_decision(struct rq *rq, const struct coupon_decision *d,
    const struct chain_head *head) MUST_USE;

/* The same with everything that is needed to check the receipt alone. */
rq_next answers_proof(struct rq *rq, const struct coupon_decision *d,
    const struct chain_head *head, const struct sha256 *path, size_t path_count) MUST_USE;

/* 202 with a Location: not decided yet. */
rq_next answers_accepted(struct rq *rq, const struct coupon_request *request) MUST_USE;

/* 200 with the campaign. */
rq_next answers_campaign(struct rq *rq, const struct campaign *c) MUST_USE;
/* Reads what was decided for a request id: the next step finds a row in rq->pg, for
 * coupon_stored_from_row, or none. */
rq_next
answers_find(struct rq *rq, rq_step *next, struct pgpool *pg, uuid request_id) MUST_USE;

#endif
