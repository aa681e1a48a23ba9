/*
 * What becomes of orders when they are to be paid. Pure: no I/O, no clock, no allocation.
 */
#ifndef ONRUSH_ORDER_SETTLE_RULES_H
#define ONRUSH_ORDER_SETTLE_RULES_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "order/order_events.h"

/* An order that is still PENDING, and then what it ended as. */
struct settle_order {
	int64_t order_id, user_id;
	int64_t amount, discount; /* won */
	int64_t coupon_id;        /* 0: none */
	int64_t coupon_expires_us;
	const struct order_fact_line *lines; /* borrowed; no product twice */
	size_t line_count;

	/* Set by settle_decide: */
	enum err outcome; /* ERR_OK: COMPLETED; else why it FAILED */
	int64_t balance;  /* COMPLETED: of the user after it, won */
};

/* A user's account; `amount` moves with what is decided. */
struct settle_account {
	int64_t user_id;
	int64_t amount, before; /* won */
};

/* A product; stock and `sold` move with what is decided. */
struct settle_product {
	int64_t product_id;
	int64_t stock; /* pieces */
	int64_t sold;  /* in this batch */
};

/* Everything that a batch needs, as it is when its rows are locked. */
struct settle_state {
	struct settle_account *accounts; /* borrowed; sorted by user_id */
	size_t account_count;
	struct settle_product *products; /* borrowed; sorted by product_id */
	size_t product_count;
	int64_t now_us; /* wall */
};

/* What is to be paid. */
int64_t settle_total(const struct settle_order *o);

/*
 * Decides one order after those before it. A refused one changes nothing: it is
 * ERR_COUPON_EXPIRED (the coupon's time was over), ERR_USER_UNKNOWN (no account),
 * ERR_INSUFFICIENT_BALANCE or ERR_OUT_OF_STOCK, the first that holds. Otherwise ERR_OK:
 * the account pays and the products leave the stock.
 */
void settle_decide(struct settle_state *s, struct settle_order *o);

#endif
