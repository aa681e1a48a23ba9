/*
 * The operator's calls: make a line, change it while it lives, list the lines. A change
 * moves nobody: places are numbers, and settings only decide how fast they are served. It
 * is answered when this instance's next tick may have carried it to Redis, where the
 * newest version counts for all.
 */
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "queue/answers.h"
#include "store/rq_sql.h"

#define SETTLE_US (300 * CLOCK_US_PER_MS)

enum {
	NONE = -1, /* as a number: no rate, no such time, no concert */
};

static rq_step changed, settled;

static const struct pg_stmt insert_line = { "line_insert",
	"insert into queue.lines (line_id, name, mode, rate, max_active, active_ms,"
	" no_show_ms, idle_ms, concert_id, sold_out, opens_at, closes_at, seed, shuffled)"
	" select $1, $2, coalesce($3, 'fifo'), nullif($4::bigint, -1),"
	" coalesce($5, 1000::bigint), coalesce($6, 600000::bigint),"
	" nullif($7::bigint, -1), nullif($8::bigint, -1), nullif($9::bigint, -1),"
	" coalesce($10, 0::bigint) = 1, $11,"
	" coalesce($12::timestamptz, now() + interval '30 days'), $13,"
	" case when $11::timestamptz is null then 0 end"
	" where (select count(*) from queue.lines) < 64"
	" returning " LINE_COLUMNS };

static const struct pg_stmt update_line = { "line_update",
	"update queue.lines set version = version + 1, name = coalesce($2, name),"
	" mode = coalesce($3, mode),"
	" rate = case $4::bigint when -1 then null else coalesce($4, rate) end,"
	" max_active = coalesce($5::bigint, max_active),"
	" active_ms = coalesce($6::bigint, active_ms), no_show_ms = case $7::bigint"
	" when -1 then null else coalesce($7, no_show_ms) end,"
	" idle_ms = case $8::bigint when -1 then null else coalesce($8, idle_ms) end,"
	" concert_id = case $9::bigint when -1 then null"
	" else coalesce($9, concert_id) end,"
	" sold_out = coalesce($10::bigint = 1, sold_out),"
	" opens_at = coalesce($11::timestamptz, opens_at),"
	" closes_at = coalesce($12::timestamptz, closes_at)"
	" where line_id = $1 returning " LINE_COLUMNS };

static void
add_text(struct pg_params *p, str text)
{
	if (text.p == NULL)
		pg_add_null(p);
	else
		pg_add_str(p, text);
}

/* An absent number changes nothing. */
static void
add_number(struct json_reader *r, struct pg_params *p, const char *name, int64_t min,
    int64_t max)
{
	if (json_has(r->root, name))
		pg_add_i64(p, json_i64(r, r->root, name, min, max));
	else
		pg_add_null(p);
}

static void
add_flag(struct json_reader *r, struct pg_params *p, const char *name)
{
	if (json_has(r->root, name))
		pg_add_i64(p, json_bool_or(r, r->root, name, false));
	else
		pg_add_null(p);
}

static void
add_time(struct json_reader *r, struct pg_params *p, const char *name)
{
	str text = json_str_or(r, r->root, name, CLOCK_ISO_SIZE, STR_NULL);
	int64_t wall_us;

	if (r->err == ERR_OK && text.p != NULL && !clock_parse_iso(text, &wall_us)) {
		r->err = ERR_BAD_PARAMETER;
		r->why = arena_printf(r->arena,
		    "\"%s\" must be a time such as 2026-12-24T12:00:00Z.", name);
	}
	add_text(p, text);
}

static void
add_mode(struct json_reader *r, struct pg_params *p)
{
	str text = json_str_or(r, r->root, "mode", LINE_NAME_MAX, STR_NULL);
	enum line_mode mode;

	if (r->err == ERR_OK && text.p != NULL && !line_mode_parse(text, &mode)) {
		r->err = ERR_BAD_PARAMETER;
		r->why = "\"mode\" must be fifo, random, passthrough or closed.";
	}
	add_text(p, text);
}

