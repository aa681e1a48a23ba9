/*
 * The demo's campaigns. onrush.demo remembers which were put in here; nothing else is
 * ever changed.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "coupon/coupon_store.h"
#include "coupon/marks.h"
#include "onrush/seed.h"
#include "store/redsync.h"

#define REDIS_US (2 * CLOCK_US_PER_SEC)

enum {
	LOCK_TRIES = 10 /* of a second each: a batch that is being decided is faster */
};

/* Strings are static. */
struct demo {
	int64_t id;
	const char *name;
	int64_t quantity; /* 0: unlimited */
	int64_t window_s; /* open for so long; 0: until it expires */
	const char *discount_rate;
};

static const struct demo demos[] = {
	{ 1, "30 % off, the first 10,000", 10000, 0, "0.3" },
	{ 8, "Ramp 8", 100000, 0, "0.1" },
	{ 9, "Ramp 9", 100000, 0, "0.1" },
	{ 10, "Ramp 10", 100000, 0, "0.1" },
	{ 11, "Ramp 11", 100000, 0, "0.1" },
	{ 12, "Ramp 12", 100000, 0, "0.1" },
	{ 13, "Ramp 13", 100000, 0, "0.1" },
	{ 20, "Spike, the first 1,000", 1000, 0, "0.2" },
	{ 21, "Spike, everyone within five minutes", 0, 300, "0.05" },
};

/* $1 id, $2 name, $3 quantity or NULL, $4 window in seconds or NULL, $5 rate. */
static const struct pg_stmt create = { "seed_coupon_create",
	"with made as ("
	" insert into coupon.campaigns (coupon_id, name, kind, quantity, discount_rate,"
	"  state, opens_at, closes_at, expires_at)"
	" select $1::bigint, $2::text, case when $3::bigint is null then 'UNLIMITED'"
	"  else 'LIMITED' end, $3::bigint, $5::numeric, 'PUBLISHABLE',"
	"  case when $4::bigint is not null then now() end,"
	"  now() + make_interval(secs => $4::bigint), now() + interval '7 days'"
	" on conflict (coupon_id) do nothing returning coupon_id)"
	" insert into onrush.demo (kind, id) select 'coupon', coupon_id from made"
	" on conflict do nothing" };

/* A demo campaign whose time is over. $1 id, $2 window. */
static const struct pg_stmt renew = { "seed_coupon_renew",
	"update coupon.campaigns c set"
	" opens_at = case when $2::bigint is not null then now() end,"
	" closes_at = now() + make_interval(secs => $2::bigint),"
	" expires_at = now() + interval '7 days', version = version + 1"
	" from onrush.demo d"
	" where d.kind = 'coupon' and d.id = c.coupon_id and c.coupon_id = $1::bigint"
	" and (c.closes_at <= now() or c.expires_at <= now())" };

static const struct pg_stmt lock = { "seed_coupon_lock",
	"select 1 from coupon.campaigns c join onrush.demo d"
	" on d.kind = 'coupon' and d.id = c.coupon_id"
	" where c.coupon_id = $1::bigint for update of c" };
static const struct pg_stmt drop_heads = { "seed_coupon_drop_heads",
	"delete from coupon.heads where coupon_id = $1::bigint" };
static const struct pg_stmt drop_issued = { "seed_coupon_drop_issued",
	"delete from coupon.issued where coupon_id = $1::bigint" };
static const struct pg_stmt drop_restocks = { "seed_coupon_drop_restocks",
	"delete from coupon.restocks where coupon_id = $1::bigint" };
static const struct pg_stmt drop_refusals = { "seed_coupon_drop_refusals",
	"delete from coupon.refusals where coupon_id = $1::bigint" };
static const struct pg_stmt drop_uses = { "seed_coupon_drop_uses",
	"delete from coupon.uses where coupon_id = $1::bigint" };
static const struct pg_stmt drop_untold = { "seed_coupon_drop_untold",
	"delete from coupon.outbox where coupon_id = $1::bigint" };
