/* A campaign as JSON, as the API and the export have it, and as a row on the terminal. */
#ifndef ONRUSH_ONRUSH_CAMPAIGN_JSON_H
#define ONRUSH_ONRUSH_CAMPAIGN_JSON_H

#include "coupon/coupon.h"
#include "http/json.h"
#include "onrush/table.h"

/* Writes the members into the object that is open. */
void campaign_put(struct json_writer *w, const struct campaign *c);

/* Reads them; generation, version and head are left alone. r->err says what is wrong. */
void campaign_get(struct json_reader *r, const struct json *object, struct campaign *c);

/* Members that stand in other objects too. What is wrong ends in r->err. */
int64_t json_get_time(
    struct json_reader *r, const struct json *object, const char *name, int64_t absent);
uuid json_get_uuid(struct json_reader *r, const struct json *object, const char *name);
void json_get_hex(struct json_reader *r, const struct json *object, const char *name,
    void *out, size_t size);
void json_put_uuid(struct json_writer *w, const char *name, uuid id);

/* A table for campaigns, and a row of it. */
struct table *campaign_table(struct arena *arena);
void campaign_row(struct table *t, struct arena *arena, const struct campaign *c);

#endif
