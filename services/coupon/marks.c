#include "coupon/marks.h"

#include <inttypes.h>

#include "base/clock.h"
#include "coupon/coupon_rules.h"
#include "store/redsync.h"

enum {
	DAY_SECONDS = 86400
};

str
marks_switch_key(struct arena *arena, int64_t coupon_id)
{
	return str_of(arena_printf(arena, "coupon_avaliable:%" PRId64, coupon_id));
}

str
marks_key(struct arena *arena, const struct campaign *c, const char *kind)
{
	char generation[UUID_TEXT_SIZE];

	uuid_format(c->generation, generation);
	return str_of(arena_printf(
	    arena, "coupon:{%" PRId64 ":%.8s}:%s", c->coupon_id, generation, kind));
}

str
marks_expire_at(struct arena *arena, const struct campaign *c)
{
	return str_of(arena_printf(
	    arena, "%" PRId64, c->expires_us / CLOCK_US_PER_SEC + DAY_SECONDS));
}

static void
queue_full_users(struct redsync *redis, struct arena *arena, const struct campaign *c,
    const int64_t *full, size_t full_count)
{
	str *argv = arena_alloc(arena, (full_count + 2) * sizeof(*argv));
	str key = marks_key(arena, c, "issued");

	argv[0] = STR("SADD");
	argv[1] = key;
	for (size_t i = 0; i < full_count; i++)
		argv[2 + i] = str_of(arena_printf(arena, "%" PRId64, full[i]));
	redsync_queue(redis, full_count + 2, argv);
	redsync_queue(
	    redis, 3, (str[]){ STR("EXPIREAT"), key, marks_expire_at(arena, c) });
}

void
marks_queue(struct redsync *redis, struct arena *arena, const struct campaign *c,
    const int64_t *full, size_t full_count)
{
	if (full_count > 0)
		queue_full_users(redis, arena, c, full, full_count);
	if (coupon_remaining(c) == 0)
		redsync_queue(redis, 5,
		    (str[]){ STR("SET"), marks_key(arena, c, "sold_out"),
			str_of(arena_printf(arena, "%" PRId64, c->version)), STR("EXAT"),
			marks_expire_at(arena, c) });
}
