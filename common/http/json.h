/*
 * Strict JSON (RFC 8259) over cJSON. Refused: duplicate keys, bytes after the value, bad
 * UTF-8, raw control characters, \u0000, unpaired surrogates, numbers with leading zeros,
 * depth over 16, arrays over 1000 elements, objects over 64 members.
 *
 * Integers are exact: as JSON numbers up to 2^53 (9007199254740992) in size, without
 * fraction or exponent; beyond, to int64, as decimal text in a string.
 *
 * A json_reader remembers the first thing that was wrong, so that a handler reads all its
 * fields and asks once:
 *
 *	json_open(&r, rq->arena, rq->body);
 *	user = json_i64(&r, r.root, "userId", 1, INT64_MAX);
 *	coupon = json_i64(&r, r.root, "couponId", 1, INT64_MAX);
 *	if (r.err != ERR_OK)
 *		return rq_fail_because(rq, r.err, "%s", r.why);
 */
#ifndef ONRUSH_HTTP_JSON_H
#define ONRUSH_HTTP_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct json; /* a value; lives in the reader until json_close */

struct json_reader {
	struct arena *arena;     /* borrowed; holds strings and messages */
	const struct json *root; /* owned; NULL when it could not be parsed */
	enum err err;            /* ERR_OK, ERR_BAD_JSON or ERR_BAD_PARAMETER */
	const char *why;         /* a sentence, in the arena or static */
	size_t at;               /* of ERR_BAD_JSON: about where, in bytes */
};

/* Parses; the root must be an object or an array. */
void json_open(struct json_reader *r, struct arena *arena, str text);
void json_close(struct json_reader *r);

/* A required integer member of the object within min..max; 0 and r->err otherwise. With
 * object NULL (after an earlier error) all getters return their zero. */
int64_t json_i64(struct json_reader *r, const struct json *object, const char *name,
    int64_t min, int64_t max);
/* The same, `absent` when the member is missing or null. */
int64_t json_i64_or(struct json_reader *r, const struct json *object, const char *name,
    int64_t min, int64_t max, int64_t absent);
/* A number, for rates such as 0.3. */
double json_double_or(struct json_reader *r, const struct json *object, const char *name,
    double min, double max, double absent);
bool json_bool_or(
    struct json_reader *r, const struct json *object, const char *name, bool absent);
/* A string of at most max_bytes, copied into the arena; p == NULL when absent. */
str json_str(
    struct json_reader *r, const struct json *object, const char *name, size_t max_bytes);
str json_str_or(struct json_reader *r, const struct json *object, const char *name,
    size_t max_bytes, str absent);
/* A required object or array; NULL and r->err otherwise. */
const struct json *
json_object(struct json_reader *r, const struct json *object, const char *name);
const struct json *json_array(struct json_reader *r, const struct json *object,
    const char *name, size_t min, size_t max);
/* The object has a member of this name that is not null. */
bool json_has(const struct json *object, const char *name);
/* …and that one is an array. */
bool json_has_array(const struct json *object, const char *name);
/* Walks an array: the first element, then the next; NULL at the end. */
const struct json *json_first(const struct json *array);
const struct json *json_next(const struct json *element);
/* The name of an object's member, which is walked like an array; borrowed. */
str json_name(const struct json *member);
/* The element itself as integer or string, for arrays of scalars. */
int64_t json_element_i64(
    struct json_reader *r, const struct json *element, int64_t min, int64_t max);
str json_element_str(struct json_reader *r, const struct json *element, size_t max_bytes);

/* --- writing: into a buf, commas by itself --------------------------------------------
 */

struct json_writer {
	struct buf *out; /* borrowed */
	bool comma;      /* the next member needs one before it */
};

void
json_begin_object(struct json_writer *w, const char *name); /* name NULL: in an array */
void json_end_object(struct json_writer *w);
void json_begin_array(struct json_writer *w, const char *name);
void json_end_array(struct json_writer *w);
/* Integers beyond 2^53 in size are written as strings, as they are read. */
void json_put_i64(struct json_writer *w, const char *name, int64_t value);
/* With the fewest digits that read back the same; null if it is not finite. */
void json_put_double(struct json_writer *w, const char *name, double value);
void json_put_bool(struct json_writer *w, const char *name, bool value);
void json_put_str(struct json_writer *w, const char *name, str value);
void json_put_null(struct json_writer *w, const char *name);
void
json_put_hex(struct json_writer *w, const char *name, const void *bytes, size_t size);
void json_put_time(struct json_writer *w, const char *name, int64_t wall_us);
/* JSON text as it is. */
void json_put_raw(struct json_writer *w, const char *name, str json);

#endif
