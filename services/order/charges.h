/*
 * Charges: requests that wait at the same moment are one statement, however many users
 * they are of. See balance_rules.h.
 */
#ifndef ONRUSH_ORDER_CHARGES_H
#define ONRUSH_ORDER_CHARGES_H

#include "order/balance_rules.h"
#include "order/running.h"
#include "order/service.h"

struct charges;

/* A charge and what outlives a step of its request. */
struct charge_request {
	struct charge charge;
	struct running_key key; /* of one with an Idempotency-Key, while it is made */
	bool running;           /* the key is among those under way */
};

struct charges *charges_new(struct service *s);
void charges_free(struct charges *c); /* nothing may be pending; NULL is fine */

/* Makes the request's charge (borrowed until the next step). That step finds it decided,
 * or rq->err when it could not be begun. */
rq_next charges_make(struct rq *rq, rq_step *next, struct charges *c,
    struct charge_request *request) MUST_USE;

#endif
