/*
 * What can be looked up: a campaign with its exact remaining count, a user's coupons,
 * what became of a request (with the proof of its receipt), the key that signs receipts.
 */
#include <inttypes.h>
#include <stdio.h>

#include "coupon/answers.h"
#include "coupon/campaigns.h"
#include "coupon/coupon_events.h"
#include "coupon/coupon_rules.h"
#include "coupon/coupon_store.h"
#include "coupon/receipt.h"
#include "http/caller.h"
#include "http/json.h"
#include "store/rq_sql.h"

#define REFUSAL_KEPT_US (24 * 3600 * CLOCK_US_PER_SEC)

static rq_step list_coupons, show_campaign, decided, prove;

/* The bytes of a finished JSON text, moved to the request's arena. */
static str
finish(struct rq *rq, struct buf *text)
{
	str data = arena_str(rq->arena, buf_str(text));

	buf_fini(text);
	return data;
}

/* --- GET /users/{userId}/coupons ----------------------------------------------- */

static const struct pg_stmt user_coupons = {
	"coupon_of_user",
	"select i.coupon_id, i.rank, i.issued_at, c.name, c.discount_rate, c.expires_at,"
	" u.state, u.order_id"
	" from coupon.issued i join coupon.campaigns c using (coupon_id)"
	" left join coupon.uses u using (coupon_id, rank)"
	" where i.user_id = $1 order by i.issued_at desc, i.coupon_id, i.rank limit 1000"
};

rq_next
coupon_of_user(struct rq *rq)
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
	return rq_sql(rq, list_coupons, s->pg, &user_coupons, &p);
}

/* Whether an order has taken it. */
static void
put_use(struct json_writer *w, const struct pg_result *rows, int row)
{
	if (pg_is_null(rows, row, 6)) {
		json_put_str(w, "status", STR("ISSUED"));
		return;
	}
	json_put_str(w, "status", pg_str(rows, row, 6));
	json_put_i64(w, "usedBy", pg_i64(rows, row, 7));
}

static rq_next
list_coupons(struct rq *rq)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	json_begin_object(&w, NULL);
	json_begin_array(&w, "coupons");
	for (int i = 0; i < pg_rows(rq->pg); i++) {
		json_begin_object(&w, NULL);
		json_put_i64(&w, "couponId", pg_i64(rq->pg, i, 0));
		json_put_i64(&w, "rank", pg_i64(rq->pg, i, 1));
		put_use(&w, rq->pg, i);
		json_put_time(&w, "issuedAt", pg_time_us(rq->pg, i, 2));
		json_put_str(&w, "name", pg_str(rq->pg, i, 3));
		json_put_double(&w, "discountRate", pg_double(rq->pg, i, 4));
		json_put_time(&w, "expiresAt", pg_time_us(rq->pg, i, 5));
		json_end_object(&w);
	}
	json_end_array(&w);
	json_end_object(&w);
	return rq_ok(rq, finish(rq, &text));
}

/* --- GET /coupons/{couponId} --------------------------------------------------- */

rq_next
coupon_campaign(struct rq *rq)
{
	struct service *s = rq->service;
	int64_t *coupon_id = ARENA_NEW(rq->arena, int64_t);

	if (!str_to_i64(rq->params[0], 1, INT64_MAX, coupon_id))
		return rq_fail_because(
		    rq, ERR_BAD_PARAMETER, "The coupon's id must be a positive integer.");
	rq->ctx = coupon_id;
	return campaigns_read(rq, show_campaign, s->campaigns, coupon_id);
}

static rq_next
show_campaign(struct rq *rq)
{
	struct service *s = rq->service;
	const struct campaign *c;
	bool fresh;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	c = campaigns_find(s->campaigns, *(int64_t *)rq->ctx, &fresh);
	return c == NULL ? rq_fail(rq, ERR_COUPON_UNKNOWN) : answers_campaign(rq, c);
}

/* --- GET /coupons/{couponId}/requests/{requestId} ------------------------------ */

/* What outlives a step. */
struct status {
	int64_t coupon_id;
	uuid request_id;
	struct coupon_stored stored;
};

