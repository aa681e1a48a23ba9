/*
 * Tells the coupon service what became of coupons that orders took: from the outbox when
 * an order was settled or cancelled, and by looking at the orders themselves for
 * reservations that nobody came back to.
 */
#include "base/buf.h"
#include "http/http_blocking.h"
#include "http/json.h"
#include "keeper/jobs.h"
#include "order/order_events.h"

#define CALL_US (2 * CLOCK_US_PER_SEC)

enum {
	ROWS_MAX = 3, /* of the outbox, each at most a batch: below the call's 1000 */
	GIVE_BACK_MAX = 256,
};

static struct {
	struct counter *told, *abandoned; /* owned by metrics */
} metrics;

void
coupons_register(void)
{
	metrics.told = counter_new("onrush_keeper_relayed_total",
	    "Records that were delivered for others.",
	    "topic=\"" ORDER_OUTBOX_COUPON_USES "\"");
	metrics.abandoned = counter_new("onrush_keeper_abandoned_total",
	    "Coupons that were given back because their order was never written.", NULL);
}

/* PUT /internal/uses; the body is an array of uses. */
static enum err
put_uses(struct keeper *k, str uses)
{
	struct http_answer answer;
	const char *why;
	enum err err = http_blocking(k->arena,
	    &(struct http_call){
		.address = k->settings->coupon_address,
		.method = "PUT",
		.target = "/internal/uses",
		.body = str_of(arena_printf(k->arena, "{\"uses\":%.*s}", STR_ARG(uses))),
		.timeout_us = CALL_US,
	    },
	    &answer, &why);

	if (err != ERR_OK)
		return keeper_fail(k, err, "the coupon service: %s", why);
	if (answer.status != 200)
		return keeper_fail(k, ERR_BAD_GATEWAY,
		    "the coupon service answered %d: %.*s", answer.status,
		    STR_ARG(answer.body));
	return ERR_OK;
}

/* --- from the outbox ----------------------------------------------------------- */

/* The oldest rows' uses as one array, how many they are, and the rows' ids. */
static const struct pg_stmt find_uses = { "keeper_uses",
	"with b as materialized (select batch_id, records from orders.outbox"
	" where topic = '" ORDER_OUTBOX_COUPON_USES "' order by batch_id limit $1)"
	" select jsonb_agg(r.record order by b.batch_id, r.n), count(*),"
	" array(select batch_id from b), (select count(*) from b) = $1"
	" from b cross join lateral jsonb_array_elements(b.records)"
	" with ordinality r (record, n)" };

static const struct pg_stmt delete_uses = { "keeper_uses_done",
	"delete from orders.outbox where topic = '" ORDER_OUTBOX_COUPON_USES "'"
	" and batch_id = any($1::uuid[])" };

enum err
coupons_tell(struct keeper *k)
{
	struct pg_params *limit = keeper_params(k), *done = keeper_params(k);
	const struct pg_result *rows;
	uint64_t count;
	enum err err;

	pg_add_i64(limit, ROWS_MAX);
	pgsync_queue(k->pg, &find_uses, limit);
	if ((err = keeper_sql(k)) != ERR_OK)
		return err;
	rows = pgsync_result(k->pg, 0);
	count = (uint64_t)pg_i64(rows, 0, 1);
	if (count == 0)
		return ERR_OK;
	k->more = pg_bool(rows, 0, 3);
	if ((err = put_uses(k, pg_str(rows, 0, 0))) != ERR_OK)
		return err;
	pg_add_str(done, pg_str(rows, 0, 2));
	pgsync_queue(k->pg, &delete_uses, done);
	if ((err = keeper_sql(k)) == ERR_OK)
		counter_add(metrics.told, count);
	return err;
}

/* --- reservations that nobody came back to -------------------------------------- */

/*
 * Old ones whose order is settled, or does not exist. The first kind is there when the
 * order service asked again for an order that had ended meanwhile. The second was never
 * written, and must not be from now on: its id is taken by an order that FAILED, so that
 * an insert which is still under way somewhere finds it.
 */
