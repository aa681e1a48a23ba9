/*
 * The demo's concerts: 100 of them with two dates each. The first date has seats 1 to
 * 100, which is what load scripts fight for; date d of the others has 50 seats from 100
 * (d - 1)
 * + 1 on.
 *
 * A reset deletes nothing here: who holds seats of the demo loses them, and who has paid
 * gets the money back.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "onrush/seed.h"

enum {
	TRIES = 10 /* of locks that reservations hold at the same time */
};

static const struct pg_stmt add_concerts = { "seed_concerts",
	"with made as ("
	" insert into reservation.concerts (concert_id, name, per_user_limit)"
	" select c, format('%s no. %s', (array['A night of strings', 'Voices of the "
	"city',"
	"  'Songs for the road', 'The long encore', 'Drums at dawn'])[1 + c % 5], c), 4"
	" from generate_series(1, 100) c on conflict do nothing returning concert_id)"
	" insert into onrush.demo (kind, id) select 'concert', concert_id from made"
	" on conflict do nothing" };

/* Of the demo's concerts only, after them; the evenings begin four weeks from now. */
static const struct pg_stmt add_dates = { "seed_dates",
	"insert into reservation.options (option_id, concert_id, starts_at)"
	" select d, (d + 1) / 2, date_trunc('day', now(), 'UTC')"
	"  + make_interval(days => 28 + d, hours => 10)"
	" from generate_series(1, 200) d"
	" join onrush.demo on kind = 'concert' and id = (d + 1) / 2"
	" on conflict do nothing" };

static const struct pg_stmt add_seats = { "seed_seats",
	"insert into reservation.seats (seat_id, option_id, seat_no, price)"
	" select 100 * (d - 1) + n, d, n, 10000"
	" from generate_series(1, 200) d"
	" join onrush.demo on kind = 'concert' and id = (d + 1) / 2"
	" join reservation.options o on o.option_id = d and o.concert_id = id,"
	" generate_series(1, case when d = 1 then 100 else 50 end) n"
	" on conflict do nothing" };

/* No payment is being settled while a reset looks at what has been paid. */
static const struct pg_stmt stop_payments = { "seed_stop_payments",
	"lock table reservation.payments in exclusive mode" };

/* The seats of somebody else who took them after a hold had expired are given up with
 * that one's reservation. */
static const struct pg_stmt give_back = { "seed_give_back",
	"with gone as (update reservation.reservations r set status = 'CANCELLED'"
	" from onrush.demo where kind = 'concert' and id = r.concert_id"
	" and r.status in ('HELD', 'OWNED') returning r.reservation_id, r.seat_ids"
	"), freed as (update reservation.seats s set held_until = '-infinity' from gone"
	" where s.seat_id = any(gone.seat_ids) and s.reservation_id = gone.reservation_id"
	"), paid as (update reservation.payments p set status = 'REFUNDED',"
	" reason = 'RESERVATION_STATE_CONFLICT' from gone"
	" where p.reservation_id = gone.reservation_id and p.status = 'COMPLETED'"
	" returning p.payment_id, p.user_id, p.amount"
	"), sums as (select user_id, sum(amount) as total from paid group by user_id"
	"), filled as (update orders.balances b set amount = b.amount + total from sums"
	" where b.user_id = sums.user_id returning b.user_id, b.amount, total"
	"), back as (insert into orders.transfers"
	" (transfer_id, debit, credit, amount, kind, balance)"
	" select gen_random_uuid(), -1, user_id, total, 'REFUND', amount from filled"
	" where total > 0)"
	" select count(*) from gone" };

/* In one transaction; the rows are those of concerts, dates and seats, and of what was
 * given back. */
static enum err
try_to_fill(const struct seeding *s)
{
	pgsync_queue(s->pg, &PGSYNC_BEGIN, NULL);
	pgsync_queue(s->pg, &add_concerts, NULL);
	pgsync_queue(s->pg, &add_dates, NULL);
	pgsync_queue(s->pg, &add_seats, NULL);
	if (s->reset) {
		pgsync_queue(s->pg, &stop_payments, NULL);
		pgsync_queue(s->pg, &give_back, NULL);
	}
	pgsync_queue(s->pg, &PGSYNC_COMMIT, NULL);
	return pgsync_run(s->pg);
}

int
seed_concerts(const struct seeding *s)
{
	int64_t seats;
	enum err err;
	int tries = 0;

	if (s->id_count > 0) /* those are campaigns */
		return CTL_OK;
	do
		err = try_to_fill(s);
	while (err == ERR_CONFLICT_RETRY && ++tries < TRIES);
	if (err != ERR_OK)
		return seed_fail(s, err);
	seats = pg_affected(pgsync_result(s->pg, 3));
	if (seats > 0)
		printf("concerts 1 to 100: %" PRId64 " seats put in\n", seats);
	else
		printf("concerts 1 to 100: are there\n");
	if (s->reset)
		printf("concerts 1 to 100: %" PRId64 " reservations cancelled\n",
		    pg_i64(pgsync_result(s->pg, 5), 0, 0));
	return CTL_OK;
}