rq_next
coupon_request_status(struct rq *rq)
{
	struct service *s = rq->service;
	struct status *status = ARENA_NEW(rq->arena, struct status);

	rq->ctx = status;
	if (!str_to_i64(rq->params[0], 1, INT64_MAX, &status->coupon_id) ||
	    !uuid_parse(rq->params[1], &status->request_id))
		return rq_fail_because(rq, ERR_BAD_PARAMETER,
		    "The address must name a coupon's id and a request's UUID.");
	return answers_find(rq, decided, s->pg, status->request_id);
}

/* Nothing was decided. The request may still be on its way, unless its id (which holds
 * its time, if we made it) says that it is older than any answer that we keep. */
static rq_next
not_decided(struct rq *rq, const struct status *status)
{
	const struct coupon_request request = { .id = status->request_id,
		.coupon_id = status->coupon_id };
	int64_t made_us;

	if (uuid_time_us(status->request_id, &made_us) &&
	    made_us < clock_wall_us() - REFUSAL_KEPT_US)
		return rq_fail(rq, ERR_NOT_FOUND);
	return answers_accepted(rq, &request);
}

/* The first signed head at or after the rank, and everyone between. */
static const struct pg_stmt find_proof = { "coupon_proof",
	"with h as (select * from coupon.heads where coupon_id = $1 and rank >= $2"
	" order by rank limit 1)"
	" select h.rank, h.hash, h.key_id, h.signature,"
	" i.rank, i.user_id, i.issued_at, i.request_id"
	" from h left join coupon.issued i"
	" on i.coupon_id = $1 and i.rank > $2 and i.rank <= h.rank order by i.rank" };

static rq_next
decided(struct rq *rq)
{
	struct service *s = rq->service;
	struct status *status = rq->ctx;
	const struct coupon_decision *d = &status->stored.decision;
	struct pg_params p;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (pg_rows(rq->pg) == 0)
		return not_decided(rq, status);
	coupon_stored_from_row(&status->stored, rq->pg, 0, 0);
	if (status->stored.coupon_id != status->coupon_id)
		return rq_fail(rq, ERR_NOT_FOUND);
	if (d->outcome != ERR_OK)
		return rq_fail(rq, d->outcome);
	pg_params_init(&p, rq->arena);
	pg_add_i64(&p, d->receipt.coupon_id);
	pg_add_i64(&p, d->receipt.rank);
	return rq_sql(rq, prove, s->pg, &find_proof, &p);
}

static struct chain_head
head_from_row(const struct pg_result *rows, int64_t coupon_id)
{
	struct chain_head head = { .coupon_id = coupon_id, .rank = pg_i64(rows, 0, 0) };
	str key_id = pg_str(rows, 0, 2);

	ASSERT(pg_bytes(rows, 0, 1, head.hash.b, SHA256_SIZE));
	ASSERT(pg_bytes(rows, 0, 3, head.signature, SIGN_SIZE));
	snprintf(head.key_id, sizeof(head.key_id), "%.*s", STR_ARG(key_id));
	return head;
}

static rq_next
prove(struct rq *rq)
{
	struct status *status = rq->ctx;
	const struct coupon_decision *d = &status->stored.decision;
	const struct pg_result *rows = rq->pg;
	struct chain_head head;
	struct sha256 *path;
	size_t count = 0;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	ASSERT(pg_rows(rows) > 0); /* coupons and their head are committed together */
	head = head_from_row(rows, d->receipt.coupon_id);
	path = arena_alloc(rq->arena, (size_t)pg_rows(rows) * sizeof(*path));
	for (int i = 0; i < pg_rows(rows) && !pg_is_null(rows, i, 4); i++) {
		struct receipt r = {
			.coupon_id = d->receipt.coupon_id,
			.rank = pg_i64(rows, i, 4),
			.user_id = pg_i64(rows, i, 5),
			.issued_us = pg_time_us(rows, i, 6),
		};

		ASSERT(uuid_parse(pg_str(rows, i, 7), &r.request_id));
		path[count++] = receipt_entry(&r);
	}
	return answers_proof(rq, d, &head, path, count);
}

/* --- GET /receipts/key --------------------------------------------------------- */

rq_next
coupon_receipt_key(struct rq *rq)
{
	struct service *s = rq->service;
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };

	json_begin_object(&w, NULL);
	json_put_str(&w, "keyId", str_of(sign_key_id(s->key)));
	json_put_str(&w, "algorithm", STR("Ed25519"));
	json_put_str(&w, "publicKey", str_of(sign_key_public_pem(s->key)));
	json_end_object(&w);
	return rq_ok(rq, finish(rq, &text));
}
