/*
 * Orders that nobody has settled. Their event may be lost: it is sent again, later and
 * later. While Kafka is away they are settled here, by the same road as in the
 * payment-worker. What waits too long is given up.
 */
#include <inttypes.h>
#include <stdio.h>

#include "app/log.h"
#include "keeper/deliveries.h"
#include "keeper/jobs.h"
#include "order/order_events.h"
#include "order/settler.h"

enum {
	RELAY_MAX = 5000, /* orders of one run */
	EXPIRE_MAX = SETTLER_BATCH_MAX,
	TOPIC_MAX = 256,
	KEY_SIZE = 24,
};

static struct {
	struct counter *relayed, *settled, *expired; /* owned by metrics */
} metrics;

/* Orders that are due: row by row as the query finds them. */
struct due {
	const struct pg_result *rows; /* borrowed until the next statement */
	int64_t *ids;                 /* in the arena */
	size_t count;
};

static enum err send_all(struct keeper *k, const struct due *due);
static enum err settle_all(struct keeper *k, const int64_t *ids, size_t count,
    enum err give_up, struct counter *counter);
static enum err postpone(struct keeper *k, const int64_t *ids, size_t count);

void
payments_register(void)
{
	metrics.relayed = counter_new("onrush_keeper_relayed_total",
	    "Records that were delivered for others.",
	    "topic=\"" PAYMENT_TOPIC_REQUESTED "\"");
	metrics.settled = counter_new("onrush_keeper_settled_total",
	    "Orders that were settled here because Kafka was away.", NULL);
	metrics.expired = counter_new("onrush_keeper_expired_total",
	    "Orders that were given up because nobody settled them in time.", NULL);
}

/* --- what is due --------------------------------------------------------------- */

/* (Here and below, "offset 0" keeps the planner from beginning with the large table.) */
static const struct pg_stmt find_due = { "keeper_payments_due",
	"select u.order_id, o.user_id, o.request_id, o.created_at"
	" from (select order_id from orders.unsettled where due_at <= now()"
	" order by order_id limit $1) u cross join lateral (select * from orders.orders"
	" where order_id = u.order_id offset 0) o" };

static void
take_ids(struct keeper *k, struct due *due, const struct pg_result *rows)
{
	due->rows = rows;
	due->count = (size_t)pg_rows(rows);
	due->ids = arena_alloc(k->arena, due->count * sizeof(*due->ids));
	for (size_t i = 0; i < due->count; i++)
		due->ids[i] = pg_i64(rows, (int)i, 0);
}

enum err
payments_relay(struct keeper *k)
{
	struct pg_params *p = keeper_params(k);
	struct due due;
	enum err err;

	pg_add_i64(p, RELAY_MAX);
	pgsync_queue(k->pg, &find_due, p);
	if ((err = keeper_sql(k)) != ERR_OK)
		return err;
	take_ids(k, &due, pgsync_result(k->pg, 0));
	if (due.count == 0)
		return ERR_OK;
	k->more = due.count == RELAY_MAX;
	if (send_all(k, &due) == ERR_OK)
		return postpone(k, due.ids, due.count);
	return settle_all(k, due.ids, due.count, ERR_OK, metrics.settled);
}

static void
send_one(struct keeper *k, size_t batch, const char *topic, const struct pg_result *rows,
    int row)
{
	struct payment_requested e = {
		.kind = PAYMENT_ORDER,
		.id = pg_i64(rows, row, 0),
		.user_id = pg_i64(rows, row, 1),
		.requested_us = pg_time_us(rows, row, 3),
	};
	struct buf text = { 0 };
	char key[KEY_SIZE];

	ASSERT(uuid_parse(pg_str(rows, row, 2), &e.event_id));
	snprintf(key, sizeof(key), "%" PRId64, e.user_id);
	payment_requested_encode(&text, &e, STR_NULL);
	deliveries_send(k->deliveries, batch,
	    &(struct record){
		.topic = topic,
		.partition = -1,
		.key = str_of(key),
		.value = buf_str(&text),
	    });
	buf_fini(&text);
}

