#include "gateway/route_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/server_list.h"
#include "http/json.h"

enum {
	NAME_MAX_BYTES = 64,
	TEXT_MAX_BYTES = 1024,
	BODY_DEFAULT = 4096,
	BODY_MAX = 16 << 20,
	DEADLINE_MAX_MS = 600000,
	/* How long a client waits at most. A call that changes something outlasts the
	 * pool's own deadlines, so that it ends with the pool's word on whether it was
	 * sent. */
	READ_MS = 5000,
	WRITE_MS = 30000,
};

/* A file that is being read. */
struct reader {
	str text;
	struct route_file *file;
	struct json_reader json;
	route_setting *setting;
	const char *part; /* "services" or "routes", of which… */
	size_t index;     /* …this one is being read */
	char *err;        /* borrowed; "" until something is wrong */
	size_t err_size;
};

static void fail(struct reader *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
static bool failed(struct reader *r);
static void read_services(struct reader *r);
static void read_service(struct reader *r, const struct json *member);
static void read_routes(struct reader *r);
static void read_row(struct reader *r, const struct json *object, struct route_row *row);
static void read_target(struct reader *r, struct route_row *row, str target);
static void check_names(
    struct reader *r, const struct json *object, const char *const *names, size_t count);
static void check_twins(struct reader *r, const struct route_row *row);

struct route_file *
route_file_parse(str text, route_setting *setting, char *err, size_t err_size)
{
	static const char *const members[] = { "services", "routes" };
	struct route_file *file = xcalloc(1, sizeof(*file));
	struct reader r = { .text = text, .file = file, .setting = setting };

	r.err = err;
	r.err_size = err_size;
	err[0] = '\0';
	file->arena = arena_new();
	json_open(&r.json, file->arena, text);
	if (!failed(&r))
		check_names(&r, r.json.root, members, ARRAY_LEN(members));
	read_services(&r);
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
static void
fail(struct reader *r, const char *fmt, ...)
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
static bool
failed(struct reader *r)
{
	if (r->json.err != ERR_OK)
		fail(r, "%s", r->json.why);
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

static void
check_names(
    struct reader *r, const struct json *object, const char *const *names, size_t count)
{
	const struct json *m;

	for (m = json_first(object); m != NULL; m = json_next(m))
		if (!is_known(json_name(m), names, count))
			fail(
			    r, "there is no member \"%.*s\" here", STR_ARG(json_name(m)));
}

/* --- services ------------------------------------------------------------------------
 */

static size_t
count_members(const struct json *value)
{
	size_t count = 0;

	for (const struct json *m = json_first(value); m != NULL; m = json_next(m))
		count++;
	return count;
}

static void
read_services(struct reader *r)
{
	const struct json *services, *m;
	size_t count;

	if (failed(r))
		return;
	services = json_object(&r->json, r->json.root, "services");
	count = count_members(services);
	if (failed(r) || count == 0 || count > ROUTE_FILE_SERVICES) {
		fail(r, "\"services\" must have 1 to %d members", ROUTE_FILE_SERVICES);
		return;
	}
	r->file->services =
	    arena_alloc(r->file->arena, count * sizeof(*r->file->services));
	r->part = "services";
	r->index = 0;
	for (m = json_first(services); m != NULL && !failed(r); m = json_next(m)) {
		if (!str_eq(json_name(m), STR("//")))
			read_service(r, m);
		r->index++;
	}
	r->part = NULL;
}

static bool
is_name(str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') ||
			(s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '-'))
			return false;
	return s.n > 0 && s.n <= NAME_MAX_BYTES;
}

/* The list itself, or with a $ the setting that has it. */
static const char *
servers_of(struct reader *r, str given)
{
	char *text = arena_strdup(r->file->arena, given);
	const char *value;

	if (text[0] != '$')
		return text;
	value = r->setting(text + 1);
	if (value == NULL)
		fail(r, "\"servers\": there is no setting %s", text + 1);
	return value == NULL ? "" : arena_strdup(r->file->arena, str_of(value));
}

static void
read_service(struct reader *r, const struct json *member)
{
	static const char *const names[] = { "servers" };
	struct server_entry entries[SERVER_LIST_MAX];
	struct route_service *service = &r->file->services[r->file->service_count++];
	char why[512];
	size_t count;
	str servers;

	if (!is_name(json_name(member)))
		fail(r,
		    "a service's name must be 1 to %d small letters, digits or hyphens",
		    NAME_MAX_BYTES);
	check_names(r, member, names, ARRAY_LEN(names));
	servers = json_str(&r->json, member, "servers", TEXT_MAX_BYTES);
	if (failed(r))
		return;
	service->name = arena_strdup(r->file->arena, json_name(member));
	service->servers = servers_of(r, servers);
	if (!server_list_parse(
		str_of(service->servers), entries, &count, why, sizeof(why)))
		fail(r, "\"servers\": %s", why);
}

/* --- routes --------------------------------------------------------------------------
 */

static void
read_routes(struct reader *r)
{
	const struct json *routes, *m;
	struct route_file *file = r->file;

	if (failed(r))
		return;
	routes = json_array(&r->json, r->json.root, "routes", 1, ROUTE_FILE_ROUTES);
	if (failed(r))
		return;
	file->rows =
	    arena_alloc(file->arena, count_members(routes) * sizeof(*file->rows));
	r->part = "routes";
	r->index = 0;
	for (m = json_first(routes); m != NULL && !failed(r); m = json_next(m)) {
		read_row(r, m, &file->rows[file->row_count]);
		if (!failed(r))
			check_twins(r, &file->rows[file->row_count++]);
		r->index++;
	}
}

static enum http_method
read_method(struct reader *r, const struct json *object)
{
	static const enum http_method methods[] = { HTTP_GET, HTTP_POST, HTTP_PUT,
		HTTP_PATCH, HTTP_DELETE };
	str text = json_str(&r->json, object, "method", NAME_MAX_BYTES);

	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (str_eq(text, http_method_name(methods[i])))
			return methods[i];
	if (!failed(r))
		fail(r,
		    "\"method\" must be GET (which HEAD belongs to), POST, PUT, PATCH "
		    "or DELETE");
	return HTTP_OTHER;
}

/* Bytes that a path may have as it comes (RFC 3986), but for escapes: a pattern is
 * compared with the path as it is. */
static bool
is_path_text(str path)
{
	for (size_t i = 0; i < path.n; i++)
		if (path.p[i] <= ' ' || path.p[i] > '~' ||
		    memchr("\"#%<>?[\\]^`|", path.p[i], 12) != NULL)
			return false;
	return true;
}

static str
read_path(struct reader *r, const struct json *object, const char *name, str absent)
{
	str path = json_str_or(&r->json, object, name, TEXT_MAX_BYTES, absent);
	const char *why;

	if (failed(r))
		return STR_NULL;
	why = path_pattern_check(path);
	if (why == NULL && !is_path_text(path))
		why = "must have only characters that need no escaping";
	if (why != NULL)
		fail(r, "\"%s\" %s", name, why);
	return path;
}

static size_t
read_service_name(struct reader *r, const struct json *object)
{
	str name = json_str(&r->json, object, "service", NAME_MAX_BYTES);

	for (size_t i = 0; i < r->file->service_count; i++)
		if (str_eq(name, str_of(r->file->services[i].name)))
			return i;
	if (!failed(r))
		fail(r, "\"service\": \"services\" has no %.*s", STR_ARG(name));
	return 0;
}

/* The next {…} of a pattern, with its name in *name; false when there is none. */
static bool
next_param(str *rest, str *before, str *name)
{
	*rest = str_cut(*rest, '{', before);
	if (rest->p == NULL)
		return false;
	*rest = str_cut(*rest, '}', name);
	return true;
}

/* The index of a pattern's {…} of this name; -1: there is none. */
static int
param_index(const char *pattern, str name)
{
	str rest = str_of(pattern), before, other;

	for (int i = 0; next_param(&rest, &before, &other); i++)
		if (str_eq(name, other))
			return i;
	return -1;
}

static void
read_key(struct reader *r, const struct json *object, struct route_row *row)
{
	str key = json_str_or(&r->json, object, "key", TEXT_MAX_BYTES, STR_NULL);

	row->key = -1;
	if (key.p == NULL || failed(r))
		return;
	row->key = param_index(row->route.pattern, key);
	if (row->key < 0)
		fail(r, "\"key\": \"path\" has no {%.*s}", STR_ARG(key));
}

static void
read_row(struct reader *r, const struct json *object, struct route_row *row)
{
	static const char *const names[] = { "method", "path", "host", "service",
		"target", "deadline_ms", "body_bytes", "key", "retry", "pass" };
	struct json_reader *json = &r->json;
	bool safe;
	str path;

	check_names(r, object, names, ARRAY_LEN(names));
	row->route.method = read_method(r, object);
	path = read_path(r, object, "path", STR_NULL);
	if (failed(r))
		return;
	safe = http_method_is_safe(row->route.method);
	row->route.pattern = arena_strdup(r->file->arena, path);
	row->host = json_str_or(json, object, "host", TEXT_MAX_BYTES, STR(""));
	row->service = read_service_name(r, object);
	row->service_name = r->file->services[row->service].name;
	row->route.deadline_us =
	    CLOCK_US_PER_MS * json_i64_or(json, object, "deadline_ms", 1, DEADLINE_MAX_MS,
				  safe ? READ_MS : WRITE_MS);
	row->route.body_limit = (size_t)json_i64_or(
	    json, object, "body_bytes", 0, BODY_MAX, safe ? 0 : BODY_DEFAULT);
	row->retry = json_bool_or(json, object, "retry", true);
	row->pass = json_bool_or(json, object, "pass", false);
	read_key(r, object, row);
	read_target(r, row, read_path(r, object, "target", path));
}

static void
read_target(struct reader *r, struct route_row *row, str target)
{
	str rest = target, name;
	size_t count = 0;

	row->rest = -1;
	if (failed(r))
		return;
	rest = str_of(arena_strdup(r->file->arena, target));
	while (next_param(&rest, &row->target[count].text, &name)) {
		int param = param_index(row->route.pattern, name);

		if (param < 0) {
			fail(r, "\"target\": \"path\" has no {%.*s}", STR_ARG(name));
			return;
		}
		/* path_pattern_check allows no more of them. */
		ASSERT(count < RQ_MAX_PARAMS);
		if (memchr(name.p, '.', name.n) != NULL)
			row->rest = param;
		row->target[count++].param = param;
	}
	row->target[count].param = -1;
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
		more_a = next_param(&a, &before_a, &name_a);
		more_b = next_param(&b, &before_b, &name_b);
		if (more_a != more_b || !str_eq(before_a, before_b) ||
		    (more_a && (memchr(name_a.p, '.', name_a.n) == NULL) !=
				   (memchr(name_b.p, '.', name_b.n) == NULL)))
			return false;
	} while (more_a);
	return true;
}

static void
check_twins(struct reader *r, const struct route_row *row)
{
	const struct route_row *rows = r->file->rows;
	str pattern = str_of(row->route.pattern);

	for (size_t i = 0; &rows[i] != row; i++)
		if (rows[i].route.method == row->route.method &&
		    str_eq_nocase(rows[i].host, row->host) &&
		    is_same_pattern(str_of(rows[i].route.pattern), pattern))
			fail(r, "route %zu has the same method, host and path already",
			    i + 1);
}
