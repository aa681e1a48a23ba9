#include "coupon/answers.h"

#include <inttypes.h>

#include "coupon/coupon_json.h"
#include "coupon/coupon_store.h"
#include "store/rq_sql.h"

rq_next
answers_decision(
    struct rq *rq, const struct coupon_decision *d, const struct chain_head *head)
{
	return answers_proof(rq, d, head, NULL, 0);
}

rq_next
answers_proof(struct rq *rq, const struct coupon_decision *d,
    const struct chain_head *head, const struct sha256 *path, size_t path_count)
{
	const struct receipt *r = &d->receipt;
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	str data;

	if (d->replayed && err_info(d->outcome)->ack)
		rq_header(rq, STR("Idempotent-Replayed"), STR("true"));
	if (d->outcome != ERR_OK)
		return rq_fail(rq, d->outcome);
	json_begin_object(&w, NULL);
	json_put_i64(&w, "couponId", r->coupon_id);
	json_put_i64(&w, "userId", r->user_id);
	json_put_i64(&w, "rank", r->rank);
	json_put_str(&w, "status", STR("ISSUED"));
	receipt_put(&w, "receipt", r, head, path, path_count);
	json_end_object(&w);
	data = arena_str(rq->arena, buf_str(&text));
	buf_fini(&text);
	return rq_ok(rq, data);
}

rq_next
answers_accepted(struct rq *rq, const struct coupon_request *request)
{
	char id[UUID_TEXT_SIZE];
	const char *data, *location;

	uuid_format(request->id, id);
	location = arena_printf(
	    rq->arena, "/api/v1/coupons/%" PRId64 "/requests/%s", request->coupon_id, id);
	data = arena_printf(rq->arena,
	    "{\"requestId\":\"%s\",\"status\":\"PENDING\",\"location\":\"%s\"}", id,
	    location);
	rq_header(rq, STR("Location"), str_of(location));
	rq_header(rq, STR("Retry-After"), STR("1"));
	return rq_ok_status(rq, 202, "Accepted", str_of(data));
}

rq_next
answers_campaign(struct rq *rq, const struct campaign *c)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	str data;

	json_begin_object(&w, NULL);
	campaign_put(&w, c);
	json_end_object(&w);
	data = arena_str(rq->arena, buf_str(&text));
	buf_fini(&text);
	return rq_ok(rq, data);
}

static const struct pg_stmt find_decision = { "coupon_decision",
	"select " COUPON_STORED_ISSUED " from coupon.issued i" COUPON_STORED_PREVIOUS
	" where i.request_id = $1::uuid"
	" union all select " COUPON_STORED_REFUSED
	" from coupon.refusals f where f.request_id = $1::uuid" };

rq_next
answers_find(struct rq *rq, rq_step *next, struct pgpool *pg, uuid request_id)
{
	struct pg_params p;

	pg_params_init(&p, rq->arena);
	pg_add_uuid(&p, request_id);
	return rq_sql(rq, next, pg, &find_decision, &p);
}