/* ERR_OK when Kafka has them all. */
static enum err
send_all(struct keeper *k, const struct due *due)
{
	char topic[TOPIC_MAX];
	size_t batch;

	if (deliveries_begin(k->deliveries) != ERR_OK)
		return ERR_UNAVAILABLE;
	snprintf(topic, sizeof(topic), "%s%s", k->settings->topic_prefix,
	    PAYMENT_TOPIC_REQUESTED);
	batch = deliveries_add(k->deliveries);
	for (size_t i = 0; i < due->count; i++)
		send_one(k, batch, topic, due->rows, (int)i);
	deliveries_end(k->deliveries);
	if (!deliveries_arrived(k->deliveries, batch))
		return ERR_UNAVAILABLE;
	counter_add(metrics.relayed, due->count);
	return ERR_OK;
}

/* As old as the order is now, so long is the wait until the next attempt. */
static const struct pg_stmt set_due = { "keeper_payments_postpone",
	"update orders.unsettled set due_at = now() + (now() - created_at)"
	" where order_id = any($1::bigint[])" };

static enum err
postpone(struct keeper *k, const int64_t *ids, size_t count)
{
	struct pg_params *p = keeper_params(k);

	pg_add_i64_array(p, ids, count);
	pgsync_queue(k->pg, &set_due, p);
	return keeper_sql(k);
}

/* --- without Kafka ------------------------------------------------------------- */

static enum err
settle(struct keeper *k, const int64_t *ids, size_t count, enum err give_up,
    struct counter *counter)
{
	const enum err *outcomes;
	enum err err = give_up == ERR_OK
			   ? settler_settle(k->settler, ids, count, &outcomes)
			   : settler_give_up(k->settler, ids, count, give_up, &outcomes);

	if (err != ERR_OK)
		return keeper_fail(k, err, "%s", settler_message(k->settler));
	settler_rank(k->settler);
	for (size_t i = 0; i < count; i++)
		if (outcomes[i] != ERR_ORDER_STATE && outcomes[i] != ERR_ORDER_UNKNOWN)
			counter_add(counter, 1);
	return ERR_OK;
}

/* The database refused them together: one by one, so that one that cannot be settled
 * holds up only itself. */
static enum err
settle_one_by_one(struct keeper *k, const int64_t *ids, size_t count, enum err give_up,
    struct counter *counter)
{
	for (size_t i = 0; i < count; i++) {
		enum err err = settle(k, &ids[i], 1, give_up, counter);

		if (err == ERR_INTERNAL) {
			log_error(
			    "order %" PRId64 " cannot be settled: %s", ids[i], k->why);
			err = postpone(k, &ids[i], 1);
		}
		if (err != ERR_OK)
			return err;
	}
	return ERR_OK;
}

static enum err
settle_all(struct keeper *k, const int64_t *ids, size_t count, enum err give_up,
    struct counter *counter)
{
	enum err err = ERR_OK;

	for (size_t done = 0, n; done < count && err == ERR_OK; done += n) {
		n = count - done;
		if (n > SETTLER_BATCH_MAX)
			n = SETTLER_BATCH_MAX;
		err = settle(k, ids + done, n, give_up, counter);
		if (err == ERR_INTERNAL)
			err = settle_one_by_one(k, ids + done, n, give_up, counter);
	}
	return err;
}

/* --- too late ------------------------------------------------------------------ */

static const struct pg_stmt find_expired = { "keeper_payments_expired",
	"select order_id from orders.unsettled where created_at < $1::timestamptz"
	" order by order_id limit $2" };

enum err
payments_expire(struct keeper *k)
{
	struct pg_params *p = keeper_params(k);
	struct due due;
	enum err err;

	pg_add_time(p, clock_wall_us() - k->settings->expiry_us);
	pg_add_i64(p, EXPIRE_MAX);
	pgsync_queue(k->pg, &find_expired, p);
	if ((err = keeper_sql(k)) != ERR_OK)
		return err;
	take_ids(k, &due, pgsync_result(k->pg, 0));
	if (due.count == 0)
		return ERR_OK;
	k->more = due.count == EXPIRE_MAX;
	log_warn("orders were not settled in time and are given up: %zu, the first is "
		 "%" PRId64,
	    due.count, due.ids[0]);
	return settle_all(k, due.ids, due.count, ERR_ORDER_EXPIRED, metrics.expired);
}
