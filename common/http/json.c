/*
 * Reading JSON: json_check decides what is accepted, cJSON builds the tree, and one walk
 * over the tree refuses duplicate names and marks the numbers that are exact integers,
 * because cJSON keeps only a double of them.
 *
 *   text ──json_check──> cJSON_ParseWithLength ──> tree ──inspect──> json_reader.root
 *
 * A struct json is a cJSON item. The mark of a number is its valueint, which cJSON fills
 * with a clamped copy of the double that nobody needs.
 */
#include "http/json.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "http/json_check.h"

static const char *inspect(cJSON *item, str text, size_t *at);

static const cJSON *
item_of(const struct json *value)
{
	return (const cJSON *)(const void *)value;
}

static const struct json *
json_of(const cJSON *item)
{
	return (const struct json *)(const void *)item;
}

/* --- the document --------------------------------------------------------------------
 */

static void
refuse(struct json_reader *r, const char *why)
{
	r->err = ERR_BAD_JSON;
	r->why = why;
}

void
json_open(struct json_reader *r, struct arena *arena, str text)
{
	size_t at = 0;
	const char *why;
	cJSON *root;

	*r = (struct json_reader){ .arena = arena };
	if ((why = json_check(text, &at)) != NULL) {
		r->at = at;
		refuse(r, arena_printf(arena, "The JSON is malformed: %s (at byte %zu).",
			      why, at));
		return;
	}
	root = cJSON_ParseWithLength(text.p, text.n);
	/* What json_check accepts, cJSON does; so it is out of memory. */
	ASSERT(root != NULL);
	r->root = json_of(root);
	at = 0;
	if (!cJSON_IsObject(root) && !cJSON_IsArray(root))
		why = "The JSON must be an object or an array.";
	else
		why = inspect(root, text, &at);
	if (why != NULL) {
		json_close(r);
		r->at = at;
		refuse(r, why);
	}
}

void
json_close(struct json_reader *r)
{
	/* The tree is ours to free; it is const for those who read it. */
	cJSON_Delete((cJSON *)(uintptr_t)r->root);
	r->root = NULL;
}

/* Does a sibling before this member have its name? */
static bool
is_duplicate(const cJSON *first, const cJSON *member)
{
	for (const cJSON *m = first; m != member; m = m->next)
		if (strcmp(m->string, member->string) == 0)
			return true;
	return false;
}

/* Visits the tree in the order of the text, where *at is; says what is wrong, or NULL. */
static const char *
inspect(cJSON *item, str text, size_t *at)
{
	const char *why;

	if (cJSON_IsNumber(item)) {
		str number = json_next_number(text, at);

		item->valueint = json_is_exact(number);
		return isfinite(item->valuedouble) ? NULL
						   : "A number in the JSON is too large.";
	}
	for (cJSON *child = item->child; child != NULL; child = child->next) {
		if (cJSON_IsObject(item) && is_duplicate(item->child, child))
			return "An object of the JSON has a member twice.";
		if ((why = inspect(child, text, at)) != NULL)
			return why;
	}
	return NULL;
}

/* --- members -------------------------------------------------------------------------
 */

/* A member that is there and not null; NULL otherwise. */
static const cJSON *
find(const struct json *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(item_of(object), name);

	return cJSON_IsNull(item) ? NULL : item;
}

/* Notes that a member, or with name NULL an element, is not what it must be. */
static void PRINTF_LIKE(3, 4)
    must_be(struct json_reader *r, const char *name, const char *fmt, ...)
{
	char what[160];
	va_list ap;

	if (r->err != ERR_OK)
		return;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	r->err = ERR_BAD_PARAMETER;
	r->why = name != NULL ? arena_printf(r->arena, "\"%s\" must be %s.", name, what)
			      : arena_printf(r->arena, "An element must be %s.", what);
}

static int64_t
take_i64(
    struct json_reader *r, const cJSON *item, const char *name, int64_t min, int64_t max)
{
	int64_t value;

	if (cJSON_IsNumber(item) && item->valueint) {
		value = (int64_t)item->valuedouble;
		if (value >= min && value <= max)
			return value;
	} else if (cJSON_IsString(item)) {
		if (str_to_i64(str_of(item->valuestring), min, max, &value))
			return value;
	}
	must_be(r, name, "a whole number from %" PRId64 " to %" PRId64, min, max);
	return 0;
}

