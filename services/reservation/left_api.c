/*
 * GET /internal/concerts/{concertId}/left: how many of a concert's seats there are, how
 * many are free and how many are held by somebody who has not paid. When neither is left,
 * all is sold: the waiting line asks once a second, so it is read afresh each time.
 */
#include "http/json.h"
#include "reservation/service.h"
#include "store/rq_sql.h"

static rq_step counted;

static const struct pg_stmt count_left = { "count_left",
	"select count(s.seat_id), count(s.seat_id) filter (where s.held_until <= now()),"
	" count(s.seat_id) filter (where s.held_until > now()"
	" and s.held_until < 'infinity')"
	" from reservation.concerts c left join reservation.options o using (concert_id)"
	" left join reservation.seats s using (option_id)"
	" where c.concert_id = $1 group by c.concert_id" };

rq_next
concert_left(struct rq *rq)
{
	struct service *s = rq->service;
	struct pg_params p;
	int64_t id;

	if (!str_to_i64(rq->params[0], 1, INT64_MAX, &id))
		return rq_fail_because(rq, ERR_BAD_PARAMETER,
		    "The concert's id must be a positive integer.");
	pg_params_init(&p, rq->arena);
	pg_add_i64(&p, id);
	return rq_sql(rq, counted, s->pg, &count_left, &p);
}

static rq_next
counted(struct rq *rq)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	str data;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (pg_rows(rq->pg) == 0)
		return rq_fail(rq, ERR_CONCERT_UNKNOWN);
	json_begin_object(&w, NULL);
	json_put_i64(&w, "seats", pg_i64(rq->pg, 0, 0));
	json_put_i64(&w, "free", pg_i64(rq->pg, 0, 1));
	json_put_i64(&w, "held", pg_i64(rq->pg, 0, 2));
	json_end_object(&w);
	data = arena_str(rq->arena, buf_str(&text));
	buf_fini(&text);
	return rq_ok(rq, data);
}
