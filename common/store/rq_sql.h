/* PostgreSQL as a step's I/O. */
#ifndef ONRUSH_STORE_RQ_SQL_H
#define ONRUSH_STORE_RQ_SQL_H

#include "http/rq.h"
#include "store/pgpool.h"

/* One statement; the next step sees rq->err and rq->pg. */
rq_next rq_sql(struct rq *rq, rq_step *next, struct pgpool *pool,
    const struct pg_stmt *stmt, const struct pg_params *params) MUST_USE;

/* After ERR_INTERNAL: the SQLSTATE, "23505" for a unique violation. */
const char *rq_sqlstate(const struct rq *rq);

#endif
