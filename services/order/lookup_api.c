/* GET /orders/{orderId}: an order as it is now, with its lines. */
#include "http/json.h"
#include "order/service.h"
#include "store/rq_sql.h"

static rq_step show;

static const struct pg_stmt find_order = { "order_show",
	"select o.order_id, o.user_id, o.status, o.reason, o.amount, o.discount,"
	" o.coupon_id, o.coupon_rank, o.created_at, o.settled_at,"
	" l.product_id, l.quantity, l.price"
	" from orders.orders o left join orders.lines l using (order_id)"
	" where o.order_id = $1 order by l.product_id" };

rq_next
order_show(struct rq *rq)
{
	struct service *s = rq->service;
	struct pg_params p;
	int64_t order_id;

	if (!str_to_i64(rq->params[0], 1, INT64_MAX, &order_id))
		return rq_fail_because(
		    rq, ERR_BAD_PARAMETER, "The order's id must be a positive integer.");
	pg_params_init(&p, rq->arena);
	pg_add_i64(&p, order_id);
	return rq_sql(rq, show, s->pg, &find_order, &p);
}

static void
put_lines(struct json_writer *w, const struct pg_result *rows)
{
	json_begin_array(w, "products");
	for (int i = 0; i < pg_rows(rows) && !pg_is_null(rows, i, 10); i++) {
		json_begin_object(w, NULL);
		json_put_i64(w, "id", pg_i64(rows, i, 10));
		json_put_i64(w, "quantity", pg_i64(rows, i, 11));
		json_put_i64(w, "price", pg_i64(rows, i, 12));
		json_end_object(w);
	}
	json_end_array(w);
}

static void
put_order(struct json_writer *w, const struct pg_result *rows)
{
	int64_t amount = pg_i64(rows, 0, 4), discount = pg_i64(rows, 0, 5);

	json_begin_object(w, NULL);
	json_put_i64(w, "orderId", pg_i64(rows, 0, 0));
	json_put_i64(w, "userId", pg_i64(rows, 0, 1));
	json_put_str(w, "status", pg_str(rows, 0, 2));
	if (!pg_is_null(rows, 0, 3))
		json_put_str(w, "reason", pg_str(rows, 0, 3));
	json_put_i64(w, "amount", amount);
	json_put_i64(w, "discount", discount);
	json_put_i64(w, "totalAmount", amount - discount);
	if (!pg_is_null(rows, 0, 6)) {
		json_put_i64(w, "couponId", pg_i64(rows, 0, 6));
		json_put_i64(w, "couponRank", pg_i64(rows, 0, 7));
	}
	put_lines(w, rows);
	json_put_time(w, "createdAt", pg_time_us(rows, 0, 8));
	if (!pg_is_null(rows, 0, 9))
		json_put_time(w, "settledAt", pg_time_us(rows, 0, 9));
	json_end_object(w);
}

static rq_next
show(struct rq *rq)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	str data;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (pg_rows(rq->pg) == 0)
		return rq_fail(rq, ERR_ORDER_UNKNOWN);
	put_order(&w, rq->pg);
	data = arena_str(rq->arena, buf_str(&text));
	buf_fini(&text);
	return rq_ok(rq, data);
}