/* The settings, in the order of both statements. */
static void
read_settings(struct json_reader *r, struct pg_params *p)
{
	add_mode(r, p);
	add_number(r, p, "rate", NONE, 1000000);
	add_number(r, p, "maxActive", 0, 1000000);
	add_number(r, p, "activeMs", 1000, 86400000);
	add_number(r, p, "noShowMs", NONE, 86400000);
	add_number(r, p, "idleMs", NONE, 86400000);
	add_number(r, p, "concertId", NONE, INT64_MAX);
	add_flag(r, p, "soldOut");
	add_time(r, p, "opensAt");
	add_time(r, p, "closesAt");
}

/* --- POST /admin/queue/lines ---------------------------------------------------------
 */

rq_next
line_create(struct rq *rq)
{
	struct service *s = rq->service;
	uint8_t seed[LINE_SEED_SIZE];
	struct json_reader r;
	struct pg_params p;

	pg_params_init(&p, rq->arena);
	json_open(&r, rq->arena, rq->body);
	pg_add_i64(&p, json_i64(&r, r.root, "line", 0, INT64_MAX));
	pg_add_str(&p, json_str(&r, r.root, "name", LINE_NAME_MAX));
	read_settings(&r, &p);
	json_close(&r);
	if (r.err != ERR_OK)
		return rq_fail_because(rq, r.err, "%s", r.why);
	ASSERT(getrandom(seed, sizeof(seed), 0) == sizeof(seed));
	pg_add_bytes(&p, seed, sizeof(seed));
	return rq_sql(rq, changed, s->pg, &insert_line, &p);
}

/* --- PUT /admin/queue/lines/{line} -----------------------------------------------------
 */

rq_next
line_change(struct rq *rq)
{
	struct service *s = rq->service;
	struct json_reader r;
	struct pg_params p;
	int64_t line_id;

	if (!str_to_i64(rq->params[0], 0, INT64_MAX, &line_id))
		return rq_fail(rq, ERR_LINE_UNKNOWN);
	pg_params_init(&p, rq->arena);
	pg_add_i64(&p, line_id);
	json_open(&r, rq->arena, rq->body);
	add_text(&p, json_str_or(&r, r.root, "name", LINE_NAME_MAX, STR_NULL));
	read_settings(&r, &p);
	json_close(&r);
	if (r.err != ERR_OK)
		return rq_fail_because(rq, r.err, "%s", r.why);
	return rq_sql(rq, changed, s->pg, &update_line, &p);
}

/* --- after both ------------------------------------------------------------------------
 */

static void
stop_waiting(struct rq *rq UNUSED)
{
}

static rq_next
changed(struct rq *rq)
{
	struct service *s = rq->service;
	const char *state = rq_sqlstate(rq);

	if (rq->err == ERR_INTERNAL && strcmp(state, "23505") == 0)
		return rq_fail(rq, ERR_LINE_EXISTS);
	if (rq->err == ERR_INTERNAL && strcmp(state, "23514") == 0)
		return rq_fail_because(rq, ERR_BAD_PARAMETER,
		    "\"noShowMs\" and \"idleMs\" must be -1 or from 1000 to 86400000, "
		    "\"concertId\" -1 or a concert's id.");
	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (pg_rows(rq->pg) == 0)
		return rq_fail(rq,
		    rq->route->method == HTTP_POST ? ERR_LINE_LIMIT : ERR_LINE_UNKNOWN);
	rq->ctx = lines_take_row(s->lines, rq->pg, 0);
	if (rq->ctx == NULL)
		return rq_fail(rq, ERR_LINE_LIMIT);
	lines_sync(s->lines);
	return rq_wait(rq, settled, SETTLE_US, stop_waiting);
}

static rq_next
settled(struct rq *rq)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };

	json_begin_object(&w, NULL);
	line_put(&w, rq->ctx);
	json_end_object(&w);
	return rq_ok(rq, answers_finish(rq, &text));
}

/* --- GET /admin/queue/lines ------------------------------------------------------------
 */

rq_next
line_list_all(struct rq *rq)
{
	struct service *s = rq->service;
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	const struct line *line;

	json_begin_object(&w, NULL);
	json_begin_array(&w, "lines");
	LIST_FOREACH (line, lines_all(s->lines), link) {
		json_begin_object(&w, NULL);
		line_put(&w, line);
		json_end_object(&w);
	}
	json_end_array(&w);
	json_end_object(&w);
	return rq_ok(rq, answers_finish(rq, &text));
}
