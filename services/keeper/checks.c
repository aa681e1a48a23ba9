/*
 * What must hold at every instant, looked at while everything runs: one transaction, one
 * snapshot of all schemas, so that nothing that is under way looks like a mistake. Each
 * check is a query that counts what is wrong, and a gauge that must be zero.
 */
#include <inttypes.h>

#include "app/log.h"
#include "keeper/jobs.h"
#include "order/order_events.h"

struct check {
	const char *gauge_name, *help;
	const char *sentence; /* with the difference before it */
	struct pg_stmt query; /* one number */
	struct gauge *gauge;  /* owned by metrics */
};

static struct check checks[] = {
	{ .gauge_name = "onrush_check_ledger_difference",
	    .help = "Won by which balances differ from the sums of their transfers; must "
		    "be 0.",
	    .sentence = "won by which balances differ from the sums of their transfers",
	    .query = { "check_ledger",
		"select coalesce(sum(abs(coalesce(b.amount, 0) - coalesce(t.moved, 0))), "
		"0)"
		" from orders.balances b full join ("
		" select account as user_id, sum(amount) as moved from ("
		" select credit as account, amount from orders.transfers where credit > 0"
		" union all"
		" select debit, -amount from orders.transfers where debit > 0) legs"
		" group by account) t using (user_id)" } },
	{ .gauge_name = "onrush_check_stock_difference",
	    .help = "Pieces by which stock and completed orders differ from what was "
		    "supplied; must be 0.",
	    .sentence = "pieces by which stock and completed orders differ from what was "
			"supplied",
	    .query = { "check_stock",
		"select coalesce(sum(abs(coalesce(p.supplied - p.stock, 0)"
		" - coalesce(l.sold, 0))), 0) from orders.products p full join ("
		" select product_id, sum(quantity) as sold from orders.lines"
		" join orders.orders using (order_id) where status = 'COMPLETED'"
		" group by product_id) l using (product_id)" } },
	{ .gauge_name = "onrush_check_coupon_use_difference",
	    .help = "Used coupons without a completed order, and the reverse; must be 0.",
	    .sentence = "used coupons without a completed order, or the reverse",
	    .query = { "check_coupon_uses",
		"with told as materialized (select (r->>'orderId')::bigint as order_id"
		" from orders.outbox, jsonb_array_elements(records) r"
		" where topic = '" ORDER_OUTBOX_COUPON_USES "')"
		" select count(*) from ("
		" select order_id, coupon_id, coupon_rank as rank, user_id"
		" from orders.orders where status = 'COMPLETED' and coupon_id is not "
		"null) o"
		" full join (select order_id, coupon_id, rank, user_id from coupon.uses"
		" where state = 'USED') u using (order_id)"
		" where (o.coupon_id, o.rank, o.user_id)"
		" is distinct from (u.coupon_id, u.rank, u.user_id)"
		" and not exists (select from told t"
		" where t.order_id = coalesce(o.order_id, u.order_id))" } },
};

/* How long the oldest of those that wait has waited. */
static struct {
	const char *labels;
	struct gauge *gauge; /* owned by metrics */
} ages[] = {
	{ .labels = "what=\"payment\"" },
	{ .labels = "what=\"order facts\"" },
	{ .labels = "what=\"coupon uses\"" },
	{ .labels = "what=\"coupon facts\"" },
};

static struct gauge *checked_at; /* owned by metrics */

void
checks_register(void)
{
	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		checks[i].gauge = gauge_new(checks[i].gauge_name, checks[i].help, NULL);
	for (size_t i = 0; i < ARRAY_LEN(ages); i++)
		ages[i].gauge = gauge_new("onrush_keeper_oldest_seconds",
		    "Age of the oldest of what waits to be settled or delivered.",
		    ages[i].labels);
	checked_at = gauge_new("onrush_check_timestamp_seconds",
	    "When the last round of checks was complete, in seconds since 1970.", NULL);
}

void
checks_forget(void)
{
	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		gauge_set(checks[i].gauge, 0);
	for (size_t i = 0; i < ARRAY_LEN(ages); i++)
		gauge_set(ages[i].gauge, 0);
}

/* --- what waits ---------------------------------------------------------------- */

static const struct pg_stmt find_ages = { "keeper_ages",
	"select extract(epoch from now() - coalesce(oldest, now()))::bigint from (values"
	" ((select min(created_at) from orders.unsettled)),"
	" ((select min(created_at) from orders.outbox"
	" where topic <> '" ORDER_OUTBOX_COUPON_USES "')),"
	" ((select min(created_at) from orders.outbox"
	" where topic = '" ORDER_OUTBOX_COUPON_USES "')),"
	" ((select min(created_at) from coupon.outbox))) ages (oldest)" };

enum err
checks_ages(struct keeper *k)
{
	enum err err;

	pgsync_queue(k->pg, &find_ages, NULL);
	if ((err = keeper_sql(k)) != ERR_OK)
		return err;
	for (size_t i = 0; i < ARRAY_LEN(ages); i++)
		gauge_set(ages[i].gauge, pg_i64(pgsync_result(k->pg, 0), (int)i, 0));
	return ERR_OK;
}

/* --- what must be zero --------------------------------------------------------- */

/* The session's plans avoid reading whole tables; these queries do nothing else. */
static const struct pg_stmt one_snapshot = { "keeper_snapshot",
	"set transaction isolation level repeatable read, read only" };
static const struct pg_stmt allow_scans = {
	"keeper_scans",
	"select set_config(name, 'on', true)"
	" from unnest('{enable_seqscan,enable_hashjoin,enable_mergejoin}'::text[]) name"
};

static void
judge(struct check *check, int64_t difference)
{
	gauge_set(check->gauge, difference);
	if (difference != 0)
		log_error("%" PRId64 " %s: see the page on the keeper's checks",
		    difference, check->sentence);
}

enum err
checks_run(struct keeper *k)
{
	enum {
		FIRST = 3, /* the statements before the checks' */
	};
	enum err err;

	pgsync_queue(k->pg, &PGSYNC_BEGIN, NULL);
	pgsync_queue(k->pg, &one_snapshot, NULL);
	pgsync_queue(k->pg, &allow_scans, NULL);
	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		pgsync_queue(k->pg, &checks[i].query, NULL);
	pgsync_queue(k->pg, &PGSYNC_COMMIT, NULL);
	if ((err = keeper_sql(k)) != ERR_OK)
		return err;
	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		judge(&checks[i], pg_i64(pgsync_result(k->pg, FIRST + (int)i), 0, 0));
	gauge_set(checked_at, clock_wall_us() / CLOCK_US_PER_SEC);
	return ERR_OK;
}
