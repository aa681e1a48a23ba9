#include "order/ranking.h"

#include <inttypes.h>

#include "base/clock.h"
#include "store/redsync.h"

enum {
	DAY_SECONDS = 86400,
	KEPT_DAYS = 5, /* three count; a reader may be a little late */
};

str
ranking_key(struct arena *arena, int64_t wall_us)
{
	return str_of(arena_printf(arena, "rank:sell:%d", clock_day(wall_us)));
}

str
ranking_expire_at(struct arena *arena, int64_t wall_us)
{
	int64_t days = wall_us / CLOCK_US_PER_SEC / DAY_SECONDS;

	return str_of(arena_printf(arena, "%" PRId64, (days + KEPT_DAYS) * DAY_SECONDS));
}

void
ranking_queue_sold(struct redsync *redis, struct arena *arena, int64_t wall_us,
    const struct ranking_score *scores, size_t count)
{
	str *argv = arena_alloc(arena, (2 * count + 3) * sizeof(*argv));
	str key = ranking_key(arena, wall_us);
	size_t n = 0;

	if (count == 0)
		return;
	argv[n++] = STR("ZADD");
	argv[n++] = key;
	argv[n++] = STR("GT");
	for (size_t i = 0; i < count; i++) {
		argv[n++] = str_of(arena_printf(arena, "%" PRId64, scores[i].sold));
		argv[n++] = str_of(arena_printf(arena, "%" PRId64, scores[i].product_id));
	}
	redsync_queue(redis, n, argv);
	redsync_queue(
	    redis, 3, (str[]){ STR("EXPIREAT"), key, ranking_expire_at(arena, wall_us) });
}
