/*
 * POST /orders/{orderId}/cancel: an order that waits is not settled any more; one that is
 * paid is undone: money, stock, sales and coupon go back, in one transaction (the
 * function orders.cancel_order of the schema). Who comes second finds what the first made
 * of the order; a repetition that comes while the first is under way is told so.
 */
#include "crypto/digest.h"
#include "http/caller.h"
#include "http/idempotency.h"
#include "http/json.h"
#include "order/order_json.h"
#include "order/ranking.h"
#include "order/running.h"

/* What outlives a step. */
struct cancel {
	struct rq *rq; /* borrowed; this is in its arena */
	int64_t order_id;
	int64_t user_id;        /* who says so; 0: not told */
	struct running_key key; /* its id is the request's */
};

static rq_step found, cancelled, show;
static pgpool_cb on_cancelled;

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
	c->rq = rq;
	if (!str_to_i64(rq->params[0], 1, INT64_MAX, &c->order_id))
		return rq_fail_because(
		    rq, ERR_BAD_PARAMETER, "The order's id must be a positive integer.");
	if ((err = read_user(rq, c, &why)) != ERR_OK)
		return rq_fail_because(rq, err, "%s", why);
	if (!idempotency_key(rq, &key))
		return idempotency_refuse(rq);
	c->key.id = idempotency_id(STR("onrush-cancel-key-v1"), c->order_id, key);
	return order_find(rq, found, c->order_id);
}

/* --- the transaction ----------------------------------------------------------- */

static const struct pg_stmt cancel_order = { "order_cancel",
	"select settled_at, product_id, sold from orders.cancel_order"
	" ($1, $2, $3, $4, $5, $6, $7, $8, $9)" };

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
	if ((c->user_id != 0 && c->user_id != fact.user_id) ||
	    caller_check(rq, fact.user_id) != ERR_OK)
		return rq_fail(rq, ERR_ORDER_UNKNOWN);
	if (uuid_eq(order_cancel_id(rq->pg), c->key.id)) {
		rq_header(rq, STR("Idempotent-Replayed"), STR("true"));
		return rq_ok(rq, order_data(rq));
	}
	if (running_has(s->running, c->key.id))
		return rq_fail(rq, ERR_IN_PROGRESS);
	pg_params_init(&p, rq->arena);
	pg_add_i64(&p, c->order_id);
	pg_add_uuid(&p, c->key.id);
	pg_add_uuid(&p, refund_id(c->order_id));
	add_records(rq, &p, ORDER_TOPIC_CANCELLED, &fact, c->order_id);
	add_records(rq, &p, ORDER_OUTBOX_COUPON_USES, NULL, c->order_id);
	running_begin(s->running, &c->key);
	pgpool_exec(s->pg, &cancel_order, &p, on_cancelled, c);
	return rq_started(rq, cancelled);
}

/* --- afterwards ---------------------------------------------------------------- */

/* What is lost here the keeper puts right. */
static void
lower_ranks(struct rq *rq, const struct pg_result *rows)
{
	struct service *s = rq->service;

	if (s->redis == NULL)
		return;
	for (int i = 0; i < pg_rows(rows); i++) {
		const str argv[] = { STR("ZADD"),
			ranking_key(rq->arena, pg_time_us(rows, i, 0)), STR("XX"),
			pg_str(rows, i, 2), pg_str(rows, i, 1) };

		redis_command(s->redis, ARRAY_LEN(argv), argv, NULL, NULL);
	}
}

/* Not a step: it is done for a request that was given up meanwhile, too. */
static void
on_cancelled(
    void *arg, enum err err, const struct pg_result *rows, const char *sqlstate UNUSED)
{
	struct cancel *c = arg;

	running_end(&c->key);
	if (err == ERR_OK)
		lower_ranks(c->rq, rows);
	rq_resume(c->rq, err);
}

static rq_next
cancelled(struct rq *rq)
{
	const struct cancel *c = rq->ctx;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	return order_find(rq, show, c->order_id);
}

/* As it is now says who cancelled it: this request, another one, or nobody because it had
 * failed. */
static rq_next
show(struct rq *rq)
{
	const struct cancel *c = rq->ctx;

	if (rq->err != ERR_OK)
		return rq_fail(rq, ERR_UNKNOWN_OUTCOME);
	if (!uuid_eq(order_cancel_id(rq->pg), c->key.id))
		return rq_fail(rq, ERR_ORDER_STATE);
	return rq_ok(rq, order_data(rq));
}
