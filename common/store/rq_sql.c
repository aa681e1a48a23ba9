/*
 * A statement as a step's I/O. The request is the callback's argument: it lives until it
 * has been resumed, also when its deadline passed long before.
 */
#include "store/rq_sql.h"

#include "store/pg_impl.h"

static pgpool_cb on_result;

rq_next
rq_sql(struct rq *rq, rq_step *next, struct pgpool *pool, const struct pg_stmt *stmt,
    const struct pg_params *params)
{
	pgpool_exec(pool, stmt, params, on_result, rq);
	return rq_started(rq, next);
}

const char *
rq_sqlstate(const struct rq *rq)
{
	const char *sqlstate = PQresultErrorField(rq->pg, PG_DIAG_SQLSTATE);

	return sqlstate == NULL ? "" : sqlstate;
}

static void
on_result(void *arg, enum err err, const struct pg_result *result, const char *sqlstate)
{
	struct rq *rq = arg;

	(void)sqlstate; /* it is in the result */
	rq->pg = result;
	rq_resume(rq, err);
}
