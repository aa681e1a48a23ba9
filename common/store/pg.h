/*
 * What the two PostgreSQL clients share: statements, parameters and results. Only the
 * files of store/ include libpq. Parameters and results are text.
 */
#ifndef ONRUSH_STORE_PG_H
#define ONRUSH_STORE_PG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/uuid.h"

enum {
	PG_MAX_PARAMS = 16
};

/* A statement, prepared once per connection. Make them static const. */
struct pg_stmt {
	const char *name; /* unique in the program */
	const char *sql;
};

/* Parameters, filled in order. All texts live in the arena (borrowed) until the result.
 */
struct pg_params {
	struct arena *arena;
	int count;
	const char *values[PG_MAX_PARAMS]; /* NULL is SQL NULL */
};

void pg_params_init(struct pg_params *p, struct arena *arena);
void pg_add_i64(struct pg_params *p, int64_t value);
void pg_add_str(struct pg_params *p, str value); /* no NUL byte; STR_NULL is NULL */
void pg_add_time(struct pg_params *p, int64_t wall_us); /* for timestamptz */
void pg_add_bytes(struct pg_params *p, const void *bytes, size_t size); /* for bytea */
void pg_add_uuid(struct pg_params *p, uuid value);
void pg_add_null(struct pg_params *p);
/* Arrays, for unnest: "{1,2,3}". */
void pg_add_i64_array(struct pg_params *p, const int64_t *values, size_t count);
void pg_add_uuid_array(struct pg_params *p, const uuid *values, size_t count);
/* Each element is quoted; STR_NULL elements become NULL. */
void pg_add_str_array(struct pg_params *p, const str *values, size_t count);
/* `count` values of `size` bytes, one after the other, for bytea[]. */
void
pg_add_bytes_array(struct pg_params *p, const void *bytes, size_t size, size_t count);
void pg_add_time_array(struct pg_params *p, const int64_t *wall_us, size_t count);

/* The rows of one statement. */
struct pg_result;

int pg_rows(const struct pg_result *r);
bool pg_is_null(const struct pg_result *r, int row, int col);
str pg_str(const struct pg_result *r, int row, int col); /* borrowed from the result */
int64_t pg_i64(const struct pg_result *r, int row, int col); /* NULL gives 0 */
double pg_double(const struct pg_result *r, int row, int col);
bool pg_bool(const struct pg_result *r, int row, int col);
/* bytea of exactly `size` bytes; false if it is another size or NULL. */
bool pg_bytes(const struct pg_result *r, int row, int col, void *out, size_t size);
/* timestamptz as PostgreSQL prints it in UTC with ISO DateStyle (both set on connect),
 * of the years 1 to 9999; NULL gives 0, infinity INT64_MAX, -infinity INT64_MIN. */
int64_t pg_time_us(const struct pg_result *r, int row, int col);
/* Rows that INSERT, UPDATE or DELETE touched. */
int64_t pg_affected(const struct pg_result *r);

#endif
