/*
 * Ids for orders, before they are in the database: blocks of the sequence
 * orders.order_ids, the next one fetched while half of the last is left. Ids of a block
 * that a program took with it when it ended are never used.
 */
#ifndef ONRUSH_ORDER_ORDER_IDS_H
#define ONRUSH_ORDER_ORDER_IDS_H

#include <stdbool.h>
#include <stdint.h>

#include "app/loop.h"
#include "store/pgpool.h"

struct order_ids;

/* Asks for the first block at once. Loop and pool are borrowed. */
struct order_ids *order_ids_new(struct loop *loop, struct pgpool *pg);
void order_ids_free(struct order_ids *ids); /* after the pool; NULL is fine */

/* A new id; 0 when there is none at the moment (the database is away). */
int64_t order_ids_take(struct order_ids *ids);

/* There are some. From any thread. */
bool order_ids_ready(const struct order_ids *ids);

#endif
