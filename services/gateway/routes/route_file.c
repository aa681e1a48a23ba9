/*
 * A route file as a whole: its services, its list of routes, no two of them the same, and
 * the sentence about what is wrong. One row of the list is read in route_row.c.
 */
#include "gateway/routes/route_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/routes/route_reader.h"
#include "gateway/upstream/server_list.h"

static void read_services(struct route_reader *r);
static void read_service(struct route_reader *r, const struct json *member);
static void read_routes(struct route_reader *r);
static void check_twins(struct route_reader *r, const struct route_row *row);

struct route_file *
route_file_parse(str text, route_setting *setting, char *err, size_t err_size)
{
	static const char *const members[] = { "services", "limits", "routes" };
	struct route_file *file = xcalloc(1, sizeof(*file));
	struct route_reader r = { .text = text, .file = file, .setting = setting };

	r.err = err;
	r.err_size = err_size;
	err[0] = '\0';
	file->arena = arena_new();
	json_open(&r.json, file->arena, text);
	if (!route_failed(&r))
		route_check_names(&r, r.json.root, members, ARRAY_LEN(members));
	read_services(&r);
	route_read_limits(&r);
	read_routes(&r);
	json_close(&r.json);
	if (err[0] == '\0')
		return file;
	route_file_free(file);
	return NULL;
}

void
route_file_free(struct route_file *file)
{
	if (file == NULL)
		return;
	arena_free(file->arena);
	free(file);
}

/* --- what is wrong, and where ----------------------------------------------------------
 */

/* Notes the first thing that is wrong, with its place. */
void
route_fail(struct route_reader *r, const char *fmt, ...)
{
	size_t at = r->json.at, line = 1, column = 1;
	va_list ap;
	int n;

	if (r->err[0] != '\0')
		return;
	if (r->part != NULL)
		at = route_file_place(r->text, r->part, r->index);
	for (size_t i = 0; i < at && i < r->text.n; i++) {
		column = r->text.p[i] == '\n' ? 1 : column + 1;
		line += r->text.p[i] == '\n';
	}
	n = snprintf(r->err, r->err_size, "line %zu, column %zu: ", line, column);
	va_start(ap, fmt);
	vsnprintf(r->err + n, r->err_size - (size_t)n, fmt, ap);
	va_end(ap);
}

/* Also takes over what the JSON reader found. */
bool
route_failed(struct route_reader *r)
{
	if (r->json.err != ERR_OK)
		route_fail(r, "%s", r->json.why);
	return r->err[0] != '\0';
}

static bool
is_known(str name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (str_eq(name, str_of(names[i])))
			return true;
	return str_eq(name, STR("//"));
}

void
route_check_names(struct route_reader *r, const struct json *object,
    const char *const *names, size_t count)
{
	const struct json *m;

	for (m = json_first(object); m != NULL; m = json_next(m))
		if (!is_known(json_name(m), names, count))
			route_fail(
			    r, "there is no member \"%.*s\" here", STR_ARG(json_name(m)));
}

/* --- services ------------------------------------------------------------------------
 */

size_t
route_members(const struct json *value)
{
	size_t count = 0;

	for (const struct json *m = json_first(value); m != NULL; m = json_next(m))
		count++;
	return count;
}

static void
read_services(struct route_reader *r)
{
	const struct json *services, *m;
	size_t count;

	if (route_failed(r))
		return;
	services = json_object(&r->json, r->json.root, "services");
	count = route_members(services);
	if (route_failed(r) || count == 0 || count > ROUTE_FILE_SERVICES) {
		route_fail(
		    r, "\"services\" must have 1 to %d members", ROUTE_FILE_SERVICES);
		return;
	}
	r->file->services =
	    arena_alloc(r->file->arena, count * sizeof(*r->file->services));
	r->part = "services";
	r->index = 0;
	for (m = json_first(services); m != NULL && !route_failed(r); m = json_next(m)) {
		if (!str_eq(json_name(m), STR("//")))
			read_service(r, m);
		r->index++;
	}
	r->part = NULL;
}

bool
route_is_name(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') ||
			(s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '-'))
			return false;
	return s.n > 0 && s.n <= ROUTE_NAME_BYTES;
}

/* The list itself, or with a $ the setting that has it. */
static const char *
servers_of(struct route_reader *r, str given)
{
	char *text = arena_strdup(r->file->arena, given);
	const char *value;

	if (text[0] != '$')
		return text;
	value = r->setting(text + 1);
	if (value == NULL)
		route_fail(r, "\"servers\": there is no setting %s", text + 1);
	return value == NULL ? "" : arena_strdup(r->file->arena, str_of(value));
}

static void
read_service(struct route_reader *r, const struct json *member)
{
	static const char *const names[] = { "servers" };
	struct server_entry entries[SERVER_LIST_MAX];
	struct route_service *service = &r->file->services[r->file->service_count++];
	char why[512];
	size_t count;
	str servers;

	if (!route_is_name(json_name(member)))
		route_fail(r,
		    "a service's name must be 1 to %d small letters, digits or hyphens",
		    ROUTE_NAME_BYTES);
	route_check_names(r, member, names, ARRAY_LEN(names));
	servers = json_str(&r->json, member, "servers", ROUTE_TEXT_BYTES);
	if (route_failed(r))
		return;
	service->name = arena_strdup(r->file->arena, json_name(member));
	service->servers = servers_of(r, servers);
	if (!server_list_parse(
		str_of(service->servers), entries, &count, why, sizeof(why)))
		route_fail(r, "\"servers\": %s", why);
}

/* --- routes --------------------------------------------------------------------------
 */

static void
read_routes(struct route_reader *r)
{
	const struct json *routes, *m;
	struct route_file *file = r->file;

	if (route_failed(r))
		return;
	routes = json_array(&r->json, r->json.root, "routes", 1, ROUTE_FILE_ROUTES);
	if (route_failed(r))
		return;
	file->rows =
	    arena_alloc(file->arena, route_members(routes) * sizeof(*file->rows));
	r->part = "routes";
	r->index = 0;
	for (m = json_first(routes); m != NULL && !route_failed(r); m = json_next(m)) {
		route_read_row(r, m, &file->rows[file->row_count]);
		if (!route_failed(r))
			check_twins(r, &file->rows[file->row_count++]);
		r->index++;
	}
}

/* --- routes that are the same --------------------------------------------------------
 */

/* Do both stand for the same paths? */
static bool
is_same_pattern(str a, str b)
{
	str before_a, before_b, name_a, name_b;
	bool more_a, more_b;

	do {
		name_a = name_b = STR_NULL;
		more_a = route_next_param(&a, &before_a, &name_a);
		more_b = route_next_param(&b, &before_b, &name_b);
		if (more_a != more_b || !str_eq(before_a, before_b) ||
		    (more_a && (memchr(name_a.p, '.', name_a.n) == NULL) !=
				   (memchr(name_b.p, '.', name_b.n) == NULL)))
			return false;
	} while (more_a);
	return true;
}

static void
check_twins(struct route_reader *r, const struct route_row *row)
{
	const struct route_row *rows = r->file->rows;
	str pattern = str_of(row->route.pattern);

	for (size_t i = 0; &rows[i] != row; i++)
		if (rows[i].route.method == row->route.method &&
		    str_eq_nocase(rows[i].host, row->host) &&
		    is_same_pattern(str_of(rows[i].route.pattern), pattern))
			route_fail(r,
			    "route %zu has the same method, host and path already",
			    i + 1);
}