static const struct pg_stmt find_left = { "keeper_reservations",
	"select u.order_id, u.user_id, u.coupon_id, u.rank, o.status"
	" from coupon.uses u left join orders.orders o using (order_id)"
	" where u.state = 'RESERVED' and u.reserved_at < $1::timestamptz"
	" and o.status is distinct from 'PENDING' order by u.reserved_at limit $2" };

static const struct pg_stmt insert_abandoned = { "keeper_abandon",
	"insert into orders.orders (order_id, user_id, request_id, request_hash, status,"
	" reason, amount, coupon_id, coupon_rank, settled_at)"
	" select o, u, gen_random_uuid(), 0, 'FAILED', $5, 0, c, r, now()"
	" from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])"
	" t (o, u, c, r)"
	" on conflict do nothing returning order_id" };

/* What was found, and what the coupon service is to be told. */
struct left {
	int64_t *orders, *users, *coupons, *ranks; /* in the arena; without an order */
	size_t count;
	struct buf uses;
	struct json_writer w;
	size_t told;
};

static void
put_use(struct left *left, int64_t order_id, bool used)
{
	order_records_put_use(&left->w, order_id, used);
	left->told++;
}

static void
sort_out(struct keeper *k, struct left *left, const struct pg_result *rows)
{
	size_t n = (size_t)pg_rows(rows);

	left->orders = arena_alloc(k->arena, 4 * n * sizeof(*left->orders));
	left->users = left->orders + n;
	left->coupons = left->users + n;
	left->ranks = left->coupons + n;
	for (int i = 0; i < pg_rows(rows); i++) {
		if (!pg_is_null(rows, i, 4)) {
			put_use(left, pg_i64(rows, i, 0),
			    str_eq(pg_str(rows, i, 4), STR("COMPLETED")));
			continue;
		}
		left->orders[left->count] = pg_i64(rows, i, 0);
		left->users[left->count] = pg_i64(rows, i, 1);
		left->coupons[left->count] = pg_i64(rows, i, 2);
		left->ranks[left->count++] = pg_i64(rows, i, 3);
	}
}

/* Takes the ids of orders that were never written; one that was meanwhile is left alone.
 */
static enum err
abandon(struct keeper *k, struct left *left)
{
	struct pg_params *p = keeper_params(k);
	const struct pg_result *rows;
	enum err err;

	if (left->count == 0)
		return ERR_OK;
	pg_add_i64_array(p, left->orders, left->count);
	pg_add_i64_array(p, left->users, left->count);
	pg_add_i64_array(p, left->coupons, left->count);
	pg_add_i64_array(p, left->ranks, left->count);
	pg_add_str(p, str_of(err_info(ERR_ORDER_ABANDONED)->code));
	pgsync_queue(k->pg, &insert_abandoned, p);
	if ((err = keeper_sql(k)) != ERR_OK)
		return err;
	rows = pgsync_result(k->pg, 0);
	for (int i = 0; i < pg_rows(rows); i++)
		put_use(left, pg_i64(rows, i, 0), false);
	counter_add(metrics.abandoned, (uint64_t)pg_rows(rows));
	return ERR_OK;
}

static enum err
give_back(struct keeper *k, struct left *left)
{
	struct pg_params *p = keeper_params(k);
	enum err err;

	pg_add_time(p, clock_wall_us() - k->settings->reservation_us);
	pg_add_i64(p, GIVE_BACK_MAX);
	pgsync_queue(k->pg, &find_left, p);
	if ((err = keeper_sql(k)) != ERR_OK)
		return err;
	k->more = pg_rows(pgsync_result(k->pg, 0)) == GIVE_BACK_MAX;
	order_records_begin(&left->w, &left->uses);
	sort_out(k, left, pgsync_result(k->pg, 0));
	if ((err = abandon(k, left)) != ERR_OK)
		return err;
	order_records_end(&left->w);
	return left->told == 0 ? ERR_OK : put_uses(k, buf_str(&left->uses));
}

enum err
coupons_give_back(struct keeper *k)
{
	struct left left = { 0 };
	enum err err = give_back(k, &left);

	buf_fini(&left.uses);
	return err;
}
