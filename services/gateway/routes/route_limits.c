/* The rate limits of a route file, and which of them a route has. */
#include <string.h>

#include "gateway/limits/limit_class.h"
#include "gateway/routes/route_reader.h"

static void read_limit(struct route_reader *r, const struct json *member);
static void add_limit(struct route_reader *r, struct route_row *row, str name);

void
route_read_limits(struct route_reader *r)
{
	const struct json *limits, *m;
	struct route_file *file = r->file;
	size_t count;

	if (route_failed(r) || !json_has(r->json.root, "limits"))
		return;
	limits = json_object(&r->json, r->json.root, "limits");
	count = route_members(limits);
	if (route_failed(r) || count > ROUTE_FILE_LIMITS) {
		route_fail(
		    r, "\"limits\" must have at most %d members", ROUTE_FILE_LIMITS);
		return;
	}
	file->limits = arena_alloc(file->arena, count * sizeof(*file->limits));
	r->part = "limits";
	r->index = 0;
	for (m = json_first(limits); m != NULL && !route_failed(r); m = json_next(m)) {
		if (!str_eq(json_name(m), STR("//")))
			read_limit(r, m);
		r->index++;
	}
	r->part = NULL;
}

static enum limit_per
read_per(struct route_reader *r, const struct json *object)
{
	static const enum limit_per all[] = { LIMIT_PER_ADDRESS, LIMIT_PER_USER,
		LIMIT_PER_ROUTE };
	str text = json_str(&r->json, object, "per", ROUTE_NAME_BYTES);

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (str_eq(text, str_of(limit_per_name(all[i]))))
			return all[i];
	if (!route_failed(r))
		route_fail(r, "\"per\" must be address, user or route");
	return LIMIT_PER_ROUTE;
}

static void
read_limit(struct route_reader *r, const struct json *member)
{
	static const char *const names[] = { "per", "rate", "burst" };
	struct route_limit *limit = &r->file->limits[r->file->limit_count++];

	if (!route_is_name(json_name(member)))
		route_fail(r,
		    "a limit's name must be 1 to %d small letters, digits or hyphens",
		    ROUTE_NAME_BYTES);
	route_check_names(r, member, names, ARRAY_LEN(names));
	limit->name = arena_strdup(r->file->arena, json_name(member));
	limit->per = read_per(r, member);
	limit->rate = json_i64(&r->json, member, "rate", 1, LIMIT_RATE_MAX);
	limit->burst = json_i64(&r->json, member, "burst", 1, LIMIT_BURST_MAX);
}

void
route_read_row_limits(
    struct route_reader *r, const struct json *object, struct route_row *row)
{
	const struct json *list, *e;
	str name;

	if (!json_has_array(object, "limit")) {
		name = json_str_or(&r->json, object, "limit", ROUTE_NAME_BYTES, STR_NULL);
		if (name.p != NULL)
			add_limit(r, row, name);
		return;
	}
	list = json_array(&r->json, object, "limit", 1, ROUTE_LIMITS);
	for (e = json_first(list); e != NULL && !route_failed(r); e = json_next(e))
		add_limit(r, row, json_element_str(&r->json, e, ROUTE_NAME_BYTES));
}

static void
add_limit(struct route_reader *r, struct route_row *row, str name)
{
	const struct route_limit *limit = NULL;

	if (route_failed(r))
		return;
	for (size_t i = 0; i < r->file->limit_count; i++)
		if (str_eq(name, str_of(r->file->limits[i].name)))
			limit = &r->file->limits[i];
	if (limit == NULL)
		route_fail(r, "\"limit\": \"limits\" has no %.*s", STR_ARG(name));
	for (size_t i = 0; i < row->limit_count; i++)
		if (row->limits[i] == limit)
			route_fail(r, "\"limit\" has %.*s twice", STR_ARG(name));
	if (!route_failed(r))
		row->limits[row->limit_count++] = limit;
}
