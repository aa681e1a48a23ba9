/*
 * One batch, two round trips to PostgreSQL:
 *
 *   begin; lock the orders, their users' balances and their products; read their lines
 *      └─ settle_decide(): the rules, in memory, order by order
 *   write what became of them, with the facts for others; commit (settler_write.c)
 *
 * The locks are taken in the order that everybody keeps: orders, balances, products, each
 * by its id. Balances and products are read by the statements that lock them, so that
 * each value is the one that the lock's last holder left.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "order/ranking.h"
#include "order/settler_impl.h"
#include "store/redsync.h"

/* A Redis that hangs may not hold up the next batch for longer. */
#define REDIS_TIMEOUT_US (50 * CLOCK_US_PER_MS)

static enum err
settle(struct settler *s, const int64_t *order_ids, size_t count, enum err give_up);
static enum err read_state(struct settler *s);
static void decide(struct settler *s, enum err give_up);

/* --- life ---------------------------------------------------------------------- */

struct settler *
settler_new(const struct settler_conf *conf)
{
	struct settler *s = xcalloc(1, sizeof(*s));

	s->pg = pgsync_new(conf->pg_dsn, conf->note, conf->timeout_us);
	if (conf->redis_url[0] != '\0')
		s->redis = redsync_new(conf->redis_url, REDIS_TIMEOUT_US);
	s->arena = arena_new();
	return s;
}

void
settler_free(struct settler *s)
{
	if (s == NULL)
		return;
	pgsync_free(s->pg);
	redsync_free(s->redis);
	arena_free(s->arena);
	free(s);
}

const char *
settler_message(const struct settler *s)
{
	return pgsync_message(s->pg);
}

bool
settler_is_healthy(struct settler *s)
{
	static const struct pg_stmt ping = { "settler_ping", "select 1" };

	pgsync_queue(s->pg, &ping, NULL);
	return pgsync_run(s->pg) == ERR_OK;
}

enum err
settler_settle(
    struct settler *s, const int64_t *order_ids, size_t count, const enum err **outcomes)
{
	enum err err = settle(s, order_ids, count, ERR_OK);

	*outcomes = s->outcomes;
	return err;
}

enum err
settler_give_up(struct settler *s, const int64_t *order_ids, size_t count,
    enum err reason, const enum err **outcomes)
{
	enum err err;

	ASSERT(reason != ERR_OK);
	err = settle(s, order_ids, count, reason);
	*outcomes = s->outcomes;
	return err;
}

void
settler_rank(struct settler *s)
{
	if (s->redis == NULL || s->score_count == 0)
		return;
	ranking_queue_sold(
	    s->redis, s->arena, s->state.now_us, s->scores, s->score_count);
	s->score_count = 0;
	/* What is lost here is written again by the keeper. */
	(void)redsync_start(s->redis);
}

static enum err
settle(struct settler *s, const int64_t *order_ids, size_t count, enum err give_up)
{
	enum err err;

	ASSERT(count > 0 && count <= SETTLER_BATCH_MAX);
	arena_reset(s->arena);
	s->order_ids = order_ids;
	s->count = count;
	s->score_count = 0;
	if ((err = read_state(s)) != ERR_OK)
		return err;
	decide(s, give_up);
	return settler_write(s);
}

/* --- reading ------------------------------------------------------------------- */

static const struct pg_stmt lock_orders = { "settler_orders",
	"select order_id, user_id, amount, discount, coupon_id, coupon_expires_at,"
	" status = 'PENDING' from orders.orders where order_id = any($1::bigint[])"
	" order by order_id for update" };

static const struct pg_stmt lock_accounts = { "settler_accounts",
	"select user_id, amount from orders.balances where user_id = any(array("
	"select o.user_id from orders.orders o where o.order_id = any($1::bigint[])))"
	" order by user_id for update" };

static const struct pg_stmt find_lines = { "settler_lines",
	"select order_id, product_id, quantity, price from orders.lines"
	" where order_id = any($1::bigint[]) order by order_id, product_id" };

static const struct pg_stmt lock_products = { "settler_products",
	"select product_id, stock from orders.products where product_id = any(array("
	"select l.product_id from orders.lines l where l.order_id = any($1::bigint[])))"
	" order by product_id for update" };

