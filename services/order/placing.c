#include "order/placing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/metrics.h"
#include "base/clock.h"
#include "order/order_events.h"
#include "order/order_ids.h"
#include "store/rq_sql.h"

enum {
	BATCH_MAX = 256,
	RUNS_MAX = 2,
	QUEUE_MAX = 8192,
	TRIES_MAX = 3, /* of one order whose key somebody else uses at the same time */
};

struct placing {
	struct service *service; /* borrowed */
	struct batch *batch;     /* owned */
	struct buf text;         /* owned; scratch of encoding */
	struct counter *placed, *refused;
};

/*
 * Orders that go together: a whole run, or one order of it after the statement with all
 * of them failed.
 */
struct attempt {
	struct placing *placing;    /* borrowed */
	struct batch_run *run;      /* borrowed until batch_end */
	struct arena *arena;        /* owned: this and all that hangs on it */
	struct order_request **all; /* in the arena */
	size_t all_count;
	struct order_request **orders; /* of all; those that are tried now: all or one */
	size_t count;
	int tries; /* of these */

	int waiting; /* results that have not come */
	enum err err;
	struct order_product *products; /* in the arena; sorted */
	size_t product_count;
	struct order_request **keyed; /* in the arena; of orders */
	size_t keyed_count;
	struct order_request **fresh; /* in the arena; those that are written */
	size_t fresh_count;
};

static void flush(struct batch_run *run);
static void begin(struct attempt *a, struct order_request **orders, size_t count);
static void end_run(struct attempt *a);
static void read_state(struct attempt *a);
static void write_orders(struct attempt *a);
static void end(struct attempt *a, enum err err, const char *sqlstate);

struct placing *
placing_new(struct service *s)
{
	struct placing *p = xcalloc(1, sizeof(*p));

	p->service = s;
	p->placed =
	    counter_new("onrush_orders_placed_total", "Orders that were written.", NULL);
	p->refused = counter_new("onrush_orders_refused_total",
	    "Orders that were refused before anything was written.", NULL);
	p->batch = batch_new(s->worker->loop, &(struct batch_conf){
						  .max_size = BATCH_MAX,
						  .max_runs = RUNS_MAX,
						  .max_queue = QUEUE_MAX,
						  .flush = flush,
						  .arg = p,
					      });
	return p;
}

void
placing_free(struct placing *p)
{
	if (p == NULL)
		return;
	batch_free(p->batch);
	buf_fini(&p->text);
	free(p);
}

/* What placing_replay reads. */
#define PLACED_COLUMNS "order_id, request_hash, amount, discount"

static const struct pg_stmt find_placed = { "order_find_placed",
	"select " PLACED_COLUMNS " from orders.orders where request_id = $1::uuid" };

rq_next
placing_find(
    struct rq *rq, rq_step *next, struct placing *p, const struct order_request *request)
{
	struct pg_params params;

	pg_params_init(&params, rq->arena);
	pg_add_uuid(&params, request->key.id);
	return rq_sql(rq, next, p->service->pg, &find_placed, &params);
}

rq_next
placing_place(
    struct rq *rq, rq_step *next, struct placing *p, struct order_request *request)
{
	return rq_join(rq, next, p->batch, request);
}

/* --- a run --------------------------------------------------------------------- */

/* Two requests with one key in one run: the later one is told to come again. */
static bool
is_repeated(struct running *running, struct order_request *r)
{
	if (!r->keyed)
		return false;
	if (running_has(running, r->key.id)) {
		r->outcome = ERR_IN_PROGRESS;
		r->keyed = false; /* it holds no key here */
		return true;
	}
	running_begin(running, &r->key);
	return false;
}

static void
flush(struct batch_run *run)
{
	struct placing *p = run->arg;
	struct arena *arena = arena_new();
	struct attempt *a = ARENA_NEW(arena, struct attempt);
	struct order_request **orders = arena_alloc(arena, run->count * sizeof(*orders));
	size_t count = 0;

	for (size_t i = 0; i < run->count; i++)
		if (!is_repeated(p->service->running, run->items[i]))
			orders[count++] = run->items[i];
	*a = (struct attempt){ p, run, arena, .all = orders, .all_count = count };
	if (count > 0)
		begin(a, orders, count);
	else
		end_run(a);
}

