#include "gateway/forward/visit.h"

#include "gateway/gateway.h"

void
visit_plan(struct route_row *row)
{
	size_t count = 0;

	if (row->early_count > 0)
		row->steps[count++] = limits_check;
	if (row->identity != IDENTITY_NONE)
		row->steps[count++] = identity_check;
	if (row->pass)
		row->steps[count++] = passes_check;
	if (row->class_count > row->early_count)
		row->steps[count++] = limits_check_user;
	row->steps[count++] = gateway_forward;
	ASSERT(count <= ARRAY_LEN(row->steps));
	row->route.first = visit_begin;
}

rq_next
visit_begin(struct rq *rq)
{
	struct visit *v = rq->ctx = ARENA_NEW(rq->arena, struct visit);

	v->row = routes_row(rq->route);
	v->next = v->row->steps;
	forwarded_admit(rq, v);
	cors_mark(rq);
	return visit_go_on(rq);
}

rq_next
visit_go_on(struct rq *rq)
{
	struct visit *v = rq->ctx;

	return rq_goto(rq, *v->next++);
}