/* The parameters of `create`. */
static const struct pg_stmt restart = { "seed_coupon_restart",
	"update coupon.campaigns set generation = gen_random_uuid(), name = $2::text,"
	" kind = case when $3::bigint is null then 'UNLIMITED' else 'LIMITED' end,"
	" quantity = $3::bigint, issued = 0, per_user_limit = 1,"
	" discount_rate = $5::numeric, state = 'PUBLISHABLE',"
	" opens_at = case when $4::bigint is not null then now() end,"
	" closes_at = now() + make_interval(secs => $4::bigint),"
	" expires_at = now() + interval '7 days', version = version + 1,"
	" head_hash = null where coupon_id = $1::bigint" };

static const struct pg_stmt read_demos = { "seed_coupon_read",
	"select " COUPON_CAMPAIGN_COLUMNS " from coupon.campaigns"
	" where coupon_id = any($1::bigint[])"
	" and coupon_id in (select id from onrush.demo where kind = 'coupon')" };

/* One campaign that is put in. */
struct planting {
	const struct seeding *s;    /* borrowed */
	const struct demo *demo;    /* borrowed, static */
	struct pg_params id;        /* $1 alone */
	struct pg_params id_window; /* $1, $2 of `renew` */
	struct pg_params all;       /* of `create` */
};

static void
add_or_null(struct pg_params *p, int64_t value)
{
	if (value == 0)
		pg_add_null(p);
	else
		pg_add_i64(p, value);
}

static void
prepare(struct planting *p, const struct seeding *s, const struct demo *demo)
{
	*p = (struct planting){ .s = s, .demo = demo };
	pg_params_init(&p->id, s->ctl->arena);
	pg_add_i64(&p->id, demo->id);
	pg_params_init(&p->id_window, s->ctl->arena);
	pg_add_i64(&p->id_window, demo->id);
	add_or_null(&p->id_window, demo->window_s);
	pg_params_init(&p->all, s->ctl->arena);
	pg_add_i64(&p->all, demo->id);
	pg_add_str(&p->all, str_of(demo->name));
	add_or_null(&p->all, demo->quantity);
	add_or_null(&p->all, demo->window_s);
	pg_add_str(&p->all, str_of(demo->discount_rate));
}

static int
ensure(const struct planting *p)
{
	struct pgsync *pg = p->s->pg;
	bool made, renewed;
	enum err err;

	pgsync_queue(pg, &create, &p->all);
	pgsync_queue(pg, &renew, &p->id_window);
	err = pgsync_run(pg);
	if (err != ERR_OK)
		return seed_fail(p->s, err);
	made = pg_affected(pgsync_result(pg, 0)) > 0;
	renewed = pg_affected(pgsync_result(pg, 1)) > 0;
	printf("coupon %" PRId64 ": %s\n", p->demo->id,
	    made      ? "created"
	    : renewed ? "its time was over; renewed"
		      : "is there");
	return CTL_OK;
}

/* One try, in one transaction. One that is missing is created; *ours is false when the
 * campaign is not of the demo. */
static enum err
try_reset(const struct planting *p, bool *ours)
{
	struct pgsync *pg = p->s->pg;
	enum err err;

	pgsync_queue(pg, &PGSYNC_BEGIN, NULL);
	pgsync_queue(pg, &create, &p->all);
	pgsync_queue(pg, &lock, &p->id);
	err = pgsync_run(pg);
	if (err != ERR_OK)
		return err;
	*ours = pg_rows(pgsync_result(pg, 2)) == 1;
	if (*ours) {
		pgsync_queue(pg, &drop_heads, &p->id);
		pgsync_queue(pg, &drop_issued, &p->id);
		pgsync_queue(pg, &drop_refusals, &p->id);
		pgsync_queue(pg, &drop_restocks, &p->id);
		pgsync_queue(pg, &drop_uses, &p->id);
		pgsync_queue(pg, &drop_untold, &p->id);
		pgsync_queue(pg, &restart, &p->all);
	}
	pgsync_queue(pg, *ours ? &PGSYNC_COMMIT : &PGSYNC_ROLLBACK, NULL);
	return pgsync_run(pg);
}

