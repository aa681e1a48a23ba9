/* GET /orders/{orderId}: an order as it is now, with its lines. Other people's are
 * not there. */
#include "http/caller.h"
#include "order/order_json.h"

static rq_step show;

rq_next
order_show(struct rq *rq)
{
	int64_t order_id;

	if (!str_to_i64(rq->params[0], 1, INT64_MAX, &order_id))
		return rq_fail_because(
		    rq, ERR_BAD_PARAMETER, "The order's id must be a positive integer.");
	return order_find(rq, show, order_id);
}

static rq_next
show(struct rq *rq)
{
	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (pg_rows(rq->pg) == 0 || caller_check(rq, order_user(rq->pg)) != ERR_OK)
		return rq_fail(rq, ERR_ORDER_UNKNOWN);
	return rq_ok(rq, order_data(rq));
}
