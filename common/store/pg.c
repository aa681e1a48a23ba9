/*
 * Parameters as the texts that PostgreSQL reads, results from the texts that it prints.
 * struct pg_result is libpq's own PGresult under its other name, so that a result costs
 * nothing to hand over. Nothing here knows a connection.
 *
 * A value that cannot be what its column was declared to be (letters where a bigint is
 * read) means that statement and code do not fit: a bug, and an ASSERT.
 */
#include "store/pg.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum {
	I64_TEXT_MAX = 20 /* "-9223372036854775808" */
};

static void add(struct pg_params *p, const char *text);
static char *put_i64(char *at, int64_t value);
static char *put_time(char *at, int64_t wall_us);
static char *put_quoted(char *at, str s);
static const char *value_of(const struct pg_result *r, int row, int col);

/* --- parameters ----------------------------------------------------------------------
 */

void
pg_params_init(struct pg_params *p, struct arena *arena)
{
	p->arena = arena;
	p->count = 0;
}

void
pg_add_i64(struct pg_params *p, int64_t value)
{
	char *text = arena_alloc(p->arena, I64_TEXT_MAX + 1);

	put_i64(text, value);
	add(p, text);
}

void
pg_add_str(struct pg_params *p, str value)
{
	ASSERT(value.n == 0 || memchr(value.p, '\0', value.n) == NULL);
	add(p, value.p == NULL ? NULL : arena_strdup(p->arena, value));
}

void
pg_add_time(struct pg_params *p, int64_t wall_us)
{
	char *text = arena_alloc(p->arena, CLOCK_ISO_SIZE);

	put_time(text, wall_us);
	add(p, text);
}

void
pg_add_bytes(struct pg_params *p, const void *bytes, size_t size)
{
	char *text = arena_alloc(p->arena, 2 + 2 * size + 1);

	memcpy(text, "\\x", 2);
	hex_encode(bytes, size, text + 2);
	add(p, text);
}

void
pg_add_uuid(struct pg_params *p, uuid value)
{
	char *text = arena_alloc(p->arena, UUID_TEXT_SIZE);

	uuid_format(value, text);
	add(p, text);
}

void
pg_add_null(struct pg_params *p)
{
	add(p, NULL);
}

void
pg_add_i64_array(struct pg_params *p, const int64_t *values, size_t count)
{
	char *text = arena_alloc(p->arena, count * (I64_TEXT_MAX + 1) + 3);
	char *at = text;

	*at++ = '{';
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			*at++ = ',';
		at = put_i64(at, values[i]);
	}
	*at = '}';
	add(p, text);
}

void
pg_add_uuid_array(struct pg_params *p, const uuid *values, size_t count)
{
	char *text = arena_alloc(p->arena, count * UUID_TEXT_SIZE + 3);
	char *at = text;

	*at++ = '{';
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			*at++ = ',';
		uuid_format(values[i], at);
		at += UUID_TEXT_SIZE - 1;
	}
	memcpy(at, "}", 2);
	add(p, text);
}

void
pg_add_str_array(struct pg_params *p, const str *values, size_t count)
{
	size_t room = 3;
	char *text, *at;

	/* Quotes, comma, and every byte escaped; "NULL," is no longer than that. */
	for (size_t i = 0; i < count; i++)
		room += 2 * values[i].n + 5;
	at = text = arena_alloc(p->arena, room);
	*at++ = '{';
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			*at++ = ',';
		if (values[i].p == NULL)
			at = mempcpy(at, "NULL", 4);
		else
			at = put_quoted(at, values[i]);
	}
	*at = '}';
	add(p, text);
}

void
pg_add_bytes_array(struct pg_params *p, const void *bytes, size_t size, size_t count)
{
	const unsigned char *from = bytes;
	char *text = arena_alloc(p->arena, count * (2 * size + 6) + 3);
	char *at = text;

	*at++ = '{';
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			*at++ = ',';
		/* Within the quotes of an array a backslash is written twice. */
		at = mempcpy(at, "\"\\\\x", 4);
		hex_encode(from + i * size, size, at);
		at += 2 * size;
		*at++ = '"';
	}
	*at = '}';
	add(p, text);
}

void
pg_add_time_array(struct pg_params *p, const int64_t *wall_us, size_t count)
{
	char *text = arena_alloc(p->arena, count * (CLOCK_ISO_SIZE + 1) + 3);
	char *at = text;

	*at++ = '{';
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			*at++ = ',';
		at = put_time(at, wall_us[i]);
	}
	memcpy(at, "}", 2);
	add(p, text);
}

