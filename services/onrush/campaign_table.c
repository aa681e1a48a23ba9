#include "onrush/campaign_table.h"

#include <inttypes.h>

#include "base/clock.h"
#include "coupon/coupon_rules.h"

struct table *
campaign_table(struct arena *arena)
{
	static const char *const heads[] = { ">ID", "KIND", "STATE", ">QUANTITY",
		">ISSUED", ">REMAINING", ">PER USER", ">RATE", "WINDOW (UTC)", "NAME" };

	return table_new(arena, heads, ARRAY_LEN(heads));
}

/* "2026-11-21 03:04:05" in UTC. */
static const char *
instant_text(struct arena *arena, int64_t wall_us)
{
	char iso[CLOCK_ISO_SIZE];

	clock_format_iso(wall_us, iso);
	return arena_printf(arena, "%.10s %.8s", iso, iso + 11);
}

static const char *
window_text(struct arena *arena, const struct campaign *c)
{
	int64_t ends_us = c->closes_us < c->expires_us ? c->closes_us : c->expires_us;
	const char *to = instant_text(arena, ends_us);

	if (c->opens_us == INT64_MIN)
		return arena_printf(arena, "until %s", to);
	return arena_printf(arena, "%s to %s", instant_text(arena, c->opens_us), to);
}

void
campaign_row(struct table *t, struct arena *arena, const struct campaign *c)
{
	bool limited = c->kind == COUPON_LIMITED;

	table_cell(t, "%" PRId64, c->coupon_id);
	table_cell(t, "%s", coupon_kind_name(c->kind));
	table_cell(t, "%s", coupon_state_name(c->state));
	table_cell(t, limited ? "%" PRId64 : "-", c->quantity);
	table_cell(t, "%" PRId64, c->issued);
	table_cell(t, limited ? "%" PRId64 : "-", coupon_remaining(c));
	table_cell(t, "%" PRId64, c->per_user_limit);
	table_cell(t, "%g %%", c->discount_rate * 100);
	table_cell(t, "%s", window_text(arena, c));
	table_cell_str(t, str_of(c->name));
}
