/*
 * The rankings in Redis (order/ranking.h), written anew from what PostgreSQL knows:
 * today's every few seconds, so that what nobody could tell is there soon; a day that is
 * missing at once. A key beside each day's says that the day is whole: after Redis lost
 * everything, a sale may bring the day back, but with one product only.
 *
 * A total that somebody writes between our reading and our writing is replaced by ours,
 * which is older, until the product's next sale or the next round.
 */
#include <inttypes.h>

#include "keeper/jobs.h"
#include "order/ranking.h"
#include "store/redsync.h"

#define DAY_US (86400 * CLOCK_US_PER_SEC)

enum {
	DAYS = 3,    /* that count for the ranks */
	PAGE = 1000, /* products of one command */
};

static str
whole_key(struct keeper *k, int64_t day_us)
{
	return str_of(
	    arena_printf(k->arena, "%.*s:whole", STR_ARG(ranking_key(k->arena, day_us))));
}

static enum err
run_redis(struct keeper *k)
{
	enum err err = redsync_run(k->redis);

	return err == ERR_OK ? ERR_OK : keeper_fail(k, err, "Redis does not answer");
}

static const struct pg_stmt find_sales = { "keeper_sales",
	"select product_id, sold from orders.daily_sales"
	" where day = ($1::timestamptz at time zone 'UTC')::date and product_id > $2"
	" order by product_id limit $3" };

/* Queues the next products of the day after *last; false when there are no more. */
static enum err
queue_page(struct keeper *k, int64_t day_us, int64_t *last, int *count)
{
	struct pg_params *p = keeper_params(k);
	str *argv = arena_alloc(k->arena, (2 * PAGE + 2) * sizeof(*argv));
	const struct pg_result *rows;
	size_t n = 0;
	enum err err;

	pg_add_time(p, day_us);
	pg_add_i64(p, *last);
	pg_add_i64(p, PAGE);
	pgsync_queue(k->pg, &find_sales, p);
	if ((err = keeper_sql(k)) != ERR_OK)
		return err;
	rows = pgsync_result(k->pg, 0);
	*count = pg_rows(rows);
	if (*count == 0)
		return ERR_OK;
	argv[n++] = STR("ZADD");
	argv[n++] = ranking_key(k->arena, day_us);
	for (int i = 0; i < *count; i++) {
		argv[n++] = arena_str(k->arena, pg_str(rows, i, 1));
		argv[n++] = arena_str(k->arena, pg_str(rows, i, 0));
	}
	*last = pg_i64(rows, *count - 1, 0);
	redsync_queue(k->redis, n, argv);
	return ERR_OK;
}

static enum err
write_day(struct keeper *k, int64_t day_us)
{
	str end = ranking_expire_at(k->arena, day_us);
	int64_t last = 0;
	int count = PAGE;
	enum err err;

	while (count == PAGE) {
		if ((err = queue_page(k, day_us, &last, &count)) != ERR_OK ||
		    (err = run_redis(k)) != ERR_OK)
			return err;
	}
	redsync_queue(
	    k->redis, 3, (str[]){ STR("EXPIREAT"), ranking_key(k->arena, day_us), end });
	redsync_queue(k->redis, 5,
	    (str[]){ STR("SET"), whole_key(k, day_us), STR("1"), STR("EXAT"), end });
	return run_redis(k);
}

enum err
rankings_refresh(struct keeper *k)
{
	return k->redis == NULL ? ERR_OK : write_day(k, clock_wall_us());
}

enum err
rankings_restore(struct keeper *k)
{
	int64_t today_us = clock_wall_us();
	bool whole[DAYS];
	enum err err;

	if (k->redis == NULL)
		return ERR_OK;
	for (int i = 0; i < DAYS; i++)
		redsync_queue(k->redis, 2,
		    (str[]){ STR("EXISTS"), whole_key(k, today_us - i * DAY_US) });
	if ((err = run_redis(k)) != ERR_OK)
		return err;
	for (int i = 0; i < DAYS; i++)
		whole[i] = redis_i64(redsync_reply(k->redis, (size_t)i)) != 0;
	for (int i = 0; i < DAYS && err == ERR_OK; i++)
		if (!whole[i])
			err = write_day(k, today_us - i * DAY_US);
	return err;
}
