/*
 * The second round trip of a batch: orders, transfers, balances, stock, sales, and what
 * others have to be told, in one transaction with the locks of the first.
 */
#include <string.h>

#include "order/settler_impl.h"

#define SHOP_ACCOUNT "-1"

/* Its place among the statements of the run: products are written first. */
enum {
	ADD_SALES = 1
};

static const struct pg_stmt update_orders = { "settler_settle",
	"update orders.orders o set reason = t.reason, settled_at = $3::timestamptz,"
	" status = case when t.reason is null then 'COMPLETED' else 'FAILED' end"
	" from unnest($1::bigint[], $2::text[]) t (order_id, reason)"
	" where o.order_id = t.order_id" };

static const struct pg_stmt delete_unsettled = { "settler_unsettled",
	"delete from orders.unsettled where order_id = any($1::bigint[])" };

static const struct pg_stmt insert_transfers = { "settler_transfers",
	"insert into orders.transfers"
	" (transfer_id, debit, credit, amount, kind, order_id, balance, made_at)"
	" select i, u, " SHOP_ACCOUNT ", a, 'PAYMENT', o, b, $6::timestamptz"
	" from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[],"
	" $5::bigint[]) t (i, u, a, o, b)" };

static const struct pg_stmt update_balances = { "settler_balances",
	"update orders.balances b set amount = t.amount"
	" from unnest($1::bigint[], $2::bigint[]) t (user_id, amount)"
	" where b.user_id = t.user_id" };

static const struct pg_stmt update_products = { "settler_stock",
	"update orders.products p set stock = t.stock"
	" from unnest($1::bigint[], $2::bigint[]) t (product_id, stock)"
	" where p.product_id = t.product_id" };

static const struct pg_stmt add_sales = { "settler_sales",
	"insert into orders.daily_sales as d (day, product_id, sold)"
	" select ($3::timestamptz at time zone 'UTC')::date, p, n"
	" from unnest($1::bigint[], $2::bigint[]) t (p, n)"
	" on conflict (day, product_id) do update set sold = d.sold + excluded.sold"
	" returning product_id, sold" };

static const struct pg_stmt insert_outbox = { "settler_outbox",
	"insert into orders.outbox (batch_id, topic, records) values ($1, $2, $3)" };

static struct pg_params *
new_params(struct settler *s)
{
	struct pg_params *p = ARENA_NEW(s->arena, struct pg_params);

	pg_params_init(p, s->arena);
	return p;
}

/* --- orders -------------------------------------------------------------------- */

static void
queue_orders(struct settler *s)
{
	int64_t *ids = arena_alloc(s->arena, s->settled_count * sizeof(*ids));
	str *reasons = arena_alloc(s->arena, s->settled_count * sizeof(*reasons));
	struct pg_params *settle = new_params(s), *unsettled = new_params(s);

	for (size_t i = 0; i < s->settled_count; i++) {
		const struct settle_order *o = s->settled[i];

		ids[i] = o->order_id;
		if (o->outcome != ERR_OK)
			reasons[i] = str_of(err_info(o->outcome)->code);
	}
	pg_add_i64_array(settle, ids, s->settled_count);
	pg_add_str_array(settle, reasons, s->settled_count);
	pg_add_time(settle, s->state.now_us);
	pgsync_queue(s->pg, &update_orders, settle);
	pg_add_i64_array(unsettled, ids, s->settled_count);
	pgsync_queue(s->pg, &delete_unsettled, unsettled);
}

/* --- money --------------------------------------------------------------------- */

/*
 * A function of the order: one order is paid once, whatever happens. The order's number
 * stands in front, so that the ids grow with time and the index at its end; the version
 * and variant bits of a UUID lie between its parts.
 */
static uuid
payment_id(int64_t order_id)
{
	uint8_t b[16] = { 0 };

	for (int i = 0; i < 6; i++)
		b[i] = (uint8_t)((uint64_t)order_id >> (40 - 8 * i));
	b[7] = (uint8_t)((uint64_t)order_id >> 48);
	b[9] = (uint8_t)((uint64_t)order_id >> 56);
	memcpy(b + 10, "PAYING", 6);
	return uuid_from_hash(b);
}

static void
queue_transfers(struct settler *s)
{
	int64_t *users = arena_alloc(s->arena, 4 * s->settled_count * sizeof(*users));
	int64_t *amounts = users + s->settled_count;
	int64_t *orders = amounts + s->settled_count;
	int64_t *balances = orders + s->settled_count;
	uuid *ids = arena_alloc(s->arena, s->settled_count * sizeof(*ids));
	struct pg_params *p;
	size_t n = 0;

	for (size_t i = 0; i < s->settled_count; i++) {
		const struct settle_order *o = s->settled[i];

		if (o->outcome != ERR_OK || settle_total(o) == 0)
			continue;
		ids[n] = payment_id(o->order_id);
		users[n] = o->user_id;
		amounts[n] = settle_total(o);
		orders[n] = o->order_id;
		balances[n++] = o->balance;
	}
	if (n == 0)
		return;
	p = new_params(s);
	pg_add_uuid_array(p, ids, n);
	pg_add_i64_array(p, users, n);
	pg_add_i64_array(p, amounts, n);
	pg_add_i64_array(p, orders, n);
	pg_add_i64_array(p, balances, n);
	pg_add_time(p, s->state.now_us);
	pgsync_queue(s->pg, &insert_transfers, p);
}

