/*
 * The outboxes: what transactions have to tell others through Kafka. A row is delivered,
 * then deleted; a crash between the two delivers it again, with the same eventIds.
 *
 * Rows are found because they are there, never because they come after the last one: a
 * transaction that began earlier may commit later.
 */
#include <inttypes.h>
#include <stdio.h>

#include "coupon/coupon_events.h"
#include "coupon/coupon_store.h"
#include "keeper/deliveries.h"
#include "keeper/jobs.h"
#include "order/order_events.h"
#include "reservation/seat_settler.h"

enum {
	ROWS_MAX = 8, /* of one topic in one run; each has at most a batch's records */
	PUBLISHED_MAX = 2048, /* coupons in one run, and what is left of the last row */
	TOPIC_MAX = 256,
	KEY_SIZE = 24,
};

static const char *const topics[] = { ORDER_TOPIC_COMPLETED, ORDER_TOPIC_FAILED,
	ORDER_TOPIC_CANCELLED, SEAT_TOPIC_CONFIRMED };

_Static_assert(
    ARRAY_LEN(topics) * ROWS_MAX <= DELIVERIES_MAX, "a run's rows are one round");

static struct {
	struct counter *facts[ARRAY_LEN(topics)], *published; /* owned by metrics */
} metrics;

/* A row of an outbox: records first .. first+count-1 of the query. */
struct row {
	size_t batch; /* of the deliveries */
	int first, count;
};

static struct counter *
relayed(const char *topic)
{
	char labels[64];

	snprintf(labels, sizeof(labels), "topic=\"%s\"", topic);
	return counter_new("onrush_keeper_relayed_total",
	    "Records that were delivered for others.", labels);
}

void
facts_register(void)
{
	for (size_t i = 0; i < ARRAY_LEN(topics); i++)
		metrics.facts[i] = relayed(topics[i]);
	metrics.published = relayed(COUPON_TOPIC_PUBLISHED);
}

static const char *
full_name(struct keeper *k, const char *topic)
{
	return arena_printf(k->arena, "%s%s", k->settings->topic_prefix, topic);
}

static enum err
begin_round(struct keeper *k)
{
	if (deliveries_begin(k->deliveries) == ERR_OK)
		return ERR_OK;
	return keeper_fail(k, ERR_UNAVAILABLE, "Kafka does not answer; facts wait");
}

/* --- facts of orders ----------------------------------------------------------- */

static const struct pg_stmt find_facts = { "keeper_facts",
	"select t.nth, b.batch_id, r.record->>'key', (r.record->'value')::text"
	" from unnest($1::text[]) with ordinality t (topic, nth)"
	" cross join lateral (select batch_id, records from orders.outbox"
	" where topic = t.topic order by batch_id limit $2) b"
	" cross join jsonb_array_elements(b.records) with ordinality r (record, n)"
	" order by t.nth, b.batch_id, r.n" };

static const struct pg_stmt delete_facts = { "keeper_facts_done",
	"delete from orders.outbox where topic = $1 and batch_id = any($2::uuid[])" };

static void
send_fact(struct keeper *k, size_t batch, const struct pg_result *rows, int i)
{
	deliveries_send(k->deliveries, batch,
	    &(struct record){
		.topic = full_name(k, topics[pg_i64(rows, i, 0) - 1]),
		.partition = -1,
		.key = pg_str(rows, i, 2),
		.value = pg_str(rows, i, 3),
	    });
}

static bool
is_same_row(const struct pg_result *rows, int a, int b)
{
	return pg_i64(rows, a, 0) == pg_i64(rows, b, 0) &&
	       str_eq(pg_str(rows, a, 1), pg_str(rows, b, 1));
}

/* Sends them all and gives the rows, which are runs of records. */
static size_t
send_facts(struct keeper *k, const struct pg_result *rows, struct row *out)
{
	size_t n = 0;

	for (int i = 0; i < pg_rows(rows); i++) {
		if (i == 0 || !is_same_row(rows, i, i - 1))
			out[n++] = (struct row){ deliveries_add(k->deliveries), i, 0 };
		out[n - 1].count++;
		send_fact(k, out[n - 1].batch, rows, i);
	}
	deliveries_end(k->deliveries);
	return n;
}

/* Rows of one topic that arrived whole. */
struct arrived {
	str ids[ROWS_MAX]; /* in the arena */
	size_t count;
};

static void
queue_delete(struct keeper *k, const char *topic, const struct arrived *arrived)
{
	struct pg_params *p = keeper_params(k);

	pg_add_str(p, str_of(topic));
	pg_add_str_array(p, arrived->ids, arrived->count);
	pgsync_queue(k->pg, &delete_facts, p);
}

/* Deletes what arrived. */
static enum err
finish_facts(
    struct keeper *k, const struct pg_result *rows, const struct row *out, size_t count)
{
	struct arrived arrived[ARRAY_LEN(topics)] = { 0 };
	size_t n = 0;
	enum err err;