static void
add(struct pg_params *p, const char *text)
{
	ASSERT(p->count < PG_MAX_PARAMS);
	p->values[p->count++] = text;
}

/* Writes the digits and returns what is behind them; no NUL. */
static char *
put_i64(char *at, int64_t value)
{
	char digits[STR_DECIMAL_MAX];
	str text = str_decimal(value < 0 ? -(uint64_t)value : (uint64_t)value, digits);

	if (value < 0)
		*at++ = '-';
	return mempcpy(at, text.p, text.n);
}

/* At least CLOCK_ISO_SIZE bytes of room; a NUL is behind the text. */
static char *
put_time(char *at, int64_t wall_us)
{
	clock_format_iso(wall_us, at);
	return at + strlen(at);
}

static char *
put_quoted(char *at, str s)
{
	ASSERT(s.n == 0 || memchr(s.p, '\0', s.n) == NULL);
	*at++ = '"';
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			*at++ = '\\';
		*at++ = s.p[i];
	}
	*at++ = '"';
	return at;
}

/* --- results -------------------------------------------------------------------------
 */

int
pg_rows(const struct pg_result *r)
{
	return PQntuples(r);
}

bool
pg_is_null(const struct pg_result *r, int row, int col)
{
	return value_of(r, row, col) == NULL;
}

str
pg_str(const struct pg_result *r, int row, int col)
{
	const char *text = value_of(r, row, col);

	if (text == NULL)
		return STR_NULL;
	return (str){ text, (size_t)PQgetlength(r, row, col) };
}

int64_t
pg_i64(const struct pg_result *r, int row, int col)
{
	int64_t value = 0;
	bool valid = pg_is_null(r, row, col) ||
		     str_to_i64(pg_str(r, row, col), INT64_MIN, INT64_MAX, &value);

	ASSERT(valid);
	return value;
}

double
pg_double(const struct pg_result *r, int row, int col)
{
	const char *text = value_of(r, row, col);
	double value;
	char *end;

	if (text == NULL)
		return 0;
	value = strtod(text, &end);
	ASSERT(end != text && *end == '\0');
	return value;
}

bool
pg_bool(const struct pg_result *r, int row, int col)
{
	const char *text = value_of(r, row, col);

	ASSERT(text == NULL || strcmp(text, "t") == 0 || strcmp(text, "f") == 0);
	return text != NULL && text[0] == 't';
}

bool
pg_bytes(const struct pg_result *r, int row, int col, void *out, size_t size)
{
	str text = pg_str(r, row, col);

	if (!str_starts(text, STR("\\x")))
		return false;
	return hex_decode((str){ text.p + 2, text.n - 2 }, out, size);
}

int64_t
pg_time_us(const struct pg_result *r, int row, int col)
{
	str text = pg_str(r, row, col);
	char iso[CLOCK_ISO_SIZE];
	int64_t wall_us = 0;
	bool valid;

	if (text.p == NULL)
		return 0;
	if (str_eq(text, STR("infinity")))
		return INT64_MAX;
	if (str_eq(text, STR("-infinity")))
		return INT64_MIN;
	/* "2026-11-21 03:04:05.5+00" is RFC 3339 but for the space and the zone. */
	ASSERT(text.n > 13 && text.n < sizeof(iso) && text.p[10] == ' ');
	ASSERT(str_eq((str){ text.p + text.n - 3, 3 }, STR("+00")));
	memcpy(iso, text.p, text.n);
	iso[10] = 'T';
	iso[text.n - 3] = 'Z';
	valid = clock_parse_iso((str){ iso, text.n - 2 }, &wall_us);
	ASSERT(valid);
	return wall_us;
}

int64_t
pg_affected(const struct pg_result *r)
{
	/* libpq forgot the const; it only reads. */
	const char *text = PQcmdTuples((PGresult *)(uintptr_t)r);
	int64_t count = 0;

	return str_to_i64(str_of(text), 0, INT64_MAX, &count) ? count : 0;
}

/* The text, NULL for SQL NULL. libpq would answer a wrong place with a line on stderr. */
static const char *
value_of(const struct pg_result *r, int row, int col)
{
	ASSERT(r != NULL && row >= 0 && row < PQntuples(r));
	ASSERT(col >= 0 && col < PQnfields(r));
	return PQgetisnull(r, row, col) ? NULL : PQgetvalue(r, row, col);
}