static void
queue_balances(struct settler *s)
{
	const struct settle_state *state = &s->state;
	int64_t *users = arena_alloc(s->arena, 2 * state->account_count * sizeof(*users));
	int64_t *amounts = users + state->account_count;
	struct pg_params *p;
	size_t n = 0;

	for (size_t i = 0; i < state->account_count; i++) {
		const struct settle_account *a = &state->accounts[i];

		if (a->amount == a->before)
			continue;
		users[n] = a->user_id;
		amounts[n++] = a->amount;
	}
	if (n == 0)
		return;
	p = new_params(s);
	pg_add_i64_array(p, users, n);
	pg_add_i64_array(p, amounts, n);
	pgsync_queue(s->pg, &update_balances, p);
}

/* --- products ------------------------------------------------------------------ */

/* Stock, and then today's totals: true when anything was sold. */
static bool
queue_products(struct settler *s)
{
	const struct settle_state *state = &s->state;
	int64_t *ids = arena_alloc(s->arena, 3 * state->product_count * sizeof(*ids));
	int64_t *stocks = ids + state->product_count;
	int64_t *sold = stocks + state->product_count;
	struct pg_params *stock = new_params(s), *sales = new_params(s);
	size_t n = 0;

	for (size_t i = 0; i < state->product_count; i++) {
		const struct settle_product *product = &state->products[i];

		if (product->sold == 0)
			continue;
		ids[n] = product->product_id;
		stocks[n] = product->stock;
		sold[n++] = product->sold;
	}
	if (n == 0)
		return false;
	pg_add_i64_array(stock, ids, n);
	pg_add_i64_array(stock, stocks, n);
	pgsync_queue(s->pg, &update_products, stock);
	pg_add_i64_array(sales, ids, n);
	pg_add_i64_array(sales, sold, n);
	pg_add_time(sales, s->state.now_us);
	pgsync_queue(s->pg, &add_sales, sales);
	return true;
}

static void
take_scores(struct settler *s, const struct pg_result *rows)
{
	s->score_count = (size_t)pg_rows(rows);
	s->scores = arena_alloc(s->arena, s->score_count * sizeof(*s->scores));
	for (int i = 0; i < pg_rows(rows); i++)
		s->scores[i] = (struct ranking_score){
			.product_id = pg_i64(rows, i, 0),
			.sold = pg_i64(rows, i, 1),
		};
}

/* --- what others have to be told ----------------------------------------------- */

static void
queue_row(struct settler *s, const char *topic, const struct buf *records)
{
	struct pg_params *p = new_params(s);

	pg_add_uuid(p, uuid_new());
	pg_add_str(p, str_of(topic));
	pg_add_str(p, buf_str(records));
	pgsync_queue(s->pg, &insert_outbox, p);
}

/* The facts of all orders that were completed, or of all that failed, as one row. */
static void
queue_facts(struct settler *s, const char *topic, bool completed)
{
	struct json_writer w;
	struct buf text = { 0 };
	size_t n = 0;

	order_records_begin(&w, &text);
	for (size_t i = 0; i < s->settled_count; i++) {
		const struct settle_order *o = s->settled[i];

		if ((o->outcome == ERR_OK) != completed)
			continue;
		order_records_put_fact(&w, &(struct order_fact){
					       .topic = topic,
					       .order_id = o->order_id,
					       .user_id = o->user_id,
					       .amount = o->amount,
					       .discount = o->discount,
					       .coupon_id = o->coupon_id,
					       .reason = o->outcome,
					       .at_us = s->state.now_us,
					       .lines = o->lines,
					       .line_count = o->line_count,
					   });
		n++;
	}
	order_records_end(&w);
	if (n > 0)
		queue_row(s, topic, &text);
	buf_fini(&text);
}

/* The coupon of a completed order is used, that of a failed one is free again. */
static void
queue_uses(struct settler *s)
{
	struct json_writer w;
	struct buf text = { 0 };
	size_t n = 0;

	order_records_begin(&w, &text);
	for (size_t i = 0; i < s->settled_count; i++) {
		const struct settle_order *o = s->settled[i];

		if (o->coupon_id == 0)
			continue;
		order_records_put_use(&w, o->order_id, o->outcome == ERR_OK);
		n++;
	}
	order_records_end(&w);
	if (n > 0)
		queue_row(s, ORDER_OUTBOX_COUPON_USES, &text);
	buf_fini(&text);
}

enum err
settler_write(struct settler *s)
{
	bool sold;
	enum err err;

	if (s->settled_count == 0) {
		pgsync_queue(s->pg, &PGSYNC_COMMIT, NULL);
		return pgsync_run(s->pg);
	}
	sold = queue_products(s);
	queue_orders(s);
	queue_transfers(s);
	queue_balances(s);
	queue_facts(s, ORDER_TOPIC_COMPLETED, true);
	queue_facts(s, ORDER_TOPIC_FAILED, false);
	queue_uses(s);
	pgsync_queue(s->pg, &PGSYNC_COMMIT, NULL);
	if ((err = pgsync_run(s->pg)) == ERR_OK && sold)
		take_scores(s, pgsync_result(s->pg, ADD_SALES));
	return err;
}
