/*
 *   request ──> text is young: copied
 *          └──> text is old: copied; in the background  Redis ──> names ──> new text
 *          └──> no text, or a very old one: waits for that      └──> PostgreSQL alone
 *
 * Redis has a sorted set for each day (ranking.h). When it is away, or has nothing of one
 * of the days, PostgreSQL is asked for the sums. Without PostgreSQL there are no names:
 * the last text stays.
 *
 * A product counts if it is among the best CANDIDATES of at least one of the days.
 */
#include "order/ranks.h"

#include <inttypes.h>
#include <stdlib.h>

#include "app/metrics.h"
#include "base/clock.h"
#include "http/json.h"
#include "order/ranking.h"

#define YOUNG_US  (500 * CLOCK_US_PER_MS)
#define USABLE_US (2 * CLOCK_US_PER_SEC)
#define DAY_US    (86400 * CLOCK_US_PER_SEC)

enum {
	DAYS = 3,
	CANDIDATES = 100, /* of each day; in the script as 99, the last one's index */
	QUEUE_MAX = 8192,
};

struct ranks {
	struct service *service; /* borrowed */
	struct batch *waiting;   /* owned */
	struct batch_run *run;   /* waits for the refresh; borrowed until batch_end */
	struct buf text;         /* owned; empty until it is known for the first time */
	bool running;            /* a refresh is under way */
	int64_t tried_us;        /* monotonic; when the last refresh ended … */
	int64_t known_us;        /* … and the last one that gave a text */
	struct counter *by_redis, *by_postgresql, *failed; /* owned by metrics */
};

/* KEYS: the days. The answer is id, pieces, id, pieces, …; nil if a day has none. */
static struct redis_script sum_script = {
	.lua = "local sold, ids, out = {}, {}, {}\n"
	       "for _, day in ipairs(KEYS) do\n"
	       "  local best = redis.call('ZREVRANGE', day, 0, 99)\n"
	       "  if #best == 0 then return false end\n"
	       "  for _, id in ipairs(best) do\n"
	       "    if not sold[id] then sold[id] = 0; ids[#ids + 1] = id end\n"
	       "  end\n"
	       "end\n"
	       "for _, day in ipairs(KEYS) do\n"
	       "  local scores = redis.call('ZMSCORE', day, unpack(ids))\n"
	       "  for i, id in ipairs(ids) do\n"
	       "    if scores[i] then sold[id] = sold[id] + tonumber(scores[i]) end\n"
	       "  end\n"
	       "end\n"
	       "for i, id in ipairs(ids) do\n"
	       "  out[2 * i - 1], out[2 * i] = id, string.format('%.0f', sold[id])\n"
	       "end\n"
	       "return out\n",
};

/* $1 products, $2 their pieces, $3 how many are wanted. */
static const struct pg_stmt name_ranks = { "ranks_name",
	"select p.product_id, p.name, p.price, r.sold"
	" from unnest($1::bigint[], $2::bigint[]) r (product_id, sold)"
	" join orders.products p using (product_id) where p.status = 'SELLING'"
	" order by r.sold desc, p.product_id limit $3::bigint" };

/* $1 the first of the days, $2 candidates, $3 how many are wanted. */
static const struct pg_stmt sum_ranks = { "ranks_sum",
	"select p.product_id, p.name, p.price, r.sold from ("
	" select product_id, sum(sold)::bigint as sold from orders.daily_sales"
	" where day >= $1::date group by product_id"
	" order by 2 desc, 1 limit $2::bigint) r"
	" join orders.products p using (product_id) where p.status = 'SELLING'"
	" order by r.sold desc, p.product_id limit $3::bigint" };

static rq_step answer;
static void on_waiting(struct batch_run *run);
static void refresh(struct ranks *r);
static void on_scores(void *arg, enum err err, const struct redis_reply *reply);
static void ask_names(struct ranks *r, const struct redis_reply *reply);
static void ask_postgresql(struct ranks *r);
static void
on_rows(void *arg, enum err err, const struct pg_result *rows, const char *sqlstate);

static struct counter *
count_refreshes(const char *labels)
{
	return counter_new("onrush_ranks_refreshes_total",
	    "Refreshes of the ranks, by where the sums came from.", labels);
}

struct ranks *
ranks_new(struct service *s)
{
	struct ranks *r = xcalloc(1, sizeof(*r));

	r->service = s;
	r->by_redis = count_refreshes("from=\"redis\"");
	r->by_postgresql = count_refreshes("from=\"postgresql\"");
	r->failed = count_refreshes("from=\"nowhere\"");
	r->tried_us = r->known_us = INT64_MIN / 2;
	r->waiting = batch_new(s->worker->loop, &(struct batch_conf){
						    .max_size = QUEUE_MAX,
						    .max_runs = 1,
						    .max_queue = QUEUE_MAX,
						    .flush = on_waiting,
						    .arg = r,
						});
	return r;
}

