/* How coupons stand in PostgreSQL: columns, rows and texts that several files share. */
#ifndef ONRUSH_COUPON_COUPON_STORE_H
#define ONRUSH_COUPON_COUPON_STORE_H

#include "coupon/coupon.h"
#include "store/pg.h"

/* What coupon_campaign_from_row reads, in its order. */
#define COUPON_CAMPAIGN_COLUMNS                                                          \
	"coupon_id, generation, kind, state, quantity, issued, per_user_limit,"          \
	" opens_at, closes_at, expires_at, version, head_hash, name, discount_rate"

void coupon_campaign_from_row(struct campaign *c, const struct pg_result *rows, int row);

/* Stored decisions: the columns of coupon.issued i (with p, the rank before) and of
 * coupon.refusals f, which a union all reads with coupon_stored_from_row. */
#define COUPON_STORED_ISSUED                                                             \
	"i.request_id, i.coupon_id, i.user_id, 'OK', i.rank, i.issued_at, i.hash, "      \
	"p.hash"
#define COUPON_STORED_REFUSED                                                            \
	"f.request_id, f.coupon_id, f.user_id, f.outcome, 0, null, null, null"
#define COUPON_STORED_PREVIOUS                                                           \
	" left join coupon.issued p on p.coupon_id = i.coupon_id and p.rank = i.rank - " \
	"1"

/* `col` is the first of those columns. */
void coupon_stored_from_row(
    struct coupon_stored *s, const struct pg_result *rows, int row, int col);

#endif
