/*
 * POST /orders: someone buys. The order is written as PENDING and answered when that is
 * committed; the payment-worker settles it.
 *
 * A coupon is reserved first, by a call to the coupon service that may be repeated: the
 * reservation is the request's. What is reserved for an order that is never written is
 * given back by the keeper.
 */
#include <inttypes.h>

#include "app/log.h"
#include "http/caller.h"
#include "http/idempotency.h"
#include "http/json_values.h"
#include "order/order_ids.h"
#include "order/placing.h"
#include "store/rq_sql.h"

static rq_step known, reserve, reserved, place, placed;

/* --- the request --------------------------------------------------------------- */

static void
read_lines(struct json_reader *r, struct order *o)
{
	const struct json *lines = json_array(r, r->root, "products", 1, ORDER_LINES_MAX);

	o->lines = arena_alloc(r->arena, ORDER_LINES_MAX * sizeof(*o->lines));
	for (const struct json *e = lines == NULL ? NULL : json_first(lines); e != NULL;
	     e = json_next(e))
		o->lines[o->line_count++] = (struct order_line){
			.product_id = json_i64(r, e, "id", 1, INT64_MAX),
			.quantity = json_i64(r, e, "quantity", 1, ORDER_QUANTITY_MAX),
		};
}

static enum err
read_order(struct rq *rq, struct order *o, const char **why)
{
	struct json_reader r;

	json_open(&r, rq->arena, rq->body);
	o->user_id = json_i64(&r, r.root, "userId", 1, INT64_MAX);
	o->coupon.coupon_id = json_i64_or(&r, r.root, "couponId", 1, INT64_MAX, 0);
	read_lines(&r, o);
	json_close(&r);
	*why = r.why;
	if (r.err == ERR_OK && !order_lines_distinct(o)) {
		*why = "\"products\" must name each product once.";
		return ERR_BAD_PARAMETER;
	}
	return r.err;
}

rq_next
order_place(struct rq *rq)
{
	struct service *s = rq->service;
	struct order_request *request = ARENA_NEW(rq->arena, struct order_request);
	const char *why;
	enum err err = read_order(rq, &request->order, &why);
	str key;

	rq->ctx = request;
	if (err != ERR_OK)
		return rq_fail_because(rq, err, "%s", why);
	if ((err = caller_check(rq, request->order.user_id)) != ERR_OK)
		return rq_fail(rq, err);
	if (!idempotency_key(rq, &key))
		return idempotency_refuse(rq);
	request->keyed = key.p != NULL;
	request->key.id =
	    idempotency_id(STR("onrush-order-key-v1"), request->order.user_id, key);
	request->hash = order_content_hash(&request->order);
	request->traceparent = rq->traceparent;
	if (!pgpool_is_up(s->pg))
		return rq_fail(rq, ERR_UNAVAILABLE);
	if (request->order.coupon.coupon_id == 0)
		return rq_goto(rq, place);
	if (!request->keyed)
		return rq_goto(rq, reserve);
	return placing_find(rq, known, s->placing, request);
}

/* --- the coupon ---------------------------------------------------------------- */

/*
 * The reservation is the order's, so a key has one order id: two repetitions at the same
 * moment reserve one coupon, and one of them writes the order.
 */

/* The key's order may be there, and its coupon given back since: it is not reserved
 * again. */
static rq_next
known(struct rq *rq)
{
	struct order_request *request = rq->ctx;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (pg_rows(rq->pg) == 0)
		return rq_goto(rq, reserve);
	placing_replay(request, rq->pg, 0, 0);
	return rq_goto(rq, placed);
}