void
ranks_free(struct ranks *r)
{
	if (r == NULL)
		return;
	batch_free(r->waiting);
	buf_fini(&r->text);
	free(r);
}

rq_next
ranks_read(struct rq *rq)
{
	struct service *s = rq->service;
	struct ranks *r = s->ranks;
	int64_t now_us = loop_now_us(s->worker->loop);

	if (now_us - r->tried_us < YOUNG_US)
		return answer(rq);
	if (now_us - r->known_us >= USABLE_US)
		return rq_join(rq, answer, r->waiting, NULL);
	refresh(r);
	return answer(rq);
}

static rq_next
answer(struct rq *rq)
{
	struct service *s = rq->service;

	if (buf_size(&s->ranks->text) == 0)
		return rq_fail(rq, rq->err == ERR_OK ? ERR_UNAVAILABLE : rq->err);
	return rq_ok(rq, buf_str(&s->ranks->text));
}

static void
on_waiting(struct batch_run *run)
{
	struct ranks *r = run->arg;

	r->run = run;
	refresh(r);
}

/* --- refreshing ------------------------------------------------------------------ */

static void
refresh(struct ranks *r)
{
	struct redis *redis = r->service->redis;
	int64_t now_us = clock_wall_us();
	struct arena *arena;
	str days[DAYS];

	if (r->running)
		return;
	r->running = true;
	if (redis == NULL || !redis_is_up(redis)) {
		ask_postgresql(r);
		return;
	}
	arena = arena_new();
	for (int i = 0; i < DAYS; i++)
		days[i] = ranking_key(arena, now_us - i * DAY_US);
	redis_eval(redis, &sum_script, DAYS, days, 0, NULL, on_scores, r);
	arena_free(arena);
}

static void
on_scores(void *arg, enum err err, const struct redis_reply *reply)
{
	struct ranks *r = arg;

	if (err == ERR_OK && redis_count(reply) > 0)
		ask_names(r, reply);
	else
		ask_postgresql(r);
}

static void
ask_names(struct ranks *r, const struct redis_reply *reply)
{
	struct service *s = r->service;
	struct arena *arena = arena_new();
	size_t count = redis_count(reply) / 2;
	int64_t *products = arena_alloc(arena, 2 * count * sizeof(*products));
	int64_t *sold = products + count;
	struct pg_params p;

	for (size_t i = 0; i < count; i++) {
		products[i] = redis_i64(redis_at(reply, 2 * i));
		sold[i] = redis_i64(redis_at(reply, 2 * i + 1));
	}
	pg_params_init(&p, arena);
	pg_add_i64_array(&p, products, count);
	pg_add_i64_array(&p, sold, count);
	pg_add_i64(&p, s->settings->ranks_count);
	counter_add(r->by_redis, 1);
	pgpool_exec(s->pg, &name_ranks, &p, on_rows, r);
	arena_free(arena);
}

static void
ask_postgresql(struct ranks *r)
{
	struct service *s = r->service;
	struct arena *arena = arena_new();
	int day = clock_day(clock_wall_us() - (DAYS - 1) * DAY_US);
	struct pg_params p;

	pg_params_init(&p, arena);
	pg_add_str(&p, str_of(arena_printf(arena, "%d", day)));
	pg_add_i64(&p, CANDIDATES);
	pg_add_i64(&p, s->settings->ranks_count);
	counter_add(r->by_postgresql, 1);
	pgpool_exec(s->pg, &sum_ranks, &p, on_rows, r);
	arena_free(arena);
}

static void
put_rows(struct buf *out, const struct pg_result *rows)
{
	struct json_writer w = { .out = out };

	buf_clear(out);
	json_begin_object(&w, NULL);
	json_begin_array(&w, "products");
	for (int i = 0; i < pg_rows(rows); i++) {
		json_begin_object(&w, NULL);
		json_put_i64(&w, "id", pg_i64(rows, i, 0));
		json_put_str(&w, "name", pg_str(rows, i, 1));
		json_put_i64(&w, "price", pg_i64(rows, i, 2));
		json_put_i64(&w, "sold", pg_i64(rows, i, 3));
		json_end_object(&w);
	}
	json_end_array(&w);
	json_end_object(&w);
}

static void
on_rows(
    void *arg, enum err err, const struct pg_result *rows, const char *sqlstate UNUSED)
{
	struct ranks *r = arg;
	struct batch_run *run = r->run;

	r->running = false;
	r->tried_us = loop_now_us(r->service->worker->loop);
	if (err == ERR_OK) {
		put_rows(&r->text, rows);
		r->known_us = r->tried_us;
	} else {
		counter_add(r->failed, 1);
	}
	if (run == NULL)
		return;
	r->run = NULL;
	for (size_t i = 0; i < run->count; i++)
		rq_resume(run->rqs[i], ERR_OK);
	batch_end(run);
}
