/*
 * POST /payments {reservationId, userId} and GET /payments/{paymentId}.
 *
 * The payment is written as PENDING and answered when that is committed; then it is asked
 * for through Kafka, and the payment-worker settles it. What is lost on the way the
 * keeper settles. A reservation has one payment that is PENDING or COMPLETED.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "http/caller.h"
#include "http/idempotency.h"
#include "http/json.h"
#include "order/order_events.h"
#include "reservation/service.h"
#include "store/rq_sql.h"

/* What outlives a step. */
struct pay {
	int64_t reservation_id, user_id;
	uuid id; /* of the request */
};

/* What show() reads, in its order. */
#define COLUMNS                                                                          \
	"p.payment_id, p.reservation_id, p.user_id, p.amount, p.status, p.reason,"       \
	" p.created_at, p.settled_at"

static rq_step requested, explained, found;

static rq_next
show(struct rq *rq)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	str data;

	json_begin_object(&w, NULL);
	json_put_i64(&w, "paymentId", pg_i64(rq->pg, 0, 0));
	json_put_i64(&w, "reservationId", pg_i64(rq->pg, 0, 1));
	json_put_i64(&w, "userId", pg_i64(rq->pg, 0, 2));
	json_put_i64(&w, "amount", pg_i64(rq->pg, 0, 3));
	json_put_str(&w, "status", pg_str(rq->pg, 0, 4));
	if (!pg_is_null(rq->pg, 0, 5))
		json_put_str(&w, "reason", pg_str(rq->pg, 0, 5));
	json_put_time(&w, "createdAt", pg_time_us(rq->pg, 0, 6));
	if (!pg_is_null(rq->pg, 0, 7))
		json_put_time(&w, "settledAt", pg_time_us(rq->pg, 0, 7));
	json_end_object(&w);
	data = arena_str(rq->arena, buf_str(&text));
	buf_fini(&text);
	return rq_ok(rq, data);
}

/* --- POST /payments ------------------------------------------------------------- */

/* A hold that has expired may be paid: it is settled if its seats are still free. */
static const struct pg_stmt insert_payment = { "payment_insert",
	"insert into reservation.payments as p (reservation_id, user_id, amount, "
	"request_id)"
	" select reservation_id, user_id, amount, $3::uuid from reservation.reservations"
	" where reservation_id = $1::bigint and user_id = $2::bigint"
	" and status in ('HELD', 'EXPIRED') on conflict do nothing returning " COLUMNS };

/* Why nothing was inserted: the payment that this request made, if it did, and whether
 * its reservation is the user's, and whether somebody pays or has paid. */
static const struct pg_stmt explain_payment = { "payment_explain",
	"select " COLUMNS ", r.reservation_id is not null, exists (select from"
	" reservation.payments o where o.reservation_id = $1::bigint"
	" and o.status in ('PENDING', 'COMPLETED')) from (values (1)) one (n)"
	" left join reservation.payments p on p.request_id = $3::uuid"
	" left join reservation.reservations r"
	" on r.reservation_id = $1::bigint and r.user_id = $2::bigint" };

enum {
	COLUMN_IS_OWN = 8,
	COLUMN_IS_PAID,
};

static enum err
read_pay(struct rq *rq, struct pay *pay, const char **why)
{
	struct json_reader r;

	json_open(&r, rq->arena, rq->body);
	pay->reservation_id = json_i64(&r, r.root, "reservationId", 1, INT64_MAX);
	pay->user_id = json_i64(&r, r.root, "userId", 1, INT64_MAX);
	json_close(&r);
	*why = r.why;
	return r.err;
}

static void
add_pay(struct pg_params *p, struct rq *rq, const struct pay *pay)
{
	pg_params_init(p, rq->arena);
	pg_add_i64(p, pay->reservation_id);
	pg_add_i64(p, pay->user_id);
	pg_add_uuid(p, pay->id);
}

rq_next
payment_request(struct rq *rq)
{
	struct service *s = rq->service;
	struct pay *pay = ARENA_NEW(rq->arena, struct pay);
	struct pg_params p;
	const char *why;
	enum err err;
	str key;

	rq->ctx = pay;
	if ((err = read_pay(rq, pay, &why)) != ERR_OK)
		return rq_fail_because(rq, err, "%s", why);
	if ((err = caller_check(rq, pay->user_id)) != ERR_OK)
		return rq_fail(rq, err);
	if (!idempotency_key(rq, &key))
		return idempotency_refuse(rq);
	pay->id = idempotency_id(STR("onrush-pay-seat-key-v1"), pay->user_id, key);
	add_pay(&p, rq, pay);
	return rq_sql(rq, requested, s->pg, &insert_payment, &p);
}

/* What is lost here is settled by the keeper. */
static void
ask_payment(struct rq *rq, const struct pay *pay, int64_t payment_id)
{
	struct service *s = rq->service;
	const struct payment_requested e = {
		.event_id = pay->id,
		.kind = PAYMENT_SEAT,
		.id = payment_id,
		.user_id = pay->user_id,
		.requested_us = clock_wall_us(),
	};
	const char *key = arena_printf(rq->arena, "%" PRId64, pay->user_id);
	struct buf text = { 0 };

	payment_requested_encode(&text, &e, rq->traceparent);
	producer_send(s->producer,
	    &(struct record){
		.topic = s->payments,
		.partition = -1,
		.key = str_of(key),
		.value = buf_str(&text),
	    },
	    NULL, NULL);
	buf_fini(&text);
}

static rq_next
requested(struct rq *rq)
{
	struct service *s = rq->service;
	const struct pay *pay = rq->ctx;
	struct pg_params p;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (pg_rows(rq->pg) > 0) {
		ask_payment(rq, pay, pg_i64(rq->pg, 0, 0));
		return show(rq);
	}
	add_pay(&p, rq, pay);
	return rq_sql(rq, explained, s->pg, &explain_payment, &p);
}

static rq_next
explained(struct rq *rq)
{
	const struct pay *pay = rq->ctx;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (!pg_is_null(rq->pg, 0, 0)) {
		if (pg_i64(rq->pg, 0, 1) != pay->reservation_id)
			return rq_fail(rq, ERR_KEY_REUSED);
		rq_header(rq, STR("Idempotent-Replayed"), STR("true"));
		return show(rq);
	}
	if (!pg_bool(rq->pg, 0, COLUMN_IS_OWN))
		return rq_fail(rq, ERR_RESERVATION_UNKNOWN);
	return rq_fail(rq, pg_bool(rq->pg, 0, COLUMN_IS_PAID) ? ERR_PAYMENT_EXISTS
							      : ERR_RESERVATION_STATE);
}

/* --- GET /payments/{paymentId} -------------------------------------------------- */

static const struct pg_stmt find_payment = { "payment_find",
	"select " COLUMNS
	" from reservation.payments p where p.payment_id = $1::bigint" };

rq_next
payment_show(struct rq *rq)
{
	struct service *s = rq->service;
	struct pg_params p;
	int64_t id;

	if (!str_to_i64(rq->params[0], 1, INT64_MAX, &id))
		return rq_fail_because(rq, ERR_BAD_PARAMETER,
		    "The payment's id must be a positive integer.");
	pg_params_init(&p, rq->arena);
	pg_add_i64(&p, id);
	return rq_sql(rq, found, s->pg, &find_payment, &p);
}

static rq_next
found(struct rq *rq)
{
	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (pg_rows(rq->pg) == 0 || caller_check(rq, pg_i64(rq->pg, 0, 2)) != ERR_OK)
		return rq_fail(rq, ERR_PAYMENT_UNKNOWN);
	return show(rq);
}
