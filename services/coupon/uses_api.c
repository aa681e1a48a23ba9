/*
 * POST /internal/uses and PUT /internal/uses, for the other programs only: the gateway
 * has no such addresses. An order takes a coupon before it is written, and the keeper
 * tells what became of the order. Both are harmless to repeat.
 */
#include <inttypes.h>

#include "coupon/uses.h"
#include "http/json.h"
#include "store/rq_sql.h"

enum {
	TRIES_MAX = 4,      /* of a coupon that others take at the same moment */
	CHANGES_MAX = 1000, /* in one call */
	STATE_MAX = 16,     /* bytes */
};

/* What outlives a step. */
struct wish {
	struct use use;
	int tries;
};

static rq_step reserved, changed;

/* --- POST /internal/uses {orderId, userId, couponId} --------------------------- */

rq_next
uses_take(struct rq *rq)
{
	struct service *s = rq->service;
	struct wish *wish = ARENA_NEW(rq->arena, struct wish);
	struct json_reader r;

	rq->ctx = wish;
	json_open(&r, rq->arena, rq->body);
	wish->use.order_id = json_i64(&r, r.root, "orderId", 1, INT64_MAX);
	wish->use.user_id = json_i64(&r, r.root, "userId", 1, INT64_MAX);
	wish->use.coupon_id = json_i64(&r, r.root, "couponId", 1, INT64_MAX);
	json_close(&r);
	if (r.err != ERR_OK)
		return rq_fail_because(rq, r.err, "%s", r.why);
	return uses_reserve(rq, reserved, s->uses, &wish->use);
}

static rq_next
reserved(struct rq *rq)
{
	struct service *s = rq->service;
	struct wish *wish = rq->ctx;
	const struct use *use = &wish->use;
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	str data;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (use->raced && ++wish->tries < TRIES_MAX)
		return uses_reserve(rq, reserved, s->uses, &wish->use);
	if (use->outcome != ERR_OK)
		return rq_fail(rq, use->outcome);
	json_begin_object(&w, NULL);
	json_put_i64(&w, "rank", use->rank);
	json_put_i64(&w, "discountRateThousandths", use->discount_thousandths);
	json_put_time(&w, "expiresAt", use->expires_us);
	json_end_object(&w);
	data = arena_str(rq->arena, buf_str(&text));
	buf_fini(&text);
	return rq_ok(rq, data);
}

/* --- PUT /internal/uses {uses: [{orderId, state: USED or RELEASED}]} ----------- */

/* An order that is said to be both was paid, and then cancelled. */
static const struct pg_stmt change = { "uses_change",
	"with used as (update coupon.uses set state = 'USED'"
	" where order_id = any($1::bigint[]) and order_id <> all($2::bigint[])"
	" and state = 'RESERVED'), released as (delete from coupon.uses"
	" where order_id = any($2::bigint[])) select" };

/* The orders of one state or the other, into $1 and $2. */
static void
read_changes(struct json_reader *r, struct pg_params *p)
{
	const struct json *array = json_array(r, r->root, "uses", 1, CHANGES_MAX);
	int64_t *used = arena_alloc(r->arena, 2 * CHANGES_MAX * sizeof(*used));
	int64_t *released = used + CHANGES_MAX;
	size_t used_count = 0, released_count = 0;

	for (const struct json *e = json_first(array); e != NULL; e = json_next(e)) {
		int64_t order_id = json_i64(r, e, "orderId", 1, INT64_MAX);
		str state = json_str(r, e, "state", STATE_MAX);

		if (str_eq(state, STR("USED")))
			used[used_count++] = order_id;
		else if (str_eq(state, STR("RELEASED")))
			released[released_count++] = order_id;
		else if (r->err == ERR_OK) {
			r->err = ERR_BAD_PARAMETER;
			r->why = "\"state\" must be USED or RELEASED.";
		}
	}
	pg_add_i64_array(p, used, used_count);
	pg_add_i64_array(p, released, released_count);
}

rq_next
uses_change(struct rq *rq)
{
	struct service *s = rq->service;
	struct json_reader r;
	struct pg_params p;

	pg_params_init(&p, rq->arena);
	json_open(&r, rq->arena, rq->body);
	read_changes(&r, &p);
	json_close(&r);
	if (r.err != ERR_OK)
		return rq_fail_because(rq, r.err, "%s", r.why);
	return rq_sql(rq, changed, s->pg, &change, &p);
}

static rq_next
changed(struct rq *rq)
{
	return rq->err == ERR_OK ? rq_ok(rq, STR("{}")) : rq_fail(rq, rq->err);
}
