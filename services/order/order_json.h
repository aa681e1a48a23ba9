/* An order as the API shows it, from the database. */
#ifndef ONRUSH_ORDER_ORDER_JSON_H
#define ONRUSH_ORDER_ORDER_JSON_H

#include "http/rq.h"
#include "order/order_events.h"
#include "order/service.h"

/* Reads an order with its lines; the next step sees one row for each line, none when
 * there is no such order. */
rq_next order_find(struct rq *rq, rq_step *next, int64_t order_id) MUST_USE;

/* rq->pg of order_find, at least one row, as the answer's data; in the arena. */
str order_data(struct rq *rq);

/* Whose it is; of the same rows. */
int64_t order_user(const struct pg_result *rows);

/* The same as a fact to tell others. Lines are in the arena. */
struct order_fact order_fact_from_rows(
    struct arena *arena, const struct pg_result *rows, const char *topic);

/* The request that cancelled it; all zero: none. */
uuid order_cancel_id(const struct pg_result *rows);

#endif
