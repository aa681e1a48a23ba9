/*
 * Seats: payments whose event was lost are settled here, by the same function as in the
 * payment-worker; holds that have expired are marked so. The mark frees nothing: a seat
 * whose hold has passed is free at once, whether or not a keeper runs.
 */
#include "keeper/jobs.h"
#include "reservation/seat_settler.h"

#define LATE_US (2 * CLOCK_US_PER_SEC) /* so long the payment-worker goes first */

enum {
	EXPIRE_MAX = 1000, /* in one transaction */
};

static struct {
	struct counter *settled, *expired; /* owned by metrics */
} metrics;

void
seats_register(void)
{
	metrics.settled = counter_new("onrush_keeper_seats_settled_total",
	    "Payments of seats that were settled here because their event was late.",
	    NULL);
	metrics.expired = counter_new("onrush_keeper_holds_expired_total",
	    "Holds of seats that nobody paid in time.", NULL);
}

static const struct pg_stmt find_late = { "keeper_seats_late",
	"select payment_id from reservation.payments where status = 'PENDING'"
	" and created_at < $1::timestamptz order by created_at limit $2" };

/* One that cannot be settled must not hold up the others. */
static enum err
settle_one_by_one(struct keeper *k, const int64_t *ids, size_t count, enum err *outcomes)
{
	enum err err, worst = ERR_OK;

	for (size_t i = 0; i < count; i++) {
		err = seat_settle(k->pg, k->arena, &ids[i], 1, &outcomes[i]);
		if (err == ERR_OK)
			counter_add(metrics.settled, outcomes[i] != ERR_PAYMENT_EXISTS);
		else
			worst = keeper_fail_sql(k, err);
	}
	return worst;
}

enum err
seats_settle(struct keeper *k)
{
	struct pg_params *p = keeper_params(k);
	enum err outcomes[SEAT_SETTLER_BATCH_MAX];
	int64_t ids[SEAT_SETTLER_BATCH_MAX];
	const struct pg_result *rows;
	size_t count;
	enum err err;

	pg_add_time(p, clock_wall_us() - LATE_US);
	pg_add_i64(p, SEAT_SETTLER_BATCH_MAX);
	pgsync_queue(k->pg, &find_late, p);
	if ((err = keeper_sql(k)) != ERR_OK)
		return err;
	rows = pgsync_result(k->pg, 0);
	count = (size_t)pg_rows(rows);
	for (size_t i = 0; i < count; i++)
		ids[i] = pg_i64(rows, (int)i, 0);
	if (count == 0)
		return ERR_OK;
	err = seat_settle(k->pg, k->arena, ids, count, outcomes);
	if (err == ERR_INTERNAL)
		return settle_one_by_one(k, ids, count, outcomes);
	if (err != ERR_OK)
		return keeper_fail_sql(k, err);
	for (size_t i = 0; i < count; i++)
		counter_add(metrics.settled, outcomes[i] != ERR_PAYMENT_EXISTS);
	k->more = count == SEAT_SETTLER_BATCH_MAX;
	return ERR_OK;
}

/* One that is being paid at this moment is left for the next round. */
static const struct pg_stmt expire_holds = { "keeper_holds_expire",
	"update reservation.reservations set status = 'EXPIRED'"
	" where reservation_id = any(array(select reservation_id"
	" from reservation.reservations where status = 'HELD' and held_until < now()"
	" order by held_until limit $1 for update skip locked))" };

enum err
seats_expire(struct keeper *k)
{
	struct pg_params *p = keeper_params(k);
	int64_t count;
	enum err err;

	pg_add_i64(p, EXPIRE_MAX);
	pgsync_queue(k->pg, &expire_holds, p);
	if ((err = keeper_sql(k)) != ERR_OK)
		return err;
	count = pg_affected(pgsync_result(k->pg, 0));
	counter_add(metrics.expired, (uint64_t)count);
	k->more = count == EXPIRE_MAX;
	return ERR_OK;
}
