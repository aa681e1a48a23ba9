/*
 * The rankings of what is sold most, in Redis: one sorted set for each UTC day,
 * rank:sell:{yyyyMMdd}, member productId, score the day's pieces as they stand in
 * orders.daily_sales. It is written after the commit and may be lost at any moment: the
 * keeper writes it anew.
 */
#ifndef ONRUSH_ORDER_RANKING_H
#define ONRUSH_ORDER_RANKING_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

struct redsync;

/* The day's total of a product. */
struct ranking_score {
	int64_t product_id, sold;
};

/* The key of the UTC day of this wall time. */
str ranking_key(struct arena *arena, int64_t wall_us);
/* For EXPIREAT: five days after that day's begin, in seconds as decimal text. */
str ranking_expire_at(struct arena *arena, int64_t wall_us);

/* Queues the totals after more was sold. Totals only grow by that, so one that arrives
 * late does not replace a newer one. Nothing when count is 0. */
void ranking_queue_sold(struct redsync *redis, struct arena *arena, int64_t wall_us,
    const struct ranking_score *scores, size_t count);

#endif
