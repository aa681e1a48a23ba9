/*
 * POST /users/{userId}/balance/charge, PUT /points/charge, GET /users/{userId}/balance.
 *
 * A charge is a transfer from the world outside to the user, and is answered when it is
 * committed. With an Idempotency-Key the transfer's id is a function of user and key, so
 * that the transfer itself is the stored answer: for as long as the ledger is kept.
 */
#include "http/caller.h"
#include "http/idempotency.h"
#include "http/json.h"
#include "order/charges.h"
#include "store/rq_sql.h"

static rq_step charged, balance_found;

static rq_next
begin(struct rq *rq, struct charge_request *request, struct json_reader *r);
static rq_next answer_balance(struct rq *rq, int64_t user_id, int64_t amount);

rq_next
balance_charge(struct rq *rq)
{
	struct charge_request *request = ARENA_NEW(rq->arena, struct charge_request);
	struct json_reader r;

	if (!str_to_i64(rq->params[0], 1, INT64_MAX, &request->charge.user_id))
		return rq_fail_because(
		    rq, ERR_BAD_PARAMETER, "The user's id must be a positive integer.");
	json_open(&r, rq->arena, rq->body);
	return begin(rq, request, &r);
}

rq_next
balance_charge_points(struct rq *rq)
{
	struct charge_request *request = ARENA_NEW(rq->arena, struct charge_request);
	struct json_reader r;

	json_open(&r, rq->arena, rq->body);
	request->charge.user_id = json_i64(&r, r.root, "userId", 1, INT64_MAX);
	return begin(rq, request, &r);
}

static rq_next
begin(struct rq *rq, struct charge_request *request, struct json_reader *r)
{
	struct service *s = rq->service;
	struct charge *charge = &request->charge;
	enum err err;
	str key;

	rq->ctx = request;
	charge->amount = json_i64(r, r->root, "amount", 1, CHARGE_MAX);
	json_close(r);
	if (r->err != ERR_OK)
		return rq_fail_because(rq, r->err, "%s", r->why);
	if ((err = caller_check(rq, charge->user_id)) != ERR_OK)
		return rq_fail(rq, err);
	if (!idempotency_key(rq, &key))
		return idempotency_refuse(rq);
	charge->keyed = key.p != NULL;
	charge->id = idempotency_id(STR("onrush-charge-key-v1"), charge->user_id, key);
	if (charge->keyed && running_has(s->running, charge->id))
		return rq_fail(rq, ERR_IN_PROGRESS);
	return charges_make(rq, charged, s->charges, request);
}

static rq_next
charged(struct rq *rq)
{
	const struct charge_request *request = rq->ctx;
	const struct charge *charge = &request->charge;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (charge->outcome != ERR_OK)
		return rq_fail(rq, charge->outcome);
	if (charge->replayed)
		rq_header(rq, STR("Idempotent-Replayed"), STR("true"));
	return answer_balance(rq, charge->user_id, charge->balance);
}

/* --- GET /users/{userId}/balance ----------------------------------------------- */

static const struct pg_stmt find_balance = { "order_balance",
	"select user_id, amount from orders.balances where user_id = $1::bigint" };

rq_next
balance_read(struct rq *rq)
{
	struct service *s = rq->service;
	struct pg_params p;
	int64_t user_id;
	enum err err;

	if (!str_to_i64(rq->params[0], 1, INT64_MAX, &user_id))
		return rq_fail_because(
		    rq, ERR_BAD_PARAMETER, "The user's id must be a positive integer.");
	if ((err = caller_check(rq, user_id)) != ERR_OK)
		return rq_fail(rq, err);
	pg_params_init(&p, rq->arena);
	pg_add_i64(&p, user_id);
	return rq_sql(rq, balance_found, s->pg, &find_balance, &p);
}

static rq_next
balance_found(struct rq *rq)
{
	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (pg_rows(rq->pg) == 0)
		return rq_fail(rq, ERR_USER_UNKNOWN);
	return answer_balance(rq, pg_i64(rq->pg, 0, 0), pg_i64(rq->pg, 0, 1));
}

static rq_next
answer_balance(struct rq *rq, int64_t user_id, int64_t amount)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	str data;

	json_begin_object(&w, NULL);
	json_put_i64(&w, "userId", user_id);
	json_put_i64(&w, "amount", amount);
	json_end_object(&w);
	data = arena_str(rq->arena, buf_str(&text));
	buf_fini(&text);
	return rq_ok(rq, data);
}
