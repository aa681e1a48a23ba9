#include "http/caller.h"

static const str line_field = STR_INIT("X-Onrush-Line");

enum err
caller_check(const struct rq *rq, int64_t user_id)
{
	str field = http_header(rq->head, STR("X-Onrush-User"));
	int64_t caller;

	if (field.p == NULL ||
	    (str_to_i64(field, 1, INT64_MAX, &caller) && caller == user_id))
		return ERR_OK;
	return http_header(rq->head, line_field).p != NULL ? ERR_PASS_BORROWED
							   : ERR_FORBIDDEN;
}

bool
caller_line(const struct rq *rq, int64_t *line_id)
{
	return str_to_i64(http_header(rq->head, line_field), 0, INT64_MAX, line_id);
}
