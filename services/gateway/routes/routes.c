#include "gateway/routes/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/gateway.h"
#include "gateway/passes/pages.h"
#include "gateway/forward/visit.h"

#define PAGE_DEADLINE_US (5 * CLOCK_US_PER_SEC)

/* The pages are the same whatever the file says. */
static const struct route_row pages[] = {
#define X(pattern, name, file, type)                                                     \
	{ .route = { HTTP_GET, pattern, pages_show, PAGE_DEADLINE_US, 0, 0 } },
#include "gateway/passes/pages.def"
#undef X
};

static bool find_services(struct route_table *table, const struct route_table *before,
    const struct upstream_settings *settings, char *err, size_t err_size);

struct route_table *
routes_new(struct route_file *file, const struct route_table *before,
    const struct upstream_settings *settings, char *err, size_t err_size)
{
	struct route_table *table = xcalloc(1, sizeof(*table));

	table->owners = 1;
	table->file = file;
	if (!find_services(table, before, settings, err, err_size)) {
		routes_put(table);
		return NULL;
	}
	table->routes =
	    xcalloc(file->row_count + ARRAY_LEN(pages), sizeof(struct route *));
	for (size_t i = 0; i < file->row_count; i++) {
		struct route_row *row = &file->rows[i];

		limits_resolve(row);
		visit_plan(row);
		row->behind = table->services[row->service];
		table->routes[table->count++] = &row->route;
	}
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		table->routes[table->count++] = &pages[i].route;
	return table;
}

struct route_table *
routes_take(struct route_table *table)
{
	atomic_fetch_add(&table->owners, 1);
	return table;
}

void
routes_put(struct route_table *table)
{
	if (table == NULL || atomic_fetch_sub(&table->owners, 1) != 1)
		return;
	for (size_t i = 0; i < table->file->service_count; i++)
		service_put(table->services[i]);
	route_file_free(table->file);
	free(table->routes);
	free(table);
}

/* The service of the table before, if its servers are called the same. */
static struct service *
find_before(const struct route_table *before, const struct route_service *wanted)
{
	const struct route_service *services;

	if (before == NULL)
		return NULL;
	services = before->file->services;
	for (size_t i = 0; i < before->file->service_count; i++)
		if (strcmp(services[i].name, wanted->name) == 0 &&
		    strcmp(services[i].servers, wanted->servers) == 0)
			return before->services[i];
	return NULL;
}

static bool
find_services(struct route_table *table, const struct route_table *before,
    const struct upstream_settings *settings, char *err, size_t err_size)
{
	char why[512];

	for (size_t i = 0; i < table->file->service_count; i++) {
		const struct route_service *wanted = &table->file->services[i];
		struct service *service = find_before(before, wanted);

		if (wanted->servers[0] == '\0')
			continue;
		table->services[i] = service != NULL
					 ? service_take(service)
					 : service_new(wanted->name, wanted->servers,
					       settings, why, sizeof(why));
		if (table->services[i] == NULL) {
			snprintf(err, err_size,
			    "cannot use the %s service's servers \"%s\": %s",
			    wanted->name, wanted->servers, why);
			return false;
		}
	}
	return true;
}

/* --- a request's route ---------------------------------------------------------------
 */

const struct route_row *
routes_row(const struct route *route)
{
	return (
	    const struct route_row *)(const void *)((const char *)route -
						    offsetof(struct route_row, route));
}

/* The host of a Host field, which the parser has found sound: without the port. */
static str
host_of(str field)
{
	const char *colon = field.n > 0 ? memrchr(field.p, ':', field.n) : NULL;

	if (colon == NULL ||
	    memchr(colon, ']', field.n - (size_t)(colon - field.p)) != NULL)
		return field;
	return (str){ field.p, (size_t)(colon - field.p) };
}

bool
routes_fit(const struct route *route, const struct http_head *head)
{
	const struct route_row *row = routes_row(route);

	return row->host.n == 0 ||
	       str_eq_nocase(host_of(http_header(head, STR("host"))), row->host);
}

str
routes_target(const struct route_row *row, const str params[RQ_MAX_PARAMS], str query,
    struct arena *arena)
{
	const struct route_piece *piece = row->target;
	size_t size = 1 + query.n;
	char *start, *out;

	if (query.n == 0 && piece->param < 0)
		return piece->text;
	for (; piece->param >= 0; piece++)
		size += piece->text.n + 3 * params[piece->param].n;
	size += piece->text.n;

	start = out = arena_alloc(arena, size);
	for (piece = row->target; piece->param >= 0; piece++) {
		str param = params[piece->param];

		out = mempcpy(out, piece->text.p, piece->text.n);
		out = piece->param == row->rest ? mempcpy(out, param.p, param.n)
						: http_escape(param, out);
	}
	out = mempcpy(out, piece->text.p, piece->text.n);
	if (query.n > 0) {
		*out++ = '?';
		out = mempcpy(out, query.p, query.n);
	}
	return (str){ start, (size_t)(out - start) };
}
