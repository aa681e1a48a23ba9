/*
 * The operator's calls: create, list, open, close, restock. A change is answered after it
 * is committed and every instance's copy of the campaign has been read anew
 * (campaigns.h), so that no refusal is out of date when the operator knows.
 */
#include <inttypes.h>
#include <string.h>

#include "coupon/answers.h"
#include "coupon/campaigns.h"
#include "coupon/coupon_json.h"
#include "coupon/coupon_rules.h"
#include "coupon/coupon_store.h"
#include "coupon/filter.h"
#include "http/idempotency.h"
#include "store/rq_sql.h"

enum {
	PER_USER_MAX = 1000,
};

#define QUANTITY_MAX INT64_C(1000000000000)

/* What outlives a step. */
struct change {
	int64_t coupon_id;
	struct campaign campaign; /* as it is after the change */
	enum coupon_state to;     /* of open and close */
};

static rq_step created, listed, changed, unchanged, settled;

/* --- POST /admin/coupons ------------------------------------------------------- */

static const struct pg_stmt insert_campaign = { "admin_create",
	"insert into coupon.campaigns (coupon_id, name, kind, quantity, per_user_limit,"
	" discount_rate, state, opens_at, closes_at, expires_at)"
	" values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
	" returning " COUPON_CAMPAIGN_COLUMNS };

/* A time as text, checked and handed on as it came; p == NULL when absent. */
static str
get_instant(struct json_reader *r, const char *name)
{
	str text = json_str_or(r, r->root, name, CLOCK_ISO_SIZE, STR_NULL);
	int64_t wall_us;

	if (r->err == ERR_OK && text.p != NULL && !clock_parse_iso(text, &wall_us)) {
		r->err = ERR_BAD_PARAMETER;
		r->why = arena_printf(r->arena,
		    "\"%s\" must be a time such as 2026-12-24T12:00:00Z.", name);
	}
	return text;
}

static void
add_or_null(struct pg_params *p, str text)
{
	if (text.p == NULL)
		pg_add_null(p);
	else
		pg_add_str(p, text);
}

/* The campaign's parameters, as the statement wants them. */
static void
read_campaign(struct json_reader *r, struct pg_params *p)
{
	enum coupon_kind kind = COUPON_LIMITED;
	str kind_text;

	pg_add_i64(p, json_i64(r, r->root, "couponId", 1, INT64_MAX));
	pg_add_str(p, json_str(r, r->root, "name", COUPON_NAME_MAX));
	kind_text = json_str_or(r, r->root, "kind", COUPON_NAME_MAX, STR("LIMITED"));
	if (r->err == ERR_OK && !coupon_kind_parse(kind_text, &kind)) {
		r->err = ERR_BAD_PARAMETER;
		r->why = "\"kind\" must be LIMITED or UNLIMITED.";
	}
	pg_add_str(p, str_of(coupon_kind_name(kind)));
	if (kind == COUPON_LIMITED)
		pg_add_i64(p, json_i64(r, r->root, "quantity", 0, QUANTITY_MAX));
	else
		pg_add_null(p);
	pg_add_i64(p, json_i64_or(r, r->root, "perUserLimit", 1, PER_USER_MAX, 1));
	pg_add_str(p, str_of(arena_printf(r->arena, "%.3f",
			  json_double_or(r, r->root, "discountRate", 0, 1, 0))));
	pg_add_str(p, str_of(coupon_state_name(json_bool_or(r, r->root, "open", false)
						   ? COUPON_PUBLISHABLE
						   : COUPON_DRAFT)));
	add_or_null(p, get_instant(r, "opensAt"));
	add_or_null(p, get_instant(r, "closesAt"));
	add_or_null(p, get_instant(r, "expiresAt"));
}

rq_next
admin_create(struct rq *rq)
{
	struct service *s = rq->service;
	struct json_reader r;
	struct pg_params p;

	rq->ctx = ARENA_NEW(rq->arena, struct change);
	pg_params_init(&p, rq->arena);
	json_open(&r, rq->arena, rq->body);
	read_campaign(&r, &p);
	json_close(&r);
	if (r.err != ERR_OK)
		return rq_fail_because(rq, r.err, "%s", r.why);
	return rq_sql(rq, created, s->pg, &insert_campaign, &p);
}

static rq_next
created(struct rq *rq)
{
	const char *state = rq_sqlstate(rq);

	if (rq->err == ERR_INTERNAL && strcmp(state, "23505") == 0)
		return rq_fail(rq, ERR_CAMPAIGN_EXISTS);
	if (rq->err == ERR_INTERNAL && strcmp(state, "23502") == 0)
		return rq_fail_because(
		    rq, ERR_BAD_PARAMETER, "\"expiresAt\" is missing.");
	if (rq->err == ERR_INTERNAL && strcmp(state, "23514") == 0)
		return rq_fail_because(
		    rq, ERR_BAD_PARAMETER, "\"opensAt\" must be before \"closesAt\".");
	return changed(rq);
}

/* --- GET /admin/coupons -------------------------------------------------------- */

static const struct pg_stmt list_campaigns = { "admin_list",
	"select " COUPON_CAMPAIGN_COLUMNS
	" from coupon.campaigns order by coupon_id limit 1000" };

