#include "http/json_values.h"

#include "base/clock.h"

static void
refuse(struct json_reader *r, const char *name, const char *what)
{
	if (r->err != ERR_OK)
		return;
	r->err = ERR_BAD_PARAMETER;
	r->why = arena_printf(r->arena, "\"%s\" must be %s.", name, what);
}

static int64_t
time_of(struct json_reader *r, const char *name, str text, int64_t absent)
{
	int64_t wall_us = absent;

	if (r->err == ERR_OK && text.p != NULL && !clock_parse_iso(text, &wall_us))
		refuse(r, name, "a time such as 2026-12-24T12:00:00Z");
	return wall_us;
}

int64_t
json_get_time(struct json_reader *r, const struct json *object, const char *name)
{
	return time_of(r, name, json_str(r, object, name, CLOCK_ISO_SIZE), 0);
}

int64_t
json_get_time_or(
    struct json_reader *r, const struct json *object, const char *name, int64_t absent)
{
	return time_of(
	    r, name, json_str_or(r, object, name, CLOCK_ISO_SIZE, STR_NULL), absent);
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
json_put_uuid(struct json_writer *w, const char *name, uuid id)
{
	char text[UUID_TEXT_SIZE];

	uuid_format(id, text);
	json_put_str(w, name, str_of(text));
}

void
json_get_hex(struct json_reader *r, const struct json *object, const char *name,
    void *out, size_t size)
{
	str text = json_str(r, object, name, 2 * size);

	if (r->err == ERR_OK && !hex_decode(text, out, size))
		refuse(r, name, "hex of its length");
}
