/*
 * POST /orders/{orderId}/cancel: an order that waits is not settled any more; one that is
 * paid is undone: money, stock, sales and coupon go back, in one statement.
 *
 * The statement locks as the settler does (order, balance, products in order of their
 * ids, sales), each step waiting for the one before it, so that neither can wait for the
 * other in a circle. Who comes second finds what the first made of the order.
 */
#include <inttypes.h>

#include "crypto/digest.h"
#include "http/idempotency.h"
#include "http/json.h"
#include "order/order_json.h"
#include "order/ranking.h"
#include "store/rq_sql.h"

/* What outlives a step. */
struct cancel {
	int64_t order_id;
	int64_t user_id; /* who says so; 0: not told */
	uuid id;         /* of the request */
	bool now;        /* it was cancelled by this very statement */
};

static rq_step found, cancelled, show;

/* --- the request --------------------------------------------------------------- */

static enum err
read_user(struct rq *rq, struct cancel *c, const char **why)
{
	struct json_reader r;

	if (rq->body.n == 0)
		return ERR_OK;
	json_open(&r, rq->arena, rq->body);
	c->user_id = json_i64_or(&r, r.root, "userId", 1, INT64_MAX, 0);
	json_close(&r);
	*why = r.why;
	return r.err;
}

rq_next
order_cancel(struct rq *rq)
{
	struct cancel *c = ARENA_NEW(rq->arena, struct cancel);
	const char *why = "";
	enum err err;
	str key;

	rq->ctx = c;
	if (!str_to_i64(rq->params[0], 1, INT64_MAX, &c->order_id))
		return rq_fail_because(
		    rq, ERR_BAD_PARAMETER, "The order's id must be a positive integer.");
	if ((err = read_user(rq, c, &why)) != ERR_OK)
		return rq_fail_because(rq, err, "%s", why);
	if (!idempotency_key(rq, &key))
		return idempotency_refuse(rq);
	c->id = idempotency_id(STR("onrush-cancel-key-v1"), c->order_id, key);
	return order_find(rq, found, c->order_id);
}

/* --- the statement ------------------------------------------------------------- */

static const struct pg_stmt cancel_order = { "order_cancel",
	"with o as materialized (select order_id, user_id, status, amount - discount "
	"total,"
	" coupon_id, settled_at from orders.orders where order_id = $1 for update),"
	" paid as materialized (select * from o where status = 'COMPLETED'),"
	" b as materialized (select user_id, amount from orders.balances"
	" where user_id = (select user_id from paid where total > 0) for update),"
	" p as materialized (select l.product_id, l.quantity from orders.lines l"
	" join orders.products x using (product_id)"
	" where l.order_id = (select order_id from paid where (select count(*) from b) "
	">= 0)"
	" order by l.product_id for update of x),"
	" c as (update orders.orders t set status = 'CANCELLED', cancelled_at = now(),"
	" cancel_id = $2, settled_at = coalesce(t.settled_at, now()) from o"
	" where t.order_id = o.order_id and o.status in ('PENDING', 'COMPLETED')"
	" returning t.order_id, t.coupon_id),"
	" money as (insert into orders.transfers"
	" (transfer_id, debit, credit, amount, kind, order_id, balance)"
	" select $3::uuid, -1, user_id, total, 'REFUND', order_id, b.amount + total"
	" from paid join b using (user_id)),"
	" balance as (update orders.balances t set amount = t.amount + paid.total"
	" from paid, b where t.user_id = paid.user_id and t.user_id = b.user_id),"
	" stock as (update orders.products t set stock = t.stock + p.quantity"
	" from p where t.product_id = p.product_id),"
	" sales as (update orders.daily_sales t set sold = t.sold - p.quantity"
	" from p, paid where t.day = (paid.settled_at at time zone 'UTC')::date"
	" and t.product_id = p.product_id returning t.product_id, t.sold),"
	" waiting as (delete from orders.unsettled t using c"
	" where t.order_id = c.order_id),"
	" told as (insert into orders.outbox (batch_id, topic, records)"
	" select $4::uuid, $5::text, $6::jsonb from c union all"
	" select $7::uuid, $8::text, $9::jsonb from c where coupon_id is not null)"
	" select (select count(*) from c), paid.settled_at, sales.product_id, sales.sold"
	" from (select 1) one left join paid on true left join sales on true" };

