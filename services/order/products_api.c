/*
 * Products: everyone's GET /products/{productId}, and the operator's calls under
 * /admin/products: create, look up, restock, stop, sell, price. What an order costs is
 * the price at its moment; a change never touches orders that are there.
 */
#include <string.h>

#include "http/idempotency.h"
#include "http/json.h"
#include "order/service.h"
#include "store/rq_sql.h"

#define PRICE_MAX INT64_C(10000000000)   /* won; also a constraint of the table */
#define STOCK_MAX INT64_C(1000000000000) /* pieces, at once */

enum {
	NAME_MAX_BYTES = 120,
};

/* What show() reads, in its order. */
#define PRODUCT_COLUMNS "product_id, name, price, stock, status, supplied"

static rq_step found, created, restocked, unchanged;

/* The product of a row; what ever came in is for the operator alone. */
static rq_next
show(struct rq *rq)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	str data;

	json_begin_object(&w, NULL);
	json_put_i64(&w, "id", pg_i64(rq->pg, 0, 0));
	json_put_str(&w, "name", pg_str(rq->pg, 0, 1));
	json_put_i64(&w, "price", pg_i64(rq->pg, 0, 2));
	json_put_i64(&w, "stock", pg_i64(rq->pg, 0, 3));
	json_put_str(&w, "status", pg_str(rq->pg, 0, 4));
	if (rq->route->flags & ROUTE_ADMIN)
		json_put_i64(&w, "supplied", pg_i64(rq->pg, 0, 5));
	json_end_object(&w);
	data = arena_str(rq->arena, buf_str(&text));
	buf_fini(&text);
	return rq_ok(rq, data);
}

/* Begins a call that names a product; false when its address names none. */
static bool
begin(struct rq *rq, struct pg_params *p)
{
	int64_t product_id;

	pg_params_init(p, rq->arena);
	if (!str_to_i64(rq->params[0], 1, INT64_MAX, &product_id))
		return false;
	pg_add_i64(p, product_id);
	return true;
}

static rq_next
refuse_id(struct rq *rq)
{
	return rq_fail_because(
	    rq, ERR_BAD_PARAMETER, "The product's id must be a positive integer.");
}

/* --- GET /products/{productId} and /admin/products/{productId} ------------------ */

static const struct pg_stmt find_product = { "product_find",
	"select " PRODUCT_COLUMNS " from orders.products where product_id = $1::bigint" };

rq_next
product_read(struct rq *rq)
{
	struct service *s = rq->service;
	struct pg_params p;

	if (!begin(rq, &p))
		return refuse_id(rq);
	return rq_sql(rq, found, s->pg, &find_product, &p);
}

/* Also the last step of a change, which gives the row as it is then. */
static rq_next
found(struct rq *rq)
{
	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	return pg_rows(rq->pg) == 0 ? rq_fail(rq, ERR_PRODUCT_UNKNOWN) : show(rq);
}

/* --- POST /admin/products ------------------------------------------------------- */

static const struct pg_stmt insert_product = { "product_create",
	"insert into orders.products (product_id, name, price, supplied, stock)"
	" values ($1::bigint, $2::text, $3::bigint, $4::bigint, $4::bigint)"
	" returning " PRODUCT_COLUMNS };

rq_next
product_create(struct rq *rq)
{
	struct service *s = rq->service;
	struct json_reader r;
	struct pg_params p;
	str name;

	pg_params_init(&p, rq->arena);
	json_open(&r, rq->arena, rq->body);
	pg_add_i64(&p, json_i64(&r, r.root, "id", 1, INT64_MAX));
	name = json_str(&r, r.root, "name", NAME_MAX_BYTES);
	pg_add_str(&p, name);
	pg_add_i64(&p, json_i64(&r, r.root, "price", 0, PRICE_MAX));
	pg_add_i64(&p, json_i64(&r, r.root, "stock", 0, STOCK_MAX));
	json_close(&r);
	if (r.err != ERR_OK)
		return rq_fail_because(rq, r.err, "%s", r.why);
	if (name.n == 0)
		return rq_fail_because(
		    rq, ERR_BAD_PARAMETER, "\"name\" must not be empty.");
	return rq_sql(rq, created, s->pg, &insert_product, &p);
}

static rq_next
created(struct rq *rq)
{
	if (rq->err == ERR_INTERNAL && strcmp(rq_sqlstate(rq), "23505") == 0)
		return rq_fail(rq, ERR_PRODUCT_EXISTS);
	return found(rq);
}