int64_t
json_i64(struct json_reader *r, const struct json *object, const char *name, int64_t min,
    int64_t max)
{
	if (object == NULL)
		return 0;
	return take_i64(r, find(object, name), name, min, max);
}

int64_t
json_i64_or(struct json_reader *r, const struct json *object, const char *name,
    int64_t min, int64_t max, int64_t absent)
{
	const cJSON *item;

	if (object == NULL)
		return 0;
	item = find(object, name);
	return item == NULL ? absent : take_i64(r, item, name, min, max);
}

double
json_double_or(struct json_reader *r, const struct json *object, const char *name,
    double min, double max, double absent)
{
	const cJSON *item;

	if (object == NULL)
		return 0;
	if ((item = find(object, name)) == NULL)
		return absent;
	if (cJSON_IsNumber(item) && item->valuedouble >= min && item->valuedouble <= max)
		return item->valuedouble;
	must_be(r, name, "a number from %g to %g", min, max);
	return 0;
}

bool
json_bool_or(
    struct json_reader *r, const struct json *object, const char *name, bool absent)
{
	const cJSON *item;

	if (object == NULL)
		return false;
	if ((item = find(object, name)) == NULL)
		return absent;
	if (cJSON_IsBool(item))
		return cJSON_IsTrue(item);
	must_be(r, name, "true or false");
	return false;
}

static str
take_str(struct json_reader *r, const cJSON *item, const char *name, size_t max_bytes)
{
	/* No string contains NUL: json_check refuses it. */
	str s = cJSON_IsString(item) ? str_of(item->valuestring) : STR_NULL;

	if (s.p != NULL && s.n <= max_bytes)
		return arena_str(r->arena, s);
	must_be(r, name, "a string of at most %zu bytes", max_bytes);
	return STR_NULL;
}

str
json_str(
    struct json_reader *r, const struct json *object, const char *name, size_t max_bytes)
{
	if (object == NULL)
		return STR_NULL;
	return take_str(r, find(object, name), name, max_bytes);
}

str
json_str_or(struct json_reader *r, const struct json *object, const char *name,
    size_t max_bytes, str absent)
{
	const cJSON *item;

	if (object == NULL)
		return STR_NULL;
	item = find(object, name);
	return item == NULL ? absent : take_str(r, item, name, max_bytes);
}

const struct json *
json_object(struct json_reader *r, const struct json *object, const char *name)
{
	const cJSON *item;

	if (object == NULL)
		return NULL;
	item = find(object, name);
	if (cJSON_IsObject(item))
		return json_of(item);
	must_be(r, name, "an object");
	return NULL;
}

const struct json *
json_array(struct json_reader *r, const struct json *object, const char *name, size_t min,
    size_t max)
{
	const cJSON *item;
	size_t size;

	if (object == NULL)
		return NULL;
	item = find(object, name);
	size = (size_t)cJSON_GetArraySize(item);
	if (cJSON_IsArray(item) && size >= min && size <= max)
		return json_of(item);
	must_be(r, name, "an array of %zu to %zu elements", min, max);
	return NULL;
}

/* --- elements ------------------------------------------------------------------------
 */

bool
json_has(const struct json *object, const char *name)
{
	return object != NULL && find(object, name) != NULL;
}

bool
json_has_array(const struct json *object, const char *name)
{
	return object != NULL && cJSON_IsArray(find(object, name));
}

const struct json *
json_first(const struct json *array)
{
	return array == NULL ? NULL : json_of(item_of(array)->child);
}

const struct json *
json_next(const struct json *element)
{
	return json_of(item_of(element)->next);
}

str
json_name(const struct json *member)
{
	return str_of(item_of(member)->string);
}

int64_t
json_element_i64(
    struct json_reader *r, const struct json *element, int64_t min, int64_t max)
{
	return element == NULL ? 0 : take_i64(r, item_of(element), NULL, min, max);
}

str
json_element_str(struct json_reader *r, const struct json *element, size_t max_bytes)
{
	return element == NULL ? STR_NULL
			       : take_str(r, item_of(element), NULL, max_bytes);
}