static void
begin(struct attempt *a, struct order_request **orders, size_t count)
{
	a->tries = orders == a->orders && count == a->count ? a->tries + 1 : 1;
	a->orders = orders;
	a->count = count;
	a->err = ERR_OK;
	a->keyed = arena_alloc(a->arena, count * sizeof(struct order_request *));
	a->fresh = arena_alloc(a->arena, count * sizeof(struct order_request *));
	a->keyed_count = a->fresh_count = 0;
	for (size_t i = 0; i < count; i++) {
		orders[i]->outcome = ERR_OK;
		orders[i]->replayed = false;
		if (orders[i]->keyed)
			a->keyed[a->keyed_count++] = orders[i];
	}
	read_state(a);
}

/* --- reading ------------------------------------------------------------------- */

static const struct pg_stmt read_products = { "order_products",
	"select product_id, price, status = 'STOPPED' from orders.products"
	" where product_id = any($1::bigint[]) order by product_id" };

static const struct pg_stmt read_earlier = { "order_earlier",
	"select r.ord, " PLACED_COLUMNS
	" from unnest($1::uuid[]) with ordinality r (request_id, ord)"
	" join orders.orders using (request_id)" };

static int
compare_i64(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The different products of all lines. */
static size_t
distinct_products(const struct attempt *a, int64_t **ids)
{
	size_t lines = 0, n = 0;

	for (size_t i = 0; i < a->count; i++)
		lines += a->orders[i]->order.line_count;
	*ids = arena_alloc(a->arena, lines * sizeof(**ids));
	for (size_t i = 0; i < a->count; i++)
		for (size_t j = 0; j < a->orders[i]->order.line_count; j++)
			(*ids)[n++] = a->orders[i]->order.lines[j].product_id;
	qsort(*ids, lines, sizeof(**ids), compare_i64);
	n = 0;
	for (size_t i = 0; i < lines; i++)
		if (n == 0 || (*ids)[n - 1] != (*ids)[i])
			(*ids)[n++] = (*ids)[i];
	return n;
}

static void
have_read(struct attempt *a, enum err err, const char *sqlstate)
{
	if (err != ERR_OK)
		a->err = err;
	if (--a->waiting > 0)
		return;
	if (a->err != ERR_OK)
		end(a, a->err, sqlstate);
	else
		write_orders(a);
}

static void
on_products(void *arg, enum err err, const struct pg_result *rows, const char *sqlstate)
{
	struct attempt *a = arg;

	if (err == ERR_OK) {
		a->product_count = (size_t)pg_rows(rows);
		a->products =
		    arena_alloc(a->arena, a->product_count * sizeof(*a->products));
		for (int i = 0; i < pg_rows(rows); i++)
			a->products[i] = (struct order_product){ pg_i64(rows, i, 0),
				pg_i64(rows, i, 1), pg_bool(rows, i, 2) };
	}
	have_read(a, err, sqlstate);
}

void
placing_replay(struct order_request *r, const struct pg_result *rows, int row, int col)
{
	r->replayed = true;
	r->outcome = pg_i64(rows, row, col + 1) == r->hash ? ERR_OK : ERR_KEY_REUSED;
	r->order.order_id = pg_i64(rows, row, col);
	r->order.amount = pg_i64(rows, row, col + 2);
	r->order.discount = pg_i64(rows, row, col + 3);
}

static void
on_earlier(void *arg, enum err err, const struct pg_result *rows, const char *sqlstate)
{
	struct attempt *a = arg;

	if (err == ERR_OK)
		for (int i = 0; i < pg_rows(rows); i++)
			placing_replay(a->keyed[pg_i64(rows, i, 0) - 1], rows, i, 1);
	have_read(a, err, sqlstate);
}

static void
read_state(struct attempt *a)
{
	struct pgpool *pg = a->placing->service->pg;
	uuid *ids = arena_alloc(a->arena, a->keyed_count * sizeof(*ids));
	struct pg_params p;
	int64_t *products;
	size_t count = distinct_products(a, &products);

	a->waiting = a->keyed_count > 0 ? 2 : 1;
	pg_params_init(&p, a->arena);
	pg_add_i64_array(&p, products, count);
	pgpool_exec(pg, &read_products, &p, on_products, a);
	if (a->keyed_count == 0)
		return;
	for (size_t i = 0; i < a->keyed_count; i++)
		ids[i] = a->keyed[i]->key.id;
	pg_params_init(&p, a->arena);
	pg_add_uuid_array(&p, ids, a->keyed_count);
	pgpool_exec(pg, &read_earlier, &p, on_earlier, a);
}

/* --- writing ------------------------------------------------------------------- */

static const struct pg_stmt insert_orders = { "order_insert",
	"with o as (insert into orders.orders (order_id, user_id, request_id,"
	" request_hash, amount, discount, coupon_id, coupon_rank, coupon_expires_at)"
	" select o, u, q, h, a, d, nullif(c, 0), nullif(r, 0),"
	" case when c <> 0 then e end from unnest($1::bigint[], $2::bigint[], $3::uuid[],"
	" $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],"
	" $9::timestamptz[]) t (o, u, q, h, a, d, c, r, e)),"
	" l as (insert into orders.lines (order_id, product_id, quantity, price)"
	" select * from unnest($10::bigint[], $11::bigint[], $12::bigint[], "
	"$13::bigint[]))"
	" insert into orders.unsettled (order_id) select unnest($1::bigint[])" };

enum {
	ORDER_ARRAYS = 7, /* of int64 */
	LINE_ARRAYS = 4,
};

static void
on_written(
    void *arg, enum err err, const struct pg_result *rows UNUSED, const char *sqlstate)
{
	end(arg, err, sqlstate);
}

static void
add_orders(struct attempt *a, struct pg_params *p)
{
	size_t n = a->fresh_count;
	int64_t *v = arena_alloc(a->arena, ORDER_ARRAYS * n * sizeof(*v));
	int64_t *expires = arena_alloc(a->arena, n * sizeof(*expires));
	uuid *ids = arena_alloc(a->arena, n * sizeof(*ids));

	for (size_t i = 0; i < n; i++) {
		const struct order *o = &a->fresh[i]->order;

		ids[i] = a->fresh[i]->key.id;
		expires[i] = o->coupon.expires_us;
		v[i] = o->order_id;
		v[n + i] = o->user_id;
		v[2 * n + i] = a->fresh[i]->hash;
		v[3 * n + i] = o->amount;
		v[4 * n + i] = o->discount;
		v[5 * n + i] = o->coupon.coupon_id;
		v[6 * n + i] = o->coupon.rank;
	}
	pg_add_i64_array(p, v, n);
	pg_add_i64_array(p, v + n, n);
	pg_add_uuid_array(p, ids, n);
	for (size_t k = 2; k < ORDER_ARRAYS; k++)
		pg_add_i64_array(p, v + k * n, n);
	pg_add_time_array(p, expires, n);
}

static void
add_lines(struct attempt *a, struct pg_params *p)
{
	size_t count = 0, n = 0;
	int64_t *v;

	for (size_t i = 0; i < a->fresh_count; i++)
		count += a->fresh[i]->order.line_count;
	v = arena_alloc(a->arena, LINE_ARRAYS * count * sizeof(*v));
	for (size_t i = 0; i < a->fresh_count; i++) {
		const struct order *o = &a->fresh[i]->order;

		for (size_t j = 0; j < o->line_count; j++, n++) {
			v[n] = o->order_id;
			v[count + n] = o->lines[j].product_id;
			v[2 * count + n] = o->lines[j].quantity;
			v[3 * count + n] = o->lines[j].price;
		}
	}
	for (size_t k = 0; k < LINE_ARRAYS; k++)
		pg_add_i64_array(p, v + k * count, count);
}

/* An order with a coupon has its id already: the coupon is reserved for it. */
static enum err
price(struct attempt *a, struct order_request *r)
{
	enum err err =
	    order_price(&r->order, a->products, a->product_count, &r->offender);

	if (err == ERR_OK && r->order.order_id == 0)
		r->order.order_id = order_ids_take(a->placing->service->ids);
	if (err == ERR_OK && r->order.order_id == 0)
		return ERR_UNAVAILABLE;
	return err;
}

static void
write_orders(struct attempt *a)
{
	struct pg_params p;

	for (size_t i = 0; i < a->count; i++) {
		struct order_request *r = a->orders[i];

		if (r->replayed)
			continue;
		r->outcome = price(a, r);
		if (r->outcome == ERR_OK)
			a->fresh[a->fresh_count++] = r;
	}
	if (a->fresh_count == 0) {
		end(a, ERR_OK, "");
		return;
	}
	pg_params_init(&p, a->arena);
	add_orders(a, &p);
	add_lines(a, &p);
	pgpool_exec(a->placing->service->pg, &insert_orders, &p, on_written, a);
}

/* --- the end ------------------------------------------------------------------- */

/* What is lost here is asked for again by the keeper. */
static void
ask_payment(struct placing *p, const struct order_request *r)
{
	const struct payment_requested e = {
		.event_id = r->key.id,
		.kind = PAYMENT_ORDER,
		.id = r->order.order_id,
		.user_id = r->order.user_id,
		.requested_us = clock_wall_us(),
	};
	char key[24];
	int n = snprintf(key, sizeof(key), "%" PRId64, r->order.user_id);

	buf_clear(&p->text);
	payment_requested_encode(&p->text, &e, r->traceparent);
	producer_send(p->service->producer,
	    &(struct record){
		.topic = p->service->payments,
		.partition = -1,
		.key = { key, (size_t)n },
		.value = buf_str(&p->text),
	    },
	    NULL, NULL);
}

/* All events first: the producer gathers what comes at once. */
static void
end_run(struct attempt *a)
{
	struct batch_run *run = a->run;

	for (size_t i = 0; i < run->count; i++) {
		struct order_request *r = run->items[i];

		if (r->keyed)
			running_end(&r->key);
		if (r->replayed)
			continue;
		if (r->outcome == ERR_OK)
			ask_payment(a->placing, r);
		counter_add(
		    r->outcome == ERR_OK ? a->placing->placed : a->placing->refused, 1);
	}
	for (size_t i = 0; i < run->count; i++)
		rq_resume(run->rqs[i], ERR_OK);
	arena_free(a->arena);
	batch_end(run);
}

/* A row with the same id is there now that was not there when we looked. */
static bool
came_second(enum err err, const char *sqlstate)
{
	return err == ERR_INTERNAL && strcmp(sqlstate, "23505") == 0;
}

static void
fail(struct attempt *a, enum err err, const char *sqlstate)
{
	if (came_second(err, sqlstate))
		err = ERR_CONFLICT_RETRY;
	for (size_t i = 0; i < a->count; i++)
		if (a->orders[i]->outcome == ERR_OK && !a->orders[i]->replayed)
			a->orders[i]->outcome = err;
}

static void
end(struct attempt *a, enum err err, const char *sqlstate)
{
	if (err == ERR_INTERNAL && a->count > 1) {
		begin(a, a->all, 1);
		return;
	}
	if (came_second(err, sqlstate) && a->tries < TRIES_MAX) {
		begin(a, a->orders, 1);
		return;
	}
	if (err != ERR_OK)
		fail(a, err, sqlstate);
	if (a->orders + a->count < a->all + a->all_count)
		begin(a, a->orders + a->count, 1);
	else
		end_run(a);
}