/* --- POST …/stop and …/sell, PUT …/price ---------------------------------------- */

static const struct pg_stmt set_status = { "product_status",
	"update orders.products set status = $2::text where product_id = $1::bigint"
	" returning " PRODUCT_COLUMNS };
static const struct pg_stmt set_price = { "product_price",
	"update orders.products set price = $2::bigint where product_id = $1::bigint"
	" returning " PRODUCT_COLUMNS };

static rq_next
move(struct rq *rq, str status)
{
	struct service *s = rq->service;
	struct pg_params p;

	if (!begin(rq, &p))
		return refuse_id(rq);
	pg_add_str(&p, status);
	return rq_sql(rq, found, s->pg, &set_status, &p);
}

rq_next
product_stop(struct rq *rq)
{
	return move(rq, STR("STOPPED"));
}

rq_next
product_sell(struct rq *rq)
{
	return move(rq, STR("SELLING"));
}

rq_next
product_price(struct rq *rq)
{
	struct service *s = rq->service;
	struct json_reader r;
	struct pg_params p;

	if (!begin(rq, &p))
		return refuse_id(rq);
	json_open(&r, rq->arena, rq->body);
	pg_add_i64(&p, json_i64(&r, r.root, "price", 0, PRICE_MAX));
	json_close(&r);
	if (r.err != ERR_OK)
		return rq_fail_because(rq, r.err, "%s", r.why);
	return rq_sql(rq, found, s->pg, &set_price, &p);
}

/* --- POST …/restock -------------------------------------------------------------- */

/* What outlives a step. */
struct delivery {
	int64_t quantity;
	str key; /* borrowed from the request; p == NULL: none */
};

static const struct pg_stmt restock = { "product_restock",
	"with added as (insert into orders.restocks (product_id, key, quantity)"
	" select product_id, coalesce($3::text, gen_random_uuid()::text), $2::bigint"
	" from orders.products where product_id = $1::bigint"
	" on conflict do nothing returning product_id as added_to, quantity)"
	" update orders.products set supplied = supplied + quantity,"
	" stock = stock + quantity from added where product_id = added_to"
	" returning " PRODUCT_COLUMNS };

/* After nothing was added: what is there, and what the key's request added earlier. */
static const struct pg_stmt find_restock = { "product_restocked",
	"select p.product_id, p.name, p.price, p.stock, p.status, p.supplied, r.quantity"
	" from orders.products p left join orders.restocks r"
	" on r.product_id = p.product_id and r.key = $2::text"
	" where p.product_id = $1::bigint" };

rq_next
product_restock(struct rq *rq)
{
	struct service *s = rq->service;
	struct delivery *delivery = ARENA_NEW(rq->arena, struct delivery);
	struct json_reader r;
	struct pg_params p;

	rq->ctx = delivery;
	if (!begin(rq, &p))
		return refuse_id(rq);
	json_open(&r, rq->arena, rq->body);
	delivery->quantity = json_i64(&r, r.root, "quantity", 1, STOCK_MAX);
	json_close(&r);
	if (r.err != ERR_OK)
		return rq_fail_because(rq, r.err, "%s", r.why);
	if (!idempotency_key(rq, &delivery->key))
		return idempotency_refuse(rq);
	pg_add_i64(&p, delivery->quantity);
	pg_add_str(&p, delivery->key);
	return rq_sql(rq, restocked, s->pg, &restock, &p);
}

static rq_next
restocked(struct rq *rq)
{
	struct service *s = rq->service;
	const struct delivery *delivery = rq->ctx;
	struct pg_params p;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (pg_rows(rq->pg) > 0)
		return show(rq);
	if (!begin(rq, &p))
		return refuse_id(rq);
	pg_add_str(&p, delivery->key);
	return rq_sql(rq, unchanged, s->pg, &find_restock, &p);
}

static rq_next
unchanged(struct rq *rq)
{
	const struct delivery *delivery = rq->ctx;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	/* One that was created in the meantime was not there when it was asked for. */
	if (pg_rows(rq->pg) == 0 || pg_is_null(rq->pg, 0, 6))
		return rq_fail(rq, ERR_PRODUCT_UNKNOWN);
	if (pg_i64(rq->pg, 0, 6) != delivery->quantity)
		return rq_fail(rq, ERR_KEY_REUSED);
	rq_header(rq, STR("Idempotent-Replayed"), STR("true"));
	return show(rq);
}