/* A function of the order: it is undone once, whatever happens. */
static uuid
refund_id(int64_t order_id)
{
	const str parts[] = { STR("refund:"),
		{ (const char *)&order_id, sizeof(order_id) } };
	struct sha256 hash = sha256_of(parts, ARRAY_LEN(parts));

	return uuid_from_hash(hash.b);
}

static void
add_records(struct rq *rq, struct pg_params *p, const char *topic,
    const struct order_fact *fact, int64_t order_id)
{
	struct buf text = { 0 };
	struct json_writer w;

	order_records_begin(&w, &text);
	if (fact != NULL)
		order_records_put_fact(&w, fact);
	else
		order_records_put_use(&w, order_id, false);
	order_records_end(&w);
	pg_add_uuid(p, uuid_new());
	pg_add_str(p, str_of(topic));
	pg_add_str(p, arena_str(rq->arena, buf_str(&text)));
	buf_fini(&text);
}

/* The order is there; who it is of is known. */
static rq_next
found(struct rq *rq)
{
	struct service *s = rq->service;
	struct cancel *c = rq->ctx;
	struct order_fact fact;
	struct pg_params p;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (pg_rows(rq->pg) == 0)
		return rq_fail(rq, ERR_ORDER_UNKNOWN);
	fact = order_fact_from_rows(rq->arena, rq->pg, ORDER_TOPIC_CANCELLED);
	if (c->user_id != 0 && c->user_id != fact.user_id)
		return rq_fail(rq, ERR_ORDER_UNKNOWN);
	pg_params_init(&p, rq->arena);
	pg_add_i64(&p, c->order_id);
	pg_add_uuid(&p, c->id);
	pg_add_uuid(&p, refund_id(c->order_id));
	add_records(rq, &p, ORDER_TOPIC_CANCELLED, &fact, c->order_id);
	add_records(rq, &p, ORDER_OUTBOX_COUPON_USES, NULL, c->order_id);
	return rq_sql(rq, cancelled, s->pg, &cancel_order, &p);
}

/* --- afterwards ---------------------------------------------------------------- */

/* What is lost here the keeper puts right. */
static void
lower_ranks(struct rq *rq)
{
	struct service *s = rq->service;
	str key;

	if (s->redis == NULL || pg_is_null(rq->pg, 0, 2))
		return;
	key = ranking_key(rq->arena, pg_time_us(rq->pg, 0, 1));
	for (int i = 0; i < pg_rows(rq->pg); i++) {
		const str argv[] = { STR("ZADD"), key, STR("XX"), pg_str(rq->pg, i, 3),
			pg_str(rq->pg, i, 2) };

		redis_command(s->redis, ARRAY_LEN(argv), argv, NULL, NULL);
	}
}

static rq_next
cancelled(struct rq *rq)
{
	struct cancel *c = rq->ctx;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	c->now = pg_i64(rq->pg, 0, 0) == 1;
	if (c->now)
		lower_ranks(rq);
	return order_find(rq, show, c->order_id);
}

/* As it is now says who cancelled it: this request (now or when it came before), another
 * one, or nobody, because it had failed. */
static rq_next
show(struct rq *rq)
{
	const struct cancel *c = rq->ctx;

	if (rq->err != ERR_OK)
		return rq_fail(rq, ERR_UNKNOWN_OUTCOME);
	if (!uuid_eq(order_cancel_id(rq->pg), c->id))
		return rq_fail(rq, ERR_ORDER_STATE);
	if (!c->now)
		rq_header(rq, STR("Idempotent-Replayed"), STR("true"));
	return rq_ok(rq, order_data(rq));
}