static rq_next
reserve(struct rq *rq)
{
	struct service *s = rq->service;
	struct order_request *request = rq->ctx;
	const struct order *o = &request->order;
	static const struct http_header json = { STR_INIT("Content-Type"),
		STR_INIT("application/json") };
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	str body;

	request->order.order_id =
	    request->keyed ? order_id_of_key(request->key.id) : order_ids_take(s->ids);
	if (request->order.order_id == 0)
		return rq_fail(rq, ERR_UNAVAILABLE);
	json_begin_object(&w, NULL);
	json_put_i64(&w, "orderId", o->order_id);
	json_put_i64(&w, "userId", o->user_id);
	json_put_i64(&w, "couponId", o->coupon.coupon_id);
	json_end_object(&w);
	body = arena_str(rq->arena, buf_str(&text));
	buf_fini(&text);
	return rq_http(rq, reserved, s->coupon,
	    &(struct httpc_request){
		.method = HTTP_POST,
		.target = STR("/internal/uses"),
		.headers = &json,
		.header_count = 1,
		.body = body,
		.repeatable = true,
	    });
}

/* Why the coupon service refused; what is no refusal of a coupon is its trouble. */
static enum err
refusal(struct rq *rq)
{
	struct json_reader r;
	str code;
	enum err err;

	json_open(&r, rq->arena, rq->http->body);
	code = json_str_or(&r, r.root, "error", 64, STR(""));
	json_close(&r);
	if (rq->http->head->status / 100 != 4 || r.err != ERR_OK)
		return ERR_UNAVAILABLE;
	err = err_from_code(arena_printf(rq->arena, "%.*s", STR_ARG(code)));
	switch ((int)err) {
	case ERR_COUPON_UNKNOWN:
	case ERR_COUPON_NOT_OWNED:
	case ERR_COUPON_USED:
	case ERR_COUPON_EXPIRED: return err;
	default: return ERR_UNAVAILABLE;
	}
}

static rq_next
reserved(struct rq *rq)
{
	struct order_request *request = rq->ctx;
	struct order_coupon *coupon = &request->order.coupon;
	const struct json *data;
	struct json_reader r;

	if (rq->err != ERR_OK)
		return rq_fail(rq, ERR_UNAVAILABLE);
	if (rq->http->head->status != 200)
		return rq_fail(rq, refusal(rq));
	json_open(&r, rq->arena, rq->http->body);
	data = json_object(&r, r.root, "data");
	coupon->rank = json_i64(&r, data, "rank", 1, INT64_MAX);
	coupon->thousandths = json_i64(&r, data, "discountRateThousandths", 0, 1000);
	coupon->expires_us = json_get_time(&r, data, "expiresAt");
	json_close(&r);
	if (r.err != ERR_OK) {
		log_error("the coupon service's answer cannot be understood: %s", r.why);
		return rq_fail(rq, ERR_BAD_GATEWAY);
	}
	return rq_goto(rq, place);
}

/* --- the order ----------------------------------------------------------------- */

static rq_next
place(struct rq *rq)
{
	struct service *s = rq->service;

	return placing_place(rq, placed, s->placing, rq->ctx);
}

static rq_next
refuse(struct rq *rq, const struct order_request *request)
{
	enum err err = request->outcome;

	if (err == ERR_PRODUCT_UNKNOWN || err == ERR_PRODUCT_STOPPED)
		return rq_fail_because(rq, err, "%s (product %" PRId64 ")",
		    err_info(err)->message, request->offender);
	if (err == ERR_BAD_PARAMETER)
		return rq_fail_because(
		    rq, err, "The order's amount is more than an account may hold.");
	return rq_fail(rq, err);
}

static rq_next
placed(struct rq *rq)
{
	const struct order_request *request = rq->ctx;
	const struct order *o = &request->order;
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	str data;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (request->outcome != ERR_OK)
		return refuse(rq, request);
	if (request->replayed)
		rq_header(rq, STR("Idempotent-Replayed"), STR("true"));
	json_begin_object(&w, NULL);
	json_put_i64(&w, "orderId", o->order_id);
	json_put_i64(&w, "userId", o->user_id);
	json_put_str(&w, "status", STR("PENDING"));
	json_put_i64(&w, "amount", o->amount);
	json_put_i64(&w, "discount", o->discount);
	json_put_i64(&w, "totalAmount", o->amount - o->discount);
	if (o->coupon.coupon_id != 0)
		json_put_i64(&w, "couponId", o->coupon.coupon_id);
	json_end_object(&w);
	data = arena_str(rq->arena, buf_str(&text));
	buf_fini(&text);
	return rq_ok(rq, data);
}
