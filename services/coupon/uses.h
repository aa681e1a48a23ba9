/*
 * Coupons that orders take. Those that are wanted at the same moment are reserved by one
 * statement; a user's coupon of the lowest rank goes first.
 */
#ifndef ONRUSH_COUPON_USES_H
#define ONRUSH_COUPON_USES_H

#include "coupon/service.h"

struct uses;

/* A coupon that is wanted for an order, and what became of it. */
struct use {
	int64_t order_id, user_id, coupon_id;

	/* Set by uses_reserve: */
	enum err outcome; /* ERR_OK: reserved for this order, now or before */
	bool raced;       /* another order took the coupon at this moment: ask again */
	int64_t rank;
	int64_t discount_thousandths; /* 300 is 30 percent off */
	int64_t expires_us;           /* wall */
};

struct uses *uses_new(struct service *s);
void uses_free(struct uses *u); /* nothing may be pending; NULL is fine */

/* Reserves (use is borrowed until the next step). That step finds the outcome there, or
 * rq->err when the database did not answer. */
rq_next
uses_reserve(struct rq *rq, rq_step *next, struct uses *u, struct use *use) MUST_USE;

#endif
