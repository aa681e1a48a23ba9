/* How coupons stand in PostgreSQL: columns, rows and texts that several files share. */
#ifndef ONRUSH_COUPON_COUPON_STORE_H
#define ONRUSH_COUPON_COUPON_STORE_H

#include "coupon/coupon.h"
#include "store/pg.h"

/* What coupon_campaign_from_row reads, in its order. */
#define COUPON_CAMPAIGN_COLUMNS                                                          \
	"coupon_id, generation, kind, state, quantity, issued, per_user_limit,"          \
	" opens_at, closes_at, expires_at, version, head_hash"
enum {
	COUPON_CAMPAIGN_COLUMN_COUNT = 12
};

void coupon_campaign_from_row(struct campaign *c, const struct pg_result *rows, int row);

/* The canonical text, in the arena. */
str coupon_uuid_text(struct arena *arena, uuid id);

/* A stored outcome's code; what is not in err.def is ERR_INTERNAL. */
enum err coupon_outcome_from_text(str code);

#endif