static int
reset(const struct planting *p)
{
	bool ours = false;
	enum err err;
	int tries = 0;

	do
		err = try_reset(p, &ours);
	while (err == ERR_CONFLICT_RETRY && ++tries < LOCK_TRIES);
	if (err != ERR_OK)
		return seed_fail(p->s, err);
	if (!ours)
		return ctl_fail(CTL_FAILED,
		    "coupon %" PRId64 " was not made by onrush seed; it is left alone",
		    p->demo->id);
	printf("coupon %" PRId64 ": begins anew\n", p->demo->id);
	return CTL_OK;
}

/* --- the switches in Redis -------------------------------------------------- */

static void
queue_switch(const struct seeding *s, struct redsync *redis, const struct campaign *c)
{
	struct arena *arena = s->ctl->arena;
	/* One that an operator moved stays, unless the campaign begins anew. */
	size_t argc = s->reset ? 5 : 6;

	redsync_queue(redis, argc,
	    (str[]){ STR("SET"), marks_switch_key(arena, c->coupon_id),
		c->state == COUPON_PUBLISHABLE ? STR("true") : STR("false"), STR("EXAT"),
		marks_expire_at(arena, c), STR("NX") });
}

/* Without Redis the service puts them back itself, so that is no failure. */
static int
set_switches(const struct seeding *s, const int64_t *ids, size_t count)
{
	struct redsync *redis;
	struct pg_params p;
	enum err err;

	if (s->ctl->settings.redis_url[0] == '\0')
		return CTL_OK;
	pg_params_init(&p, s->ctl->arena);
	pg_add_i64_array(&p, ids, count);
	pgsync_queue(s->pg, &read_demos, &p);
	err = pgsync_run(s->pg);
	if (err != ERR_OK)
		return seed_fail(s, err);
	redis = redsync_new(s->ctl->settings.redis_url, REDIS_US);
	for (int i = 0; i < pg_rows(pgsync_result(s->pg, 0)); i++) {
		struct campaign c;

		coupon_campaign_from_row(&c, pgsync_result(s->pg, 0), i);
		queue_switch(s, redis, &c);
	}
	if (redsync_run(redis) != ERR_OK)
		ctl_complain("Redis (ONRUSH_REDIS_URL) is not reachable; the switches "
			     "coupon_avaliable:… are set when it is back");
	redsync_free(redis);
	return CTL_OK;
}

static const struct demo *
find_demo(int64_t id)
{
	for (size_t i = 0; i < ARRAY_LEN(demos); i++)
		if (demos[i].id == id)
			return &demos[i];
	return NULL;
}

/* Those that were asked for, or all; NULL after a complaint. */
static const struct demo **
choose(const struct seeding *s, size_t *count)
{
	const struct demo **chosen;

	*count = s->id_count > 0 ? s->id_count : ARRAY_LEN(demos);
	chosen = arena_alloc(s->ctl->arena, *count * sizeof(*chosen));
	for (size_t i = 0; i < *count; i++) {
		chosen[i] = s->id_count > 0 ? find_demo(s->ids[i]) : &demos[i];
		if (chosen[i] != NULL)
			continue;
		ctl_complain(
		    "coupon %" PRId64 " is not of the demo; it is left alone", s->ids[i]);
		return NULL;
	}
	return chosen;
}

int
seed_coupons(const struct seeding *s)
{
	int status = CTL_OK;
	size_t count;
	const struct demo **chosen = choose(s, &count);
	int64_t *ids = arena_alloc(s->ctl->arena, count * sizeof(*ids));

	if (chosen == NULL)
		return CTL_FAILED;
	for (size_t i = 0; i < count && status != CTL_UNREACHABLE; i++) {
		struct planting p;
		int one;

		ids[i] = chosen[i]->id;
		prepare(&p, s, chosen[i]);
		one = s->reset ? reset(&p) : ensure(&p);
		if (one != CTL_OK)
			status = one;
	}
	return status == CTL_OK ? set_switches(s, ids, count) : status;
}
