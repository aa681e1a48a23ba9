/*
 * One statement for a batch. Of each use it finds the order's earlier reservation, or
 * picks the lowest rank that nobody has taken: the second use of a user and coupon in
 * one batch picks the second such rank. Two statements at the same moment may pick the
 * same one; the primary key gives it to one of them, and the other's request asks again.
 */
#include "coupon/uses.h"

#include <stdlib.h>

#include "coupon/uses_rules.h"

enum {
	BATCH_MAX = 64,
	QUEUE_MAX = 8192,
};

struct uses {
	struct service *service; /* borrowed */
	struct batch *batch;     /* owned */
};

/* $1 orders, $2 users, $3 coupons. */
static const struct pg_stmt reserve = { "uses_reserve",
	"with wanted as materialized ("
	" select t.*, earlier.coupon_id as earlier_c, earlier.user_id as earlier_u,"
	" earlier.rank as earlier_r, row_number() over"
	" (partition by c, u, earlier.order_id is null order by ord) - 1 as before"
	" from unnest($1::bigint[], $2::bigint[], $3::bigint[]) with ordinality"
	" t (o, u, c, ord) left join coupon.uses earlier on earlier.order_id = t.o"
	"), picked as materialized ("
	" select w.*, p.coupon_id is not null as known,"
	" p.expires_at, p.expires_at > now() as valid,"
	" (p.discount_rate * 1000)::bigint as discount, free.rank, exists (select"
	" from coupon.issued i where i.user_id = w.u and i.coupon_id = w.c) as owned"
	" from wanted w left join coupon.campaigns p on p.coupon_id = w.c"
	" left join lateral (select i.rank from coupon.issued i"
	" where i.user_id = w.u and i.coupon_id = w.c and w.earlier_c is null"
	" and not exists (select from coupon.uses x"
	" where x.coupon_id = i.coupon_id and x.rank = i.rank)"
	" order by i.nth offset w.before limit 1) free on true"
	"), made as ("
	" insert into coupon.uses (coupon_id, rank, user_id, order_id)"
	" select c, rank, u, o from picked where rank is not null and valid"
	" order by c, rank on conflict do nothing returning"
	" order_id, coupon_id, user_id, rank)"
	" select p.known, p.owned, p.valid, p.rank, m.rank, p.discount,"
	" p.expires_at, p.earlier_c, p.earlier_u, p.earlier_r"
	" from picked p left join made m"
	" on m.order_id = p.o and m.coupon_id = p.c and m.user_id = p.u order by p.ord" };

static void flush(struct batch_run *run);
static void
on_result(void *arg, enum err err, const struct pg_result *rows, const char *sqlstate);

struct uses *
uses_new(struct service *s)
{
	struct uses *u = xcalloc(1, sizeof(*u));

	u->service = s;
	u->batch = batch_new(s->worker->loop, &(struct batch_conf){
						  .max_size = BATCH_MAX,
						  .max_runs = 1,
						  .max_queue = QUEUE_MAX,
						  .flush = flush,
						  .arg = u,
					      });
	return u;
}

void
uses_free(struct uses *u)
{
	if (u == NULL)
		return;
	batch_free(u->batch);
	free(u);
}

rq_next
uses_reserve(struct rq *rq, rq_step *next, struct uses *u, struct use *use)
{
	return rq_join(rq, next, u->batch, use);
}

static void
flush(struct batch_run *run)
{
	struct uses *u = run->arg;
	struct arena *arena = run->rqs[0]->arena;
	int64_t *orders = arena_alloc(arena, 3 * run->count * sizeof(*orders));
	int64_t *users = orders + run->count, *coupons = users + run->count;
	struct pg_params p;

	for (size_t i = 0; i < run->count; i++) {
		const struct use *use = run->items[i];

		orders[i] = use->order_id;
		users[i] = use->user_id;
		coupons[i] = use->coupon_id;
	}
	pg_params_init(&p, arena);
	pg_add_i64_array(&p, orders, run->count);
	pg_add_i64_array(&p, users, run->count);
	pg_add_i64_array(&p, coupons, run->count);
	pgpool_exec(u->service->pg, &reserve, &p, on_result, run);
}

static void
take_row(struct use *use, const struct pg_result *rows, int row)
{
	const struct use_facts facts = {
		.known = pg_bool(rows, row, 0),
		.owned = pg_bool(rows, row, 1),
		.valid = pg_bool(rows, row, 2),
		.free_rank = pg_i64(rows, row, 3),
		.taken_rank = pg_i64(rows, row, 4),
		.earlier_coupon = pg_i64(rows, row, 7),
		.earlier_user = pg_i64(rows, row, 8),
		.earlier_rank = pg_i64(rows, row, 9),
	};

	use->discount_thousandths = pg_i64(rows, row, 5);
	use->expires_us = pg_time_us(rows, row, 6);
	use_decide(use, &facts);
}

static void
on_result(
    void *arg, enum err err, const struct pg_result *rows, const char *sqlstate UNUSED)
{
	struct batch_run *run = arg;

	for (size_t i = 0; i < run->count; i++) {
		if (err == ERR_OK)
			take_row(run->items[i], rows, (int)i);
		rq_resume(run->rqs[i], err);
	}
	batch_end(run);
}
