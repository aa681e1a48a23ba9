/* What the two halves of the settler share: settler.c reads and decides, settler_write.c
 * writes. Nobody else includes it. */
#ifndef ONRUSH_ORDER_SETTLER_IMPL_H
#define ONRUSH_ORDER_SETTLER_IMPL_H

#include "base/arena.h"
#include "order/ranking.h"
#include "order/settle_rules.h"
#include "order/settler.h"
#include "store/pgsync.h"

/* An order of the batch, as it was read. */
struct settler_row {
	struct settle_order order;
	bool is_pending; /* and not yet decided in this batch */
};

struct settler {
	struct pgsync *pg;     /* owned */
	struct redsync *redis; /* owned; NULL when rankings are not kept */
	struct arena *arena;   /* owned; one batch */

	/* The batch that is being settled; all in the arena, but order_ids. */
	const int64_t *order_ids; /* borrowed for the call */
	size_t count;
	struct settler_row *rows; /* of the orders that exist, sorted by order_id */
	size_t row_count;
	struct settle_state state;
	enum err *outcomes;            /* of each order_id */
	struct settle_order **settled; /* point into rows, in the batch's order */
	size_t settled_count;
	struct ranking_score *scores; /* today's totals of what was sold */
	size_t score_count;
};

/* Writes what became of the batch and commits. Errors as settler_settle's. */
enum err settler_write(struct settler *s);

#endif
