#include "coupon/coupon_store.h"

#include <string.h>

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
	};
	ASSERT(uuid_parse(pg_str(rows, row, 1), &c->generation));
	ASSERT(coupon_kind_parse(pg_str(rows, row, 2), &c->kind));
	ASSERT(coupon_state_parse(pg_str(rows, row, 3), &c->state));
	if (!pg_bytes(rows, row, 11, c->head.b, SHA256_SIZE))
		c->head = receipt_chain_start(c->coupon_id);
}

str
coupon_uuid_text(struct arena *arena, uuid id)
{
	char *text = arena_alloc(arena, UUID_TEXT_SIZE);

	uuid_format(id, text);
	return (str){ text, UUID_TEXT_SIZE - 1 };
}

enum err
coupon_outcome_from_text(str code)
{
	for (enum err e = ERR_OK; e < ERR_COUNT; e++)
		if (str_eq(str_of(err_info(e)->code), code))
			return e;
	return ERR_INTERNAL;
}