	for (size_t i = 0; i < count; i++) {
		size_t topic = (size_t)pg_i64(rows, out[i].first, 0) - 1;
		struct arrived *a = &arrived[topic];

		if (!deliveries_arrived(k->deliveries, out[i].batch))
			continue;
		a->ids[a->count++] = arena_str(k->arena, pg_str(rows, out[i].first, 1));
		counter_add(metrics.facts[topic], (uint64_t)out[i].count);
		n++;
	}
	for (size_t i = 0; i < ARRAY_LEN(topics); i++) {
		if (arrived[i].count > 0)
			queue_delete(k, topics[i], &arrived[i]);
		if (arrived[i].count == ROWS_MAX)
			k->more = true;
	}
	if (n > 0 && (err = keeper_sql(k)) != ERR_OK)
		return err;
	if (n < count)
		return keeper_fail(k, ERR_UNAVAILABLE, "Kafka did not take all facts");
	return ERR_OK;
}

enum err
facts_relay(struct keeper *k)
{
	struct pg_params *p = keeper_params(k);
	str names[ARRAY_LEN(topics)];
	struct row out[DELIVERIES_MAX];
	const struct pg_result *rows;
	enum err err;

	if ((err = begin_round(k)) != ERR_OK)
		return err;
	for (size_t i = 0; i < ARRAY_LEN(topics); i++)
		names[i] = str_of(topics[i]);
	pg_add_str_array(p, names, ARRAY_LEN(topics));
	pg_add_i64(p, ROWS_MAX);
	pgsync_queue(k->pg, &find_facts, p);
	if ((err = keeper_sql(k)) != ERR_OK)
		return err;
	rows = pgsync_result(k->pg, 0);
	if (pg_rows(rows) == 0)
		return ERR_OK;
	return finish_facts(k, rows, out, send_facts(k, rows, out));
}

/* --- coupons ------------------------------------------------------------------- */

/* The oldest rows, of one coupon each or of a batch. "offset 0"
 * keeps the planner from beginning with the large table. */
static const struct pg_stmt find_published = { "keeper_published",
	"select b.batch_id, " COUPON_STORED_ISSUED
	" from (select * from (select *, sum(last_rank - first_rank + 1)"
	" over (order by batch_id rows between unbounded preceding and 1 preceding)"
	" before"
	" from coupon.outbox order by batch_id limit $1) o"
	" where coalesce(before, 0) < $2::bigint) b"
	" cross join lateral (select * from coupon.issued x"
	" where x.coupon_id = b.coupon_id and x.rank between b.first_rank and b.last_rank"
	" offset 0) i" COUPON_STORED_PREVIOUS " order by b.batch_id, i.rank" };

static const struct pg_stmt delete_published = { "keeper_published_done",
	"delete from coupon.outbox where batch_id = any($1::bigint[])" };

static void
send_coupon(struct keeper *k, size_t batch, const struct pg_result *rows, int i)
{
	struct coupon_stored stored;
	struct buf text = { 0 };
	char key[KEY_SIZE];

	coupon_stored_from_row(&stored, rows, i, 1);
	snprintf(key, sizeof(key), "%" PRId64, stored.coupon_id);
	coupon_published_encode(&text, &stored.decision.receipt);
	deliveries_send(k->deliveries, batch,
	    &(struct record){
		.topic = full_name(k, COUPON_TOPIC_PUBLISHED),
		.partition = -1,
		.key = str_of(key),
		.value = buf_str(&text),
	    });
	buf_fini(&text);
}

static size_t
send_coupons(struct keeper *k, const struct pg_result *rows, struct row *out)
{
	size_t n = 0;

	for (int i = 0; i < pg_rows(rows); i++) {
		if (i == 0 || pg_i64(rows, i, 0) != pg_i64(rows, i - 1, 0))
			out[n++] = (struct row){ deliveries_add(k->deliveries), i, 0 };
		out[n - 1].count++;
		send_coupon(k, out[n - 1].batch, rows, i);
	}
	deliveries_end(k->deliveries);
	return n;
}

static enum err
finish_coupons(
    struct keeper *k, const struct pg_result *rows, const struct row *out, size_t count)
{
	struct pg_params *p = keeper_params(k);
	int64_t ids[DELIVERIES_MAX];
	size_t n = 0;
	enum err err;

	for (size_t i = 0; i < count; i++) {
		if (!deliveries_arrived(k->deliveries, out[i].batch))
			continue;
		ids[n++] = pg_i64(rows, out[i].first, 0);
		counter_add(metrics.published, (uint64_t)out[i].count);
	}
	k->more = n == DELIVERIES_MAX || pg_rows(rows) >= PUBLISHED_MAX;
	pg_add_i64_array(p, ids, n);
	pgsync_queue(k->pg, &delete_published, p);
	if ((err = keeper_sql(k)) != ERR_OK)
		return err;
	if (n < count)
		return keeper_fail(k, ERR_UNAVAILABLE, "Kafka did not take all coupons");
	return ERR_OK;
}

enum err
facts_relay_published(struct keeper *k)
{
	struct pg_params *p = keeper_params(k);
	struct row out[DELIVERIES_MAX];
	const struct pg_result *rows;
	enum err err;

	if ((err = begin_round(k)) != ERR_OK)
		return err;
	pg_add_i64(p, DELIVERIES_MAX);
	pg_add_i64(p, PUBLISHED_MAX);
	pgsync_queue(k->pg, &find_published, p);
	if ((err = keeper_sql(k)) != ERR_OK)
		return err;
	rows = pgsync_result(k->pg, 0);
	if (pg_rows(rows) == 0)
		return ERR_OK;
	return finish_coupons(k, rows, out, send_coupons(k, rows, out));
}
