/*
 * The rules of a campaign. Pure: no I/O, no clock, no allocation that outlives a call.
 */
#ifndef ONRUSH_COUPON_COUPON_RULES_H
#define ONRUSH_COUPON_COUPON_RULES_H

#include <stddef.h>

#include "coupon/coupon.h"

/* Names as they stand in the database and the API; false for an unknown name. */
const char *coupon_kind_name(enum coupon_kind kind);
bool coupon_kind_parse(str name, enum coupon_kind *kind) MUST_USE;
const char *coupon_state_name(enum coupon_state state);
bool coupon_state_parse(str name, enum coupon_state *state) MUST_USE;

/* Would the campaign give a coupon to someone who asked at this time and has none?
 * ERR_OK, ERR_COUPON_NOT_OPEN or ERR_COUPON_SOLD_OUT. */
enum err coupon_judge(const struct campaign *c, int64_t at_us);

/* How many are left; INT64_MAX of an unlimited one. */
int64_t coupon_remaining(const struct campaign *c);

/* May the operator move the state so? */
bool coupon_may_move(enum coupon_state from, enum coupon_state to);

/* What is known about one request before its batch is decided. */
struct coupon_history {
	int64_t held; /* coupons of this campaign that the user has */
	bool decided; /* this request id was decided before: */
	struct coupon_stored stored;
};

/*
 * Decides a batch, in its order. campaigns[] holds, sorted by coupon_id, those that
 * exist; each one's `issued` and `head` are moved on. history[i] belongs to requests[i],
 * all as of before the batch; what happens within the batch (the same user twice, the
 * same request twice) is seen here. nths[i] is the how-manieth coupon of that user
 * decision i gives, 0 if it gives none. now_us becomes the receipts' issuedAt.
 */
void coupon_decide(struct campaign *campaigns, size_t campaign_count,
    const struct coupon_request *requests, const struct coupon_history *history,
    size_t count, int64_t now_us, struct coupon_decision *decisions, int64_t *nths);

#endif
