/* One row of a route file: what each of its members may be and what it is without it. */
#include <string.h>

#include "base/clock.h"
#include "gateway/identity/api_keys.h"
#include "gateway/routes/route_reader.h"

#define BODY_MAX (INT64_C(1) << 40)

enum {
	BODY_DEFAULT = 4096,
	DEADLINE_MAX_MS = 600000,
	/* How long a client waits at most. A call that changes something outlasts the
	 * pool's own deadlines, so that it ends with the pool's word on whether it was
	 * sent. */
	READ_MS = 5000,
	WRITE_MS = 30000,
};

bool
route_next_param(str *rest, str *before, str *name)
{
	*rest = str_cut(*rest, '{', before);
	if (rest->p == NULL)
		return false;
	*rest = str_cut(*rest, '}', name);
	return true;
}

static enum http_method
read_method(struct route_reader *r, const struct json *object)
{
	static const enum http_method methods[] = { HTTP_GET, HTTP_POST, HTTP_PUT,
		HTTP_PATCH, HTTP_DELETE };
	str text = json_str(&r->json, object, "method", ROUTE_NAME_BYTES);

	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (str_eq(text, http_method_name(methods[i])))
			return methods[i];
	if (!route_failed(r))
		route_fail(r,
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
read_path(struct route_reader *r, const struct json *object, const char *name, str absent)
{
	str path = json_str_or(&r->json, object, name, ROUTE_TEXT_BYTES, absent);
	const char *why;

	if (route_failed(r))
		return STR_NULL;
	why = path_pattern_check(path);
	if (why == NULL && !is_path_text(path))
		why = "must have only characters that need no escaping";
	if (why != NULL)
		route_fail(r, "\"%s\" %s", name, why);
	return path;
}

static size_t
read_service_name(struct route_reader *r, const struct json *object)
{
	str name = json_str(&r->json, object, "service", ROUTE_NAME_BYTES);

	for (size_t i = 0; i < r->file->service_count; i++)
		if (str_eq(name, str_of(r->file->services[i].name)))
			return i;
	if (!route_failed(r))
		route_fail(r, "\"service\": \"services\" has no %.*s", STR_ARG(name));
	return 0;
}

/* The index of a pattern's {…} of this name; -1: there is none. */
static int
param_index(const char *pattern, str name)
{
	str rest = str_of(pattern), before, other;

	for (int i = 0; route_next_param(&rest, &before, &other); i++)
		if (str_eq(name, other))
			return i;
	return -1;
}

static void
read_key(struct route_reader *r, const struct json *object, struct route_row *row)
{
	str key = json_str_or(&r->json, object, "key", ROUTE_TEXT_BYTES, STR_NULL);

	row->key = -1;
	if (key.p == NULL || route_failed(r))
		return;
	row->key = param_index(row->route.pattern, key);
	if (row->key < 0)
		route_fail(r, "\"key\": \"path\" has no {%.*s}", STR_ARG(key));
}

static void
read_target(struct route_reader *r, struct route_row *row, str target)
{
	str rest = target, name;
	size_t count = 0;

	row->rest = -1;
	if (route_failed(r))
		return;
	rest = str_of(arena_strdup(r->file->arena, target));
	while (route_next_param(&rest, &row->target[count].text, &name)) {
		int param = param_index(row->route.pattern, name);

		if (param < 0) {
			route_fail(
			    r, "\"target\": \"path\" has no {%.*s}", STR_ARG(name));
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

/* An API key is good for what its scopes name, so a route that takes one has a scope. */
static void
read_identity(struct route_reader *r, const struct json *object, struct route_row *row)
{
	str want =
	    json_str_or(&r->json, object, "identity", ROUTE_NAME_BYTES, STR("none"));

	row->scope = json_str_or(&r->json, object, "scope", ROUTE_NAME_BYTES, STR_NULL);
	if (route_failed(r))
		return;
	row->identity = str_eq(want, STR("user"))      ? IDENTITY_USER
			: str_eq(want, STR("api-key")) ? IDENTITY_API_KEY
						       : IDENTITY_NONE;
	if (row->identity == IDENTITY_NONE && !str_eq(want, STR("none")))
		route_fail(r, "\"identity\" must be none, user or api-key");
	else if ((row->identity == IDENTITY_API_KEY) != (row->scope.p != NULL))
		route_fail(r, "\"scope\" belongs to \"identity\": \"api-key\", which "
			      "needs one");
	else if (row->scope.p != NULL && !api_key_is_scope(row->scope))
		route_fail(r, "\"scope\" must be 1 to %d letters, digits, -, _, . or :",
		    API_KEY_SCOPE_MAX);
}

static void
read_upgrade(struct route_reader *r, const struct json *object, struct route_row *row)
{
	str text = json_str_or(&r->json, object, "upgrade", ROUTE_NAME_BYTES, STR_NULL);

	if (text.p == NULL || route_failed(r))
		return;
	if (!str_eq(text, STR("websocket")))
		route_fail(r, "\"upgrade\" must be \"websocket\"");
	if (row->route.method != HTTP_GET)
		route_fail(r, "\"upgrade\": a websocket begins with GET");
	row->route.flags |= ROUTE_TUNNEL;
}

static enum httpc_priority
read_priority(struct route_reader *r, const struct json *object)
{
	str text =
	    json_str_or(&r->json, object, "priority", ROUTE_NAME_BYTES, STR("normal"));

	if (str_eq(text, STR("high")))
		return HTTPC_HIGH;
	if (str_eq(text, STR("low")))
		return HTTPC_LOW;
	if (!str_eq(text, STR("normal")) && !route_failed(r))
		route_fail(r, "\"priority\" must be high, normal or low");
	return HTTPC_NORMAL;
}

void
route_read_row(struct route_reader *r, const struct json *object, struct route_row *row)
{
	static const char *const names[] = { "method", "path", "host", "service",
		"target", "deadline_ms", "body_bytes", "key", "retry", "pass", "limit",
		"identity", "scope", "upgrade", "compress", "priority" };
	struct json_reader *json = &r->json;
	bool safe;
	str path;

	route_check_names(r, object, names, ARRAY_LEN(names));
	row->route.method = read_method(r, object);
	path = read_path(r, object, "path", STR_NULL);
	if (route_failed(r))
		return;
	safe = http_method_is_safe(row->route.method);
	row->route.pattern = arena_strdup(r->file->arena, path);
	row->host = json_str_or(json, object, "host", ROUTE_TEXT_BYTES, STR(""));
	row->service = read_service_name(r, object);
	row->service_name = r->file->services[row->service].name;
	row->route.deadline_us =
	    CLOCK_US_PER_MS * json_i64_or(json, object, "deadline_ms", 1, DEADLINE_MAX_MS,
				  safe ? READ_MS : WRITE_MS);
	row->route.body_limit = (size_t)json_i64_or(
	    json, object, "body_bytes", 0, BODY_MAX, safe ? 0 : BODY_DEFAULT);
	row->route.flags = ROUTE_STREAM;
	read_upgrade(r, object, row);
	row->retry = json_bool_or(json, object, "retry", true);
	row->priority = read_priority(r, object);
	row->pass = json_bool_or(json, object, "pass", false);
	row->compress = json_bool_or(json, object, "compress", true);
	read_identity(r, object, row);
	read_key(r, object, row);
	route_read_row_limits(r, object, row);
	read_target(r, row, read_path(r, object, "target", path));
}