rq_next
admin_list(struct rq *rq)
{
	struct service *s = rq->service;

	return rq_sql(rq, listed, s->pg, &list_campaigns, NULL);
}

static rq_next
listed(struct rq *rq)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	str data;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	json_begin_object(&w, NULL);
	json_begin_array(&w, "coupons");
	for (int i = 0; i < pg_rows(rq->pg); i++) {
		struct campaign c;

		coupon_campaign_from_row(&c, rq->pg, i);
		json_begin_object(&w, NULL);
		campaign_put(&w, &c);
		json_end_object(&w);
	}
	json_end_array(&w);
	json_end_object(&w);
	data = arena_str(rq->arena, buf_str(&text));
	buf_fini(&text);
	return rq_ok(rq, data);
}

/* --- POST /admin/coupons/{couponId}/open and /close ---------------------------- */

static const struct pg_stmt move_state = { "admin_move",
	"update coupon.campaigns set state = $2, version = version + 1"
	" where coupon_id = $1 and state = any($3::text[])"
	" returning " COUPON_CAMPAIGN_COLUMNS };

/* Begins a change; false when the address names no coupon. */
static bool
begin(struct rq *rq, struct pg_params *p)
{
	struct change *change = ARENA_NEW(rq->arena, struct change);

	rq->ctx = change;
	pg_params_init(p, rq->arena);
	if (!str_to_i64(rq->params[0], 1, INT64_MAX, &change->coupon_id))
		return false;
	pg_add_i64(p, change->coupon_id);
	return true;
}

static rq_next
move(struct rq *rq, enum coupon_state to)
{
	struct service *s = rq->service;
	struct change *change;
	struct pg_params p;
	str from[COUPON_CLOSED + 1];
	size_t n = 0;

	if (!begin(rq, &p))
		return rq_fail(rq, ERR_COUPON_UNKNOWN);
	change = rq->ctx;
	change->to = to;
	for (enum coupon_state state = COUPON_DRAFT; state <= COUPON_CLOSED; state++)
		if (coupon_may_move(state, to))
			from[n++] = str_of(coupon_state_name(state));
	pg_add_str(&p, str_of(coupon_state_name(to)));
	pg_add_str_array(&p, from, n);
	return rq_sql(rq, changed, s->pg, &move_state, &p);
}

rq_next
admin_open(struct rq *rq)
{
	return move(rq, COUPON_PUBLISHABLE);
}

rq_next
admin_close(struct rq *rq)
{
	return move(rq, COUPON_CLOSED);
}

/* --- POST /admin/coupons/{couponId}/restock ------------------------------------ */

static const struct pg_stmt restock = { "admin_restock",
	"with added as (insert into coupon.restocks (coupon_id, key, quantity)"
	" select coupon_id, coalesce($3, gen_random_uuid()::text), $2"
	" from coupon.campaigns where coupon_id = $1 and kind = 'LIMITED'"
	" on conflict do nothing returning coupon_id as added_to, quantity as pieces)"
	" update coupon.campaigns set quantity = quantity + pieces, version = version + 1"
	" from added where coupon_id = added_to returning " COUPON_CAMPAIGN_COLUMNS };

rq_next
admin_restock(struct rq *rq)
{
	struct service *s = rq->service;
	struct json_reader r;
	struct pg_params p;
	int64_t quantity;
	str key;

	if (!begin(rq, &p))
		return rq_fail(rq, ERR_COUPON_UNKNOWN);
	json_open(&r, rq->arena, rq->body);
	quantity = json_i64(&r, r.root, "quantity", 1, QUANTITY_MAX);
	json_close(&r);
	if (r.err != ERR_OK)
		return rq_fail_because(rq, r.err, "%s", r.why);
	if (!idempotency_key(rq, &key))
		return idempotency_refuse(rq);
	pg_add_i64(&p, quantity);
	add_or_null(&p, key);
	return rq_sql(rq, changed, s->pg, &restock, &p);
}

/* --- after a change ------------------------------------------------------------ */

static void
stop_waiting(struct rq *rq UNUSED)
{
}

static rq_next
changed(struct rq *rq)
{
	struct service *s = rq->service;
	struct change *change = rq->ctx;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (pg_rows(rq->pg) == 0)
		return campaigns_read(rq, unchanged, s->campaigns, &change->coupon_id);
	coupon_campaign_from_row(&change->campaign, rq->pg, 0);
	if (s->redis != NULL)
		filter_set_switch(s->filter, &change->campaign);
	return rq_wait(rq, settled, CAMPAIGNS_LEASE_US, stop_waiting);
}

static rq_next
settled(struct rq *rq)
{
	struct change *change = rq->ctx;

	return answers_campaign(rq, &change->campaign);
}

/* Nothing was changed: there is no such campaign, or it is so already, or may not be. */
static rq_next
unchanged(struct rq *rq)
{
	struct service *s = rq->service;
	struct change *change = rq->ctx;
	const struct campaign *c;
	bool fresh;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	c = campaigns_find(s->campaigns, change->coupon_id, &fresh);
	if (c == NULL)
		return rq_fail(rq, ERR_COUPON_UNKNOWN);
	if (rq->route->first == admin_restock ? c->kind != COUPON_LIMITED
					      : c->state != change->to)
		return rq_fail(rq, ERR_CAMPAIGN_STATE);
	return answers_campaign(rq, c);
}
