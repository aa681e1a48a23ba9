/* GET /concerts, /concerts/{concertId}/available-dates and
 * /concerts/{optionId}/available-seats: see lists.h. */
#include "reservation/lists.h"

/* What outlives a step. */
struct look {
	enum list_kind kind;
	int64_t id;
	enum err unknown; /* when there is no such thing */
};

static rq_step read_list;

static rq_next
look_at(struct rq *rq, enum list_kind kind, int64_t id, enum err unknown)
{
	struct service *s = rq->service;
	str data = lists_find(s->lists, kind, id);
	struct look *look;

	if (data.p != NULL)
		return rq_ok(rq, data);
	look = ARENA_NEW(rq->arena, struct look);
	*look = (struct look){ kind, id, unknown };
	rq->ctx = look;
	return lists_read(rq, read_list, s->lists, kind, &look->id);
}

static rq_next
read_list(struct rq *rq)
{
	struct service *s = rq->service;
	const struct look *look = rq->ctx;
	str data;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	data = lists_find(s->lists, look->kind, look->id);
	return data.p == NULL ? rq_fail(rq, look->unknown) : rq_ok(rq, data);
}

rq_next
concerts_list(struct rq *rq)
{
	return look_at(rq, LIST_CONCERTS, LISTS_ALL, ERR_UNAVAILABLE);
}

rq_next
dates_list(struct rq *rq)
{
	int64_t id;

	if (!str_to_i64(rq->params[0], 1, INT64_MAX, &id))
		return rq_fail_because(rq, ERR_BAD_PARAMETER,
		    "The concert's id must be a positive integer.");
	return look_at(rq, LIST_DATES, id, ERR_CONCERT_UNKNOWN);
}

rq_next
seats_list(struct rq *rq)
{
	int64_t id;

	if (!str_to_i64(rq->params[0], 1, INT64_MAX, &id))
		return rq_fail_because(
		    rq, ERR_BAD_PARAMETER, "The date's id must be a positive integer.");
	return look_at(rq, LIST_SEATS, id, ERR_DATE_UNKNOWN);
}
