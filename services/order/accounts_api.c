/* POST /admin/accounts: opens accounts, each with nothing in it. */
#include <inttypes.h>
#include <stdlib.h>

#include "http/json.h"
#include "order/service.h"
#include "store/rq_sql.h"

enum {
	ACCOUNTS_MAX = 1000,
};

static rq_step opened;

/* In the order of the ids, so that two calls with the same users cannot lock each other
 * out. */
static const struct pg_stmt open_accounts = { "admin_accounts",
	"insert into orders.balances (user_id, amount)"
	" select u, 0 from unnest($1::bigint[]) u order by u"
	" on conflict do nothing" };

rq_next
accounts_open(struct rq *rq)
{
	struct service *s = rq->service;
	int64_t *users = arena_alloc(rq->arena, ACCOUNTS_MAX * sizeof(*users));
	const struct json *array, *element;
	struct json_reader r;
	struct pg_params p;
	size_t n = 0;

	json_open(&r, rq->arena, rq->body);
	array = json_array(&r, r.root, "userIds", 1, ACCOUNTS_MAX);
	for (element = json_first(array); element != NULL; element = json_next(element))
		users[n++] = json_element_i64(&r, element, 1, INT64_MAX);
	json_close(&r);
	if (r.err != ERR_OK)
		return rq_fail_because(rq, r.err, "%s", r.why);
	pg_params_init(&p, rq->arena);
	pg_add_i64_array(&p, users, n);
	return rq_sql(rq, opened, s->pg, &open_accounts, &p);
}

static rq_next
opened(struct rq *rq)
{
	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	return rq_ok(rq, str_of(arena_printf(rq->arena, "{\"opened\":%" PRId64 "}",
			     pg_affected(rq->pg))));
}
