/*
 * The operator's calls: POST /admin/concerts, /admin/concerts/{concertId}/dates and
 * /admin/dates/{optionId}/seats. What is there is not changed: people may have seen it.
 */
#include <string.h>

#include "base/clock.h"
#include "http/json.h"
#include "reservation/service.h"
#include "store/rq_sql.h"

#define PRICE_MAX INT64_C(10000000000) /* won; also a constraint of the table */

enum {
	NAME_MAX_BYTES = 120,
	LIMIT_MAX = 1000,
	LIMIT_USUAL = 4,
	GENERAL_LINE = 0,
	SEATS_MAX = 10000, /* of one call */
};

static rq_step concert_created, date_created, seats_created;

static rq_next
answer(struct rq *rq, struct buf *text)
{
	str data = arena_str(rq->arena, buf_str(text));

	buf_fini(text);
	return rq_ok(rq, data);
}

/* Why the row could not be written; ERR_OK when it was. */
static enum err
refusal(struct rq *rq)
{
	if (rq->err == ERR_INTERNAL && strcmp(rq_sqlstate(rq), "23505") == 0)
		return ERR_CONCERT_EXISTS;
	return rq->err;
}

/* --- a concert ------------------------------------------------------------------ */

static const struct pg_stmt insert_concert = { "concert_create",
	"insert into reservation.concerts (concert_id, name, per_user_limit,"
	" line_id) values ($1::bigint, $2::text, $3::int, $4::bigint)"
	" returning concert_id, name, per_user_limit, line_id" };

rq_next
concert_create(struct rq *rq)
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
	pg_add_i64(
	    &p, json_i64_or(&r, r.root, "perUserLimit", 1, LIMIT_MAX, LIMIT_USUAL));
	pg_add_i64(&p, json_i64_or(&r, r.root, "line", 0, INT64_MAX, GENERAL_LINE));
	json_close(&r);
	if (r.err != ERR_OK)
		return rq_fail_because(rq, r.err, "%s", r.why);
	if (name.n == 0)
		return rq_fail_because(
		    rq, ERR_BAD_PARAMETER, "\"name\" must not be empty.");
	return rq_sql(rq, concert_created, s->pg, &insert_concert, &p);
}

static rq_next
concert_created(struct rq *rq)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	enum err err = refusal(rq);

	if (err != ERR_OK)
		return rq_fail(rq, err);
	json_begin_object(&w, NULL);
	json_put_i64(&w, "id", pg_i64(rq->pg, 0, 0));
	json_put_str(&w, "name", pg_str(rq->pg, 0, 1));
	json_put_i64(&w, "perUserLimit", pg_i64(rq->pg, 0, 2));
	json_put_i64(&w, "line", pg_i64(rq->pg, 0, 3));
	json_end_object(&w);
	return answer(rq, &text);
}

/* --- a date of a concert --------------------------------------------------------- */

static const struct pg_stmt insert_date = { "date_create",
	"insert into reservation.options (option_id, concert_id, starts_at)"
	" select $2::bigint, concert_id, $3::timestamptz from reservation.concerts"
	" where concert_id = $1::bigint returning option_id, concert_id, starts_at" };

/* A time as text, checked and handed on as it came. */
static str
get_instant(struct json_reader *r, const char *name)
{
	str text = json_str(r, r->root, name, CLOCK_ISO_SIZE);
	int64_t wall_us;

	if (r->err == ERR_OK && !clock_parse_iso(text, &wall_us)) {
		r->err = ERR_BAD_PARAMETER;
		r->why = arena_printf(r->arena,
		    "\"%s\" must be a time such as 2026-12-24T19:30:00Z.", name);
	}
	return text;
}

rq_next
date_create(struct rq *rq)
{
	struct service *s = rq->service;
	struct json_reader r;
	struct pg_params p;
	int64_t concert_id;

	if (!str_to_i64(rq->params[0], 1, INT64_MAX, &concert_id))
		return rq_fail_because(rq, ERR_BAD_PARAMETER,
		    "The concert's id must be a positive integer.");
	pg_params_init(&p, rq->arena);
	pg_add_i64(&p, concert_id);
	json_open(&r, rq->arena, rq->body);
	pg_add_i64(&p, json_i64(&r, r.root, "id", 1, INT64_MAX));
	pg_add_str(&p, get_instant(&r, "date"));
	json_close(&r);
	if (r.err != ERR_OK)
		return rq_fail_because(rq, r.err, "%s", r.why);
	return rq_sql(rq, date_created, s->pg, &insert_date, &p);
}

static rq_next
date_created(struct rq *rq)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	enum err err = refusal(rq);

	if (err != ERR_OK)
		return rq_fail(rq, err);
	if (pg_rows(rq->pg) == 0)
		return rq_fail(rq, ERR_CONCERT_UNKNOWN);
	json_begin_object(&w, NULL);
	json_put_i64(&w, "id", pg_i64(rq->pg, 0, 0));
	json_put_i64(&w, "concertId", pg_i64(rq->pg, 0, 1));
	json_put_time(&w, "date", pg_time_us(rq->pg, 0, 2));
	json_end_object(&w);
	return answer(rq, &text);
}

/* --- seats of a date --------------------------------------------------------------- */

/* $2 the first id, $3 the first number, $4 how many, $5 the price of each. */
static const struct pg_stmt insert_seats = { "seats_create",
	"with made as (insert into reservation.seats (seat_id, option_id, seat_no, price)"
	" select $2::bigint + n, option_id, $3::int + n, $5::bigint"
	" from reservation.options, generate_series(0, $4::int - 1) n"
	" where option_id = $1::bigint returning seat_id)"
	" select count(*), min(seat_id), max(seat_id) from made" };

rq_next
seats_create(struct rq *rq)
{
	struct service *s = rq->service;
	struct json_reader r;
	struct pg_params p;
	int64_t option_id;

	if (!str_to_i64(rq->params[0], 1, INT64_MAX, &option_id))
		return rq_fail_because(
		    rq, ERR_BAD_PARAMETER, "The date's id must be a positive integer.");
	pg_params_init(&p, rq->arena);
	pg_add_i64(&p, option_id);
	json_open(&r, rq->arena, rq->body);
	pg_add_i64(&p, json_i64(&r, r.root, "firstSeatId", 1, INT64_MAX - SEATS_MAX));
	pg_add_i64(&p, json_i64_or(&r, r.root, "firstSeatNo", 1, INT32_MAX / 2, 1));
	pg_add_i64(&p, json_i64(&r, r.root, "count", 1, SEATS_MAX));
	pg_add_i64(&p, json_i64(&r, r.root, "price", 0, PRICE_MAX));
	json_close(&r);
	if (r.err != ERR_OK)
		return rq_fail_because(rq, r.err, "%s", r.why);
	return rq_sql(rq, seats_created, s->pg, &insert_seats, &p);
}

static rq_next
seats_created(struct rq *rq)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	enum err err = refusal(rq);

	if (err != ERR_OK)
		return rq_fail(rq, err);
	if (pg_i64(rq->pg, 0, 0) == 0)
		return rq_fail(rq, ERR_DATE_UNKNOWN);
	json_begin_object(&w, NULL);
	json_put_i64(&w, "seats", pg_i64(rq->pg, 0, 0));
	json_put_i64(&w, "firstSeatId", pg_i64(rq->pg, 0, 1));
	json_put_i64(&w, "lastSeatId", pg_i64(rq->pg, 0, 2));
	json_end_object(&w);
	return answer(rq, &text);
}
