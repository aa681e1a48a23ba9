#include "coupon/coupon_store.h"

#include <stdio.h>

#include "base/die.h"
#include "coupon/coupon_rules.h"
#include "coupon/receipt.h"

/* Our own check constraints keep these columns readable; anything else is a bug. */
void
coupon_campaign_from_row(struct campaign *c, const struct pg_result *rows, int row)
{
	*c = (struct campaign){
		.coupon_id = pg_i64(rows, row, 0),
		.quantity = pg_i64(rows, row, 4),
		.issued = pg_i64(rows, row, 5),
		.per_user_limit = pg_i64(rows, row, 6),
		.opens_us =
		    pg_is_null(rows, row, 7) ? INT64_MIN : pg_time_us(rows, row, 7),
		.closes_us =
		    pg_is_null(rows, row, 8) ? INT64_MAX : pg_time_us(rows, row, 8),
		.expires_us = pg_time_us(rows, row, 9),
		.version = pg_i64(rows, row, 10),
		.discount_rate = pg_double(rows, row, 13),
	};
	snprintf(c->name, sizeof(c->name), "%.*s", STR_ARG(pg_str(rows, row, 12)));
	ASSERT(uuid_parse(pg_str(rows, row, 1), &c->generation));
	ASSERT(coupon_kind_parse(pg_str(rows, row, 2), &c->kind));
	ASSERT(coupon_state_parse(pg_str(rows, row, 3), &c->state));
	if (!pg_bytes(rows, row, 11, c->head.b, SHA256_SIZE))
		c->head = receipt_chain_start(c->coupon_id);
}

/* A stored outcome's code; what is not in err.def is ERR_INTERNAL. */
static enum err
outcome_from_text(str code)
{
	for (enum err e = ERR_OK; e < ERR_COUNT; e++)
		if (str_eq(str_of(err_info(e)->code), code))
			return e;
	return ERR_INTERNAL;
}

void
coupon_stored_from_row(
    struct coupon_stored *s, const struct pg_result *rows, int row, int col)
{
	struct coupon_decision *d = &s->decision;
	struct receipt *r = &d->receipt;

	*s = (struct coupon_stored){
		.coupon_id = pg_i64(rows, row, col + 1),
		.user_id = pg_i64(rows, row, col + 2),
	};
	ASSERT(uuid_parse(pg_str(rows, row, col), &d->request_id));
	d->outcome = outcome_from_text(pg_str(rows, row, col + 3));
	if (d->outcome != ERR_OK)
		return;
	*r = (struct receipt){
		.coupon_id = s->coupon_id,
		.user_id = s->user_id,
		.rank = pg_i64(rows, row, col + 4),
		.issued_us = pg_time_us(rows, row, col + 5),
		.request_id = d->request_id,
		.previous = receipt_chain_start(s->coupon_id),
	};
	ASSERT(pg_bytes(rows, row, col + 6, r->hash.b, SHA256_SIZE));
	if (r->rank > 1)
		ASSERT(pg_bytes(rows, row, col + 7, r->previous.b, SHA256_SIZE));
}
