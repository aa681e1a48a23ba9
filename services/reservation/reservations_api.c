/* GET /reservations/{reservationId}, and POST …/cancel {userId}: its owner gives the
 * seats back at once. Other people's reservations are not there. */
#include "http/caller.h"
#include "http/json.h"
#include "reservation/service.h"
#include "store/rq_sql.h"

/* What show() reads, in its order. */
#define COLUMNS                                                                          \
	"r.reservation_id, r.user_id, r.concert_id,"                                     \
	" case when r.status = 'HELD' and r.held_until <= now() then 'EXPIRED'"          \
	" else r.status end, r.held_until, r.amount, "                                   \
	"reservation.ids_json(r.seat_ids)::text,"                                        \
	" r.created_at"

static rq_step found, cancelled;

static rq_next
show(struct rq *rq)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	str data;

	json_begin_object(&w, NULL);
	json_put_i64(&w, "reservationId", pg_i64(rq->pg, 0, 0));
	json_put_i64(&w, "userId", pg_i64(rq->pg, 0, 1));
	json_put_i64(&w, "concertId", pg_i64(rq->pg, 0, 2));
	json_put_str(&w, "status", pg_str(rq->pg, 0, 3));
	json_put_time(&w, "heldUntil", pg_time_us(rq->pg, 0, 4));
	json_put_i64(&w, "amount", pg_i64(rq->pg, 0, 5));
	json_put_raw(&w, "seatIds", pg_str(rq->pg, 0, 6));
	json_put_time(&w, "createdAt", pg_time_us(rq->pg, 0, 7));
	json_end_object(&w);
	data = arena_str(rq->arena, buf_str(&text));
	buf_fini(&text);
	return rq_ok(rq, data);
}

static rq_next
refuse_id(struct rq *rq)
{
	return rq_fail_because(
	    rq, ERR_BAD_PARAMETER, "The reservation's id must be a positive integer.");
}

/* --- GET ----------------------------------------------------------------------- */

static const struct pg_stmt find_reservation = { "reservation_find",
	"select " COLUMNS
	" from reservation.reservations r where r.reservation_id = $1::bigint" };

rq_next
reservation_show(struct rq *rq)
{
	struct service *s = rq->service;
	struct pg_params p;
	int64_t id;

	if (!str_to_i64(rq->params[0], 1, INT64_MAX, &id))
		return refuse_id(rq);
	pg_params_init(&p, rq->arena);
	pg_add_i64(&p, id);
	return rq_sql(rq, found, s->pg, &find_reservation, &p);
}

static rq_next
found(struct rq *rq)
{
	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (pg_rows(rq->pg) == 0 || caller_check(rq, pg_i64(rq->pg, 0, 1)) != ERR_OK)
		return rq_fail(rq, ERR_RESERVATION_UNKNOWN);
	return show(rq);
}

/* --- POST …/cancel -------------------------------------------------------------- */

/*
 * The row as it is afterwards: CANCELLED also when an earlier call did it. A seat that
 * somebody took meanwhile, after the hold had expired, stays theirs.
 */
static const struct pg_stmt cancel_reservation = { "reservation_cancel",
	"with was as materialized (select * from reservation.reservations"
	" where reservation_id = $1::bigint and user_id = $2::bigint for update),"
	" freed as (update reservation.seats s set held_until = '-infinity' from was"
	" where was.status in ('HELD', 'EXPIRED') and s.seat_id = any(was.seat_ids)"
	" and s.reservation_id = was.reservation_id returning s.seat_id),"
	" r as (update reservation.reservations r set status = 'CANCELLED' from was"
	" where r.reservation_id = was.reservation_id"
	" and was.status in ('HELD', 'EXPIRED') returning r.*)"
	" select " COLUMNS " from r union all select " COLUMNS
	" from was r where r.status not in ('HELD', 'EXPIRED')" };

static enum err
read_owner(struct rq *rq, int64_t *user_id, const char **why)
{
	struct json_reader r;

	json_open(&r, rq->arena, rq->body);
	*user_id = json_i64(&r, r.root, "userId", 1, INT64_MAX);
	json_close(&r);
	*why = r.why;
	return r.err;
}

rq_next
reservation_cancel(struct rq *rq)
{
	struct service *s = rq->service;
	struct pg_params p;
	int64_t id, user_id;
	const char *why;
	enum err err;

	if (!str_to_i64(rq->params[0], 1, INT64_MAX, &id))
		return refuse_id(rq);
	if ((err = read_owner(rq, &user_id, &why)) != ERR_OK)
		return rq_fail_because(rq, err, "%s", why);
	if ((err = caller_check(rq, user_id)) != ERR_OK)
		return rq_fail(rq, err);
	pg_params_init(&p, rq->arena);
	pg_add_i64(&p, id);
	pg_add_i64(&p, user_id);
	return rq_sql(rq, cancelled, s->pg, &cancel_reservation, &p);
}

static rq_next
cancelled(struct rq *rq)
{
	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (pg_rows(rq->pg) == 0)
		return rq_fail(rq, ERR_RESERVATION_UNKNOWN);
	if (!str_eq(pg_str(rq->pg, 0, 3), STR("CANCELLED")))
		return rq_fail(rq, ERR_RESERVATION_STATE);
	return show(rq);
}
