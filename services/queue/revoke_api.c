/*
 * POST /admin/queue/lines/{line}/revoke: takes a user's pass away. PostgreSQL knows it
 * first, so that it stays taken when Redis is lost; then the place is marked, which every
 * gateway learns with the next numbers. The user may stand in the line again, at its end.
 */
#include "http/json.h"
#include "queue/answers.h"
#include "queue/desk.h"
#include "store/rq_sql.h"

static rq_step found, noted, revoked;

static const struct pg_stmt insert_revoked = { "revoked_insert",
	"insert into queue.revoked (line_id, ticket, user_id) values ($1, $2, $3)"
	" on conflict (line_id, ticket) do nothing" };

rq_next
line_revoke(struct rq *rq)
{
	struct service *s = rq->service;
	struct desk_ask *a = rq->ctx = ARENA_NEW(rq->arena, struct desk_ask);
	struct json_reader r;
	int64_t line_id;

	if (!str_to_i64(rq->params[0], 0, INT64_MAX, &line_id))
		return rq_fail(rq, ERR_LINE_UNKNOWN);
	json_open(&r, rq->arena, rq->body);
	a->user_id = json_i64(&r, r.root, "userId", 1, INT64_MAX);
	json_close(&r);
	if (r.err != ERR_OK)
		return rq_fail_because(rq, r.err, "%s", r.why);
	a->line = lines_find(s->lines, line_id);
	if (a->line == NULL)
		return rq_fail(rq, ERR_LINE_UNKNOWN);
	if (!line_is_fresh(a->line))
		return rq_fail(rq, ERR_UNAVAILABLE);
	a->wish = DESK_GET;
	return desk_send(rq, found, s->desk, a);
}

static rq_next
found(struct rq *rq)
{
	struct service *s = rq->service;
	struct desk_ask *a = rq->ctx;
	struct pg_params p;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (a->result == 0)
		return rq_fail(rq, ERR_TOKEN_UNKNOWN);
	a->ticket = a->result;
	pg_params_init(&p, rq->arena);
	pg_add_i64(&p, a->line->line_id);
	pg_add_i64(&p, a->ticket);
	pg_add_i64(&p, a->user_id);
	return rq_sql(rq, noted, s->pg, &insert_revoked, &p);
}

static rq_next
noted(struct rq *rq)
{
	struct service *s = rq->service;
	struct desk_ask *a = rq->ctx;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	a->wish = DESK_LEAVE;
	a->place = desk_place(a->line, a->ticket);
	return desk_send(rq, revoked, s->desk, a);
}

/* Whoever left meanwhile has no pass any more either. */
static rq_next
revoked(struct rq *rq)
{
	struct desk_ask *a = rq->ctx;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (a->result < 0)
		return rq_fail(rq, ERR_OVERLOAD);
	return answers_left(rq, a->line, a->user_id);
}
