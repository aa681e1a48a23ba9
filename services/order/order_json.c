#include "order/order_json.h"

#include <string.h>

#include "base/clock.h"
#include "http/json.h"
#include "store/rq_sql.h"

static const struct pg_stmt find_order = { "order_find",
	"select o.order_id, o.user_id, o.status, o.reason, o.amount, o.discount,"
	" o.coupon_id, o.coupon_rank, o.created_at, o.settled_at, o.cancelled_at,"
	" o.cancel_id, l.product_id, l.quantity, l.price"
	" from orders.orders o join orders.lines l using (order_id)"
	" where o.order_id = $1 order by l.product_id" };

enum {
	ORDER_ID,
	USER_ID,
	STATUS,
	REASON,
	AMOUNT,
	DISCOUNT,
	COUPON_ID,
	COUPON_RANK,
	CREATED_AT,
	SETTLED_AT,
	CANCELLED_AT,
	CANCEL_ID,
	PRODUCT_ID,
	QUANTITY,
	PRICE,
};

rq_next
order_find(struct rq *rq, rq_step *next, int64_t order_id)
{
	struct service *s = rq->service;
	struct pg_params p;

	pg_params_init(&p, rq->arena);
	pg_add_i64(&p, order_id);
	return rq_sql(rq, next, s->pg, &find_order, &p);
}

static void
put_lines(struct json_writer *w, const struct pg_result *rows)
{
	json_begin_array(w, "products");
	for (int i = 0; i < pg_rows(rows); i++) {
		json_begin_object(w, NULL);
		json_put_i64(w, "id", pg_i64(rows, i, PRODUCT_ID));
		json_put_i64(w, "quantity", pg_i64(rows, i, QUANTITY));
		json_put_i64(w, "price", pg_i64(rows, i, PRICE));
		json_end_object(w);
	}
	json_end_array(w);
}

static void
put_time(struct json_writer *w, const char *name, const struct pg_result *rows, int col)
{
	if (!pg_is_null(rows, 0, col))
		json_put_time(w, name, pg_time_us(rows, 0, col));
}

str
order_data(struct rq *rq)
{
	const struct pg_result *rows = rq->pg;
	int64_t amount = pg_i64(rows, 0, AMOUNT), discount = pg_i64(rows, 0, DISCOUNT);
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	str data;

	json_begin_object(&w, NULL);
	json_put_i64(&w, "orderId", pg_i64(rows, 0, ORDER_ID));
	json_put_i64(&w, "userId", pg_i64(rows, 0, USER_ID));
	json_put_str(&w, "status", pg_str(rows, 0, STATUS));
	if (!pg_is_null(rows, 0, REASON))
		json_put_str(&w, "reason", pg_str(rows, 0, REASON));
	json_put_i64(&w, "amount", amount);
	json_put_i64(&w, "discount", discount);
	json_put_i64(&w, "totalAmount", amount - discount);
	if (!pg_is_null(rows, 0, COUPON_ID)) {
		json_put_i64(&w, "couponId", pg_i64(rows, 0, COUPON_ID));
		json_put_i64(&w, "couponRank", pg_i64(rows, 0, COUPON_RANK));
	}
	put_lines(&w, rows);
	put_time(&w, "createdAt", rows, CREATED_AT);
	put_time(&w, "settledAt", rows, SETTLED_AT);
	put_time(&w, "cancelledAt", rows, CANCELLED_AT);
	json_end_object(&w);
	data = arena_str(rq->arena, buf_str(&text));
	buf_fini(&text);
	return data;
}

int64_t
order_user(const struct pg_result *rows)
{
	return pg_i64(rows, 0, USER_ID);
}

struct order_fact
order_fact_from_rows(struct arena *arena, const struct pg_result *rows, const char *topic)
{
	size_t count = (size_t)pg_rows(rows);
	struct order_fact_line *lines = arena_alloc(arena, count * sizeof(*lines));

	for (size_t i = 0; i < count; i++)
		lines[i] = (struct order_fact_line){
			.product_id = pg_i64(rows, (int)i, PRODUCT_ID),
			.quantity = pg_i64(rows, (int)i, QUANTITY),
			.price = pg_i64(rows, (int)i, PRICE),
		};
	return (struct order_fact){
		.topic = topic,
		.order_id = pg_i64(rows, 0, ORDER_ID),
		.user_id = pg_i64(rows, 0, USER_ID),
		.amount = pg_i64(rows, 0, AMOUNT),
		.discount = pg_i64(rows, 0, DISCOUNT),
		.coupon_id = pg_i64(rows, 0, COUPON_ID),
		.at_us = clock_wall_us(),
		.lines = lines,
		.line_count = count,
	};
}

uuid
order_cancel_id(const struct pg_result *rows)
{
	uuid id = { { 0 } };

	if (!pg_is_null(rows, 0, CANCEL_ID))
		ASSERT(uuid_parse(pg_str(rows, 0, CANCEL_ID), &id));
	return id;
}
