#include "http/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

/* A comma if one is due, and the name; then the value follows. */
static void
begin_value(struct json_writer *w, const char *name)
{
	if (w->comma)
		buf_add(w->out, ",", 1);
	if (name != NULL) {
		buf_add_json_str(w->out, str_of(name));
		buf_add(w->out, ":", 1);
	}
	w->comma = true;
}

static void
open_bracket(struct json_writer *w, const char *name, const char *bracket)
{
	begin_value(w, name);
	buf_add(w->out, bracket, 1);
	w->comma = false;
}

static void
close_bracket(struct json_writer *w, const char *bracket)
{
	buf_add(w->out, bracket, 1);
	w->comma = true;
}

void
json_begin_object(struct json_writer *w, const char *name)
{
	open_bracket(w, name, "{");
}

void
json_end_object(struct json_writer *w)
{
	close_bracket(w, "}");
}

void
json_begin_array(struct json_writer *w, const char *name)
{
	open_bracket(w, name, "[");
}

void
json_end_array(struct json_writer *w)
{
	close_bracket(w, "]");
}

void
json_put_i64(struct json_writer *w, const char *name, int64_t value)
{
	const int64_t limit = INT64_C(1) << 53;
	bool quoted = value > limit || value < -limit;

	begin_value(w, name);
	if (quoted)
		buf_add(w->out, "\"", 1);
	buf_add_i64(w->out, value);
	if (quoted)
		buf_add(w->out, "\"", 1);
}

void
json_put_double(struct json_writer *w, const char *name, double value)
{
	char text[32];

	begin_value(w, name);
	if (!isfinite(value)) {
		buf_add_str(w->out, STR("null"));
		return;
	}
	/* The fewest digits that read back as the same number: 0.3, not 0.29999…9. */
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	buf_add_str(w->out, str_of(text));
}

void
json_put_bool(struct json_writer *w, const char *name, bool value)
{
	begin_value(w, name);
	buf_add_str(w->out, value ? STR("true") : STR("false"));
}

void
json_put_str(struct json_writer *w, const char *name, str value)
{
	begin_value(w, name);
	buf_add_json_str(w->out, value.n > 0 ? value : STR(""));
}

void
json_put_null(struct json_writer *w, const char *name)
{
	begin_value(w, name);
	buf_add_str(w->out, STR("null"));
}

void
json_put_hex(struct json_writer *w, const char *name, const void *bytes, size_t size)
{
	begin_value(w, name);
	buf_add(w->out, "\"", 1);
	hex_encode(bytes, size, buf_reserve(w->out, 2 * size + 1));
	buf_grew(w->out, 2 * size);
	buf_add(w->out, "\"", 1);
}

void
json_put_time(struct json_writer *w, const char *name, int64_t wall_us)
{
	char text[CLOCK_ISO_SIZE];

	clock_format_iso(wall_us, text);
	json_put_str(w, name, str_of(text));
}

void
json_put_raw(struct json_writer *w, const char *name, str json)
{
	begin_value(w, name);
	buf_add_str(w->out, json);
}
