/* Campaigns, receipts and heads as JSON: in answers, replies and exports alike. */
#ifndef ONRUSH_COUPON_COUPON_JSON_H
#define ONRUSH_COUPON_COUPON_JSON_H

#include "coupon/coupon.h"
#include "http/json_values.h"

/* The members of a campaign, into the object that is open. */
void campaign_put(struct json_writer *w, const struct campaign *c);
/* Reads them; generation, version and head are left alone. */
void campaign_get(struct json_reader *r, const struct json *object, struct campaign *c);

/* A receipt with its head. head may be NULL; path (the entries after it up to the head's
 * rank, for checking it alone) too. */
void receipt_put(struct json_writer *w, const char *name, const struct receipt *r,
    const struct chain_head *head, const struct sha256 *path, size_t path_count);
void receipt_get(struct json_reader *r, const struct json *object, struct receipt *out);

void head_put(struct json_writer *w, const char *name, const struct chain_head *head);
void head_get(struct json_reader *r, const struct json *object, struct chain_head *out);

#endif
