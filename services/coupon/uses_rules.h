/* What becomes of a coupon that an order wants. Pure: no I/O, no clock. */
#ifndef ONRUSH_COUPON_USES_RULES_H
#define ONRUSH_COUPON_USES_RULES_H

#include <stdbool.h>
#include <stdint.h>

struct use;

/* What the statement found out about one use. */
struct use_facts {
	bool known;         /* there is such a coupon */
	bool owned;         /* the user was issued one or more of them */
	bool valid;         /* its time is not over */
	int64_t free_rank;  /* of the user's, not taken by any order; 0: none */
	int64_t taken_rank; /* what this order has taken just now; 0: nothing */
	/* What this order had taken before; 0: nothing. */
	int64_t earlier_coupon, earlier_user, earlier_rank;
};

/*
 * Sets the use's outcome, rank and `raced`. ERR_OK: taken, now or before;
 * ERR_COUPON_UNKNOWN, ERR_COUPON_NOT_OWNED, ERR_COUPON_EXPIRED or ERR_COUPON_USED, the
 * first that holds; ERR_ORDER_STATE: the order has taken another user's or coupon's.
 */
void use_decide(struct use *use, const struct use_facts *facts);

#endif
