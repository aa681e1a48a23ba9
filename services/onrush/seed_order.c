/*
 * The demo's shop: products, people with money, and what was sold lately, so that there
 * are ranks to look at. The sales are rows of the rankings only; no order is behind them.
 *
 * A reset deletes nothing here: the ledger and the orders stay, and a delivery and a gift
 * bring the stock and the balances back to where they began.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "onrush/seed.h"
#include "order/ranking.h"
#include "store/redsync.h"

#define REDIS_US (2 * CLOCK_US_PER_SEC)
#define DAY_US   (86400 * CLOCK_US_PER_SEC)

enum {
	DAYS = 3,
	TRIES = 10 /* of locks that orders hold at the same time */
};

static const struct pg_stmt add_products = { "seed_products",
	"with made as ("
	" insert into orders.products (product_id, name, price, supplied, stock)"
	" select p, format('%s %s no. %s',"
	"  (array['Red', 'Blue', 'Green', 'White', 'Black'])[1 + p % 5],"
	"  (array['mug', 'shirt', 'cap', 'bag', 'poster', 'lamp', 'scarf'])[1 + p % 7], "
	"p),"
	"  1000, 1000, 1000 from generate_series(1, 10000) p"
	" on conflict do nothing returning product_id)"
	" insert into onrush.demo (kind, id) select 'product', product_id from made"
	" on conflict do nothing" };

static const struct pg_stmt add_accounts = { "seed_accounts",
	"with made as ("
	" insert into orders.balances (user_id, amount)"
	" select u, 1000000 from generate_series(1, 10000) u"
	" on conflict do nothing returning user_id, amount"
	"), gifts as ("
	" insert into orders.transfers"
	" (transfer_id, debit, credit, amount, kind, balance)"
	" select gen_random_uuid(), 0, user_id, amount, 'OPENING', amount from made)"
	" insert into onrush.demo (kind, id) select 'account', user_id from made"
	" on conflict do nothing" };

/* $1 today. The smaller the number, the better it sells. */
static const struct pg_stmt add_sales = { "seed_sales",
	"insert into orders.daily_sales (day, product_id, sold)"
	" select $1::date - ago, id, 2000 / (id + 5 * ago)"
	" from generate_series(1, 200) p"
	" join onrush.demo on kind = 'product' and id = p, generate_series(0, 2) ago"
	" on conflict do nothing" };

static const struct pg_stmt refill_products = { "seed_refill",
	"with sold as (select product_id, stock from orders.products"
	" join onrush.demo on kind = 'product' and id = product_id"
	" where stock < 1000 order by product_id for update of products)"
	" update orders.products p set supplied = p.supplied + 1000 - s.stock, stock = "
	"1000"
	" from sold s where p.product_id = s.product_id" };

static const struct pg_stmt refill_accounts = { "seed_gifts",
	"with spent as (select user_id, amount from orders.balances"
	" join onrush.demo on kind = 'account' and id = user_id"
	" where amount < 1000000 order by user_id for update of balances"
	"), gifts as ("
	" insert into orders.transfers"
	" (transfer_id, debit, credit, amount, kind, balance)"
	" select gen_random_uuid(), 0, user_id, 1000000 - amount, 'OPENING', 1000000"
	" from spent)"
	" update orders.balances b set amount = 1000000 from spent s"
	" where b.user_id = s.user_id" };

/* $1 a day. */
static const struct pg_stmt read_sales = { "seed_read_sales",
	"select product_id, sold from orders.daily_sales where day = $1::date" };

static void
add_day(struct pg_params *p, struct arena *arena, int64_t wall_us)
{
	pg_params_init(p, arena);
	pg_add_str(p, str_of(arena_printf(arena, "%d", clock_day(wall_us))));
}

/* In one transaction; the rows are those of products, accounts and sales, and of what was
 * refilled of products and accounts. */
static enum err
try_to_fill(const struct seeding *s, int64_t now_us)
{
	struct pg_params today;

	add_day(&today, s->ctl->arena, now_us);
	pgsync_queue(s->pg, &PGSYNC_BEGIN, NULL);
	pgsync_queue(s->pg, &add_products, NULL);
	pgsync_queue(s->pg, &add_accounts, NULL);
	pgsync_queue(s->pg, &add_sales, &today);
	if (s->reset) {
		pgsync_queue(s->pg, &refill_accounts, NULL);
		pgsync_queue(s->pg, &refill_products, NULL);
	}
	pgsync_queue(s->pg, &PGSYNC_COMMIT, NULL);
	return pgsync_run(s->pg);
}

static void
say(const struct seeding *s, const char *what, int added, int refilled)
{
	int64_t count = pg_affected(pgsync_result(s->pg, added));

	if (count > 0)
		printf("%s 1 to 10000: %" PRId64 " put in\n", what, count);
	else
		printf("%s 1 to 10000: are there\n", what);
	if (s->reset)
		printf("%s 1 to 10000: %" PRId64 " refilled\n", what,
		    pg_affected(pgsync_result(s->pg, refilled)));
}

/* The totals of a day, as PostgreSQL has them. */
static enum err
queue_day(const struct seeding *s, struct redsync *redis, int64_t wall_us)
{
	struct arena *arena = s->ctl->arena;
	const struct pg_result *rows;
	struct ranking_score *scores;
	struct pg_params p;
	enum err err;

	add_day(&p, arena, wall_us);
	pgsync_queue(s->pg, &read_sales, &p);
	if ((err = pgsync_run(s->pg)) != ERR_OK)
		return err;
	rows = pgsync_result(s->pg, 0);
	scores = arena_alloc(arena, (size_t)pg_rows(rows) * sizeof(*scores));
	for (int i = 0; i < pg_rows(rows); i++)
		scores[i] = (struct ranking_score){
			.product_id = pg_i64(rows, i, 0),
			.sold = pg_i64(rows, i, 1),
		};
	ranking_queue_sold(redis, arena, wall_us, scores, (size_t)pg_rows(rows));
	return ERR_OK;
}

/* Without Redis the ranks come from PostgreSQL, so that is no failure. */
static int
fill_rankings(const struct seeding *s, int64_t now_us)
{
	struct redsync *redis;
	enum err err = ERR_OK;

	if (s->ctl->settings.redis_url[0] == '\0')
		return CTL_OK;
	redis = redsync_new(s->ctl->settings.redis_url, REDIS_US);
	for (int ago = 0; ago < DAYS && err == ERR_OK; ago++)
		err = queue_day(s, redis, now_us - ago * DAY_US);
	if (err == ERR_OK && redsync_run(redis) != ERR_OK)
		ctl_complain("Redis (ONRUSH_REDIS_URL) is not reachable; the rankings "
			     "rank:sell:… are filled when it is back");
	redsync_free(redis);
	return err == ERR_OK ? CTL_OK : seed_fail(s, err);
}

int
seed_shop(const struct seeding *s)
{
	int64_t now_us = clock_wall_us();
	enum err err;
	int tries = 0;

	if (s->id_count > 0) /* those are campaigns */
		return CTL_OK;
	do
		err = try_to_fill(s, now_us);
	while (err == ERR_CONFLICT_RETRY && ++tries < TRIES);
	if (err != ERR_OK)
		return seed_fail(s, err);
	say(s, "products", 1, 5);
	say(s, "accounts", 2, 4);
	return fill_rankings(s, now_us);
}