static void
take_orders(struct settler *s, const struct pg_result *rows)
{
	s->row_count = (size_t)pg_rows(rows);
	s->rows = arena_alloc(s->arena, s->row_count * sizeof(*s->rows));
	for (int i = 0; i < pg_rows(rows); i++)
		s->rows[i] = (struct settler_row){
			.order = {
			    .order_id = pg_i64(rows, i, 0),
			    .user_id = pg_i64(rows, i, 1),
			    .amount = pg_i64(rows, i, 2),
			    .discount = pg_i64(rows, i, 3),
			    .coupon_id = pg_i64(rows, i, 4),
			    .coupon_expires_us = pg_time_us(rows, i, 5),
			},
			.is_pending = pg_bool(rows, i, 6),
		};
}

static void
take_accounts(struct settler *s, const struct pg_result *rows)
{
	struct settle_state *state = &s->state;

	state->account_count = (size_t)pg_rows(rows);
	state->accounts =
	    arena_alloc(s->arena, state->account_count * sizeof(*state->accounts));
	for (int i = 0; i < pg_rows(rows); i++)
		state->accounts[i] = (struct settle_account){
			.user_id = pg_i64(rows, i, 0),
			.amount = pg_i64(rows, i, 1),
			.before = pg_i64(rows, i, 1),
		};
}

/* The rows are sorted as the orders are: each order's lines are a run of them. */
static void
take_lines(struct settler *s, const struct pg_result *rows)
{
	int n = pg_rows(rows), at = 0;
	struct order_fact_line *lines = arena_alloc(s->arena, (size_t)n * sizeof(*lines));

	for (size_t i = 0; i < s->row_count; i++) {
		struct settle_order *o = &s->rows[i].order;

		o->lines = lines + at;
		for (; at < n && pg_i64(rows, at, 0) == o->order_id; at++)
			lines[at] = (struct order_fact_line){
				.product_id = pg_i64(rows, at, 1),
				.quantity = pg_i64(rows, at, 2),
				.price = pg_i64(rows, at, 3),
			};
		o->line_count = (size_t)(lines + at - o->lines);
	}
}

static void
take_products(struct settler *s, const struct pg_result *rows)
{
	struct settle_state *state = &s->state;

	state->product_count = (size_t)pg_rows(rows);
	state->products =
	    arena_alloc(s->arena, state->product_count * sizeof(*state->products));
	for (int i = 0; i < pg_rows(rows); i++)
		state->products[i] = (struct settle_product){
			.product_id = pg_i64(rows, i, 0),
			.stock = pg_i64(rows, i, 1),
		};
}

static enum err
read_state(struct settler *s)
{
	struct pg_params p;
	enum err err;

	pg_params_init(&p, s->arena);
	pg_add_i64_array(&p, s->order_ids, s->count);
	pgsync_queue(s->pg, &PGSYNC_BEGIN, NULL);
	pgsync_queue(s->pg, &lock_orders, &p);
	pgsync_queue(s->pg, &lock_accounts, &p);
	pgsync_queue(s->pg, &find_lines, &p);
	pgsync_queue(s->pg, &lock_products, &p);
	if ((err = pgsync_run(s->pg)) != ERR_OK)
		return err;
	take_orders(s, pgsync_result(s->pg, 1));
	take_accounts(s, pgsync_result(s->pg, 2));
	take_lines(s, pgsync_result(s->pg, 3));
	take_products(s, pgsync_result(s->pg, 4));
	return ERR_OK;
}

/* --- deciding ------------------------------------------------------------------ */

static int
compare_row(const void *key, const void *element)
{
	int64_t id = *(const int64_t *)key;
	const struct settler_row *row = element;

	return (id > row->order.order_id) - (id < row->order.order_id);
}

static enum err
decide_one(struct settler *s, int64_t order_id, enum err give_up)
{
	struct settler_row *row = NULL;

	if (s->row_count > 0)
		row =
		    bsearch(&order_id, s->rows, s->row_count, sizeof(*row), compare_row);
	if (row == NULL)
		return ERR_ORDER_UNKNOWN;
	if (!row->is_pending)
		return ERR_ORDER_STATE;
	row->is_pending = false;
	if (give_up != ERR_OK)
		row->order.outcome = give_up;
	else
		settle_decide(&s->state, &row->order);
	s->settled[s->settled_count++] = &row->order;
	return row->order.outcome;
}

static void
decide(struct settler *s, enum err give_up)
{
	s->outcomes = arena_alloc(s->arena, s->count * sizeof(*s->outcomes));
	s->settled = arena_alloc(s->arena, s->count * sizeof(struct settle_order *));
	s->settled_count = 0;
	s->state.now_us = clock_wall_us();
	for (size_t i = 0; i < s->count; i++)
		s->outcomes[i] = decide_one(s, s->order_ids[i], give_up);
}
