#include "onrush/campaign_json.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "coupon/coupon_rules.h"

static void
refuse(struct json_reader *r, const char *name, const char *what)
{
	if (r->err != ERR_OK)
		return;
	r->err = ERR_BAD_PARAMETER;
	r->why = arena_printf(r->arena, "\"%s\" is not %s", name, what);
}

int64_t
json_get_time(
    struct json_reader *r, const struct json *object, const char *name, int64_t absent)
{
	str text = json_str_or(r, object, name, CLOCK_ISO_SIZE, STR_NULL);
	int64_t wall_us = absent;

	if (r->err == ERR_OK && text.p != NULL && !clock_parse_iso(text, &wall_us))
		refuse(r, name, "a time");
	return wall_us;
}

uuid
json_get_uuid(struct json_reader *r, const struct json *object, const char *name)
{
	str text = json_str(r, object, name, UUID_TEXT_SIZE);
	uuid id = { { 0 } };

	if (r->err == ERR_OK && !uuid_parse(text, &id))
		refuse(r, name, "a UUID");
	return id;
}

void
json_get_hex(struct json_reader *r, const struct json *object, const char *name,
    void *out, size_t size)
{
	str text = json_str(r, object, name, 2 * size);

	if (r->err == ERR_OK && !hex_decode(text, out, size))
		refuse(r, name, "hex of its length");
}

void
json_put_uuid(struct json_writer *w, const char *name, uuid id)
{
	char text[UUID_TEXT_SIZE];

	uuid_format(id, text);
	json_put_str(w, name, str_of(text));
}

static void
put_instant(struct json_writer *w, const char *name, int64_t wall_us)
{
	if (wall_us != INT64_MIN && wall_us != INT64_MAX)
		json_put_time(w, name, wall_us);
}

void
campaign_put(struct json_writer *w, const struct campaign *c)
{
	json_put_i64(w, "couponId", c->coupon_id);
	json_put_str(w, "name", str_of(c->name));
	json_put_str(w, "kind", str_of(coupon_kind_name(c->kind)));
	json_put_str(w, "status", str_of(coupon_state_name(c->state)));
	if (c->kind == COUPON_LIMITED) {
		json_put_i64(w, "quantity", c->quantity);
		json_put_i64(w, "remaining", coupon_remaining(c));
	}
	json_put_i64(w, "issued", c->issued);
	json_put_i64(w, "perUserLimit", c->per_user_limit);
	json_put_double(w, "discountRate", c->discount_rate);
	put_instant(w, "opensAt", c->opens_us);
	put_instant(w, "closesAt", c->closes_us);
	put_instant(w, "expiresAt", c->expires_us);
}

void
campaign_get(struct json_reader *r, const struct json *object, struct campaign *c)
{
	str name = json_str(r, object, "name", COUPON_NAME_MAX);
	str kind = json_str(r, object, "kind", COUPON_NAME_MAX);
	str state = json_str(r, object, "status", COUPON_NAME_MAX);

	c->coupon_id = json_i64(r, object, "couponId", 1, INT64_MAX);
	if (r->err == ERR_OK && !coupon_kind_parse(kind, &c->kind))
		refuse(r, "kind", "LIMITED or UNLIMITED");
	if (r->err == ERR_OK && !coupon_state_parse(state, &c->state))
		refuse(r, "status", "DRAFT, PUBLISHABLE or CLOSED");
	if (r->err == ERR_OK)
		memcpy(c->name, name.p, name.n);
	c->name[name.n] = '\0';
	if (c->kind == COUPON_LIMITED)
		c->quantity = json_i64(r, object, "quantity", 0, INT64_MAX);
	c->issued = json_i64(r, object, "issued", 0, INT64_MAX);
	c->per_user_limit = json_i64(r, object, "perUserLimit", 1, INT64_MAX);
	c->discount_rate = json_double_or(r, object, "discountRate", 0, 1, 0);
	c->opens_us = json_get_time(r, object, "opensAt", INT64_MIN);
	c->closes_us = json_get_time(r, object, "closesAt", INT64_MAX);
	c->expires_us = json_get_time(r, object, "expiresAt", INT64_MAX);
}

/* --- on the terminal -------------------------------------------------------- */

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
