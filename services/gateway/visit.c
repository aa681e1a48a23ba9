#include "gateway/visit.h"

#include "gateway/gateway.h"

void
visit_plan(struct route_row *row)
{
	size_t count = 0;

	if (row->pass)
		row->steps[count++] = passes_check;
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
	return visit_go_on(rq);
}

rq_next
visit_go_on(struct rq *rq)
{
	struct visit *v = rq->ctx;

	return rq_goto(rq, *v->next++);
}
