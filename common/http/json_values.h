/*
 * Members of JSON objects that are more than JSON's own types: times, UUIDs, bytes in
 * hex. What is wrong ends in r->err like with the getters of json.h.
 */
#ifndef ONRUSH_HTTP_JSON_VALUES_H
#define ONRUSH_HTTP_JSON_VALUES_H

#include "base/uuid.h"
#include "http/json.h"

/* Wall time in microseconds, from RFC 3339 text; json_get_time_or gives `absent` when the
 * member is missing or null. */
int64_t json_get_time(struct json_reader *r, const struct json *object, const char *name);
int64_t json_get_time_or(
    struct json_reader *r, const struct json *object, const char *name, int64_t absent);

uuid json_get_uuid(struct json_reader *r, const struct json *object, const char *name);
void json_put_uuid(struct json_writer *w, const char *name, uuid id);

/* Exactly `size` bytes into out. */
void json_get_hex(struct json_reader *r, const struct json *object, const char *name,
    void *out, size_t size);

#endif
