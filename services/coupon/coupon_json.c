#include "coupon/coupon_json.h"

#include <string.h>

#include "coupon/coupon_rules.h"

/* --- campaigns ----------------------------------------------------------------- */

/* An instant that is not set is left out. */
static void
put_instant(struct json_writer *w, const char *name, int64_t wall_us)
{
	if (wall_us != INT64_MIN && wall_us != INT64_MAX)
		json_put_time(w, name, wall_us);
}

void
campaign_put(struct json_writer *w, const struct campaign *c)
{
	json_put_i64(w, "couponId", c->coupon_id);
	json_put_str(w, "name", str_of(c->name));
	json_put_str(w, "kind", str_of(coupon_kind_name(c->kind)));
	json_put_str(w, "status", str_of(coupon_state_name(c->state)));
	if (c->kind == COUPON_LIMITED) {
		json_put_i64(w, "quantity", c->quantity);
		json_put_i64(w, "remaining", coupon_remaining(c));
	}
	json_put_i64(w, "issued", c->issued);
	json_put_i64(w, "perUserLimit", c->per_user_limit);
	json_put_double(w, "discountRate", c->discount_rate);
	put_instant(w, "opensAt", c->opens_us);
	put_instant(w, "closesAt", c->closes_us);
	put_instant(w, "expiresAt", c->expires_us);
}

static void
refuse(struct json_reader *r, const char *why)
{
	if (r->err != ERR_OK)
		return;
	r->err = ERR_BAD_PARAMETER;
	r->why = why;
}

void
campaign_get(struct json_reader *r, const struct json *object, struct campaign *c)
{
	str name = json_str(r, object, "name", COUPON_NAME_MAX);
	str kind = json_str(r, object, "kind", COUPON_NAME_MAX);
	str state = json_str(r, object, "status", COUPON_NAME_MAX);

	c->coupon_id = json_i64(r, object, "couponId", 1, INT64_MAX);
	if (r->err == ERR_OK && !coupon_kind_parse(kind, &c->kind))
		refuse(r, "\"kind\" must be LIMITED or UNLIMITED.");
	if (r->err == ERR_OK && !coupon_state_parse(state, &c->state))
		refuse(r, "\"status\" must be DRAFT, PUBLISHABLE or CLOSED.");
	if (r->err == ERR_OK)
		memcpy(c->name, name.p, name.n);
	c->name[name.n] = '\0';
	if (c->kind == COUPON_LIMITED)
		c->quantity = json_i64(r, object, "quantity", 0, INT64_MAX);
	c->issued = json_i64(r, object, "issued", 0, INT64_MAX);
	c->per_user_limit = json_i64(r, object, "perUserLimit", 1, INT64_MAX);
	c->discount_rate = json_double_or(r, object, "discountRate", 0, 1, 0);
	c->opens_us = json_get_time_or(r, object, "opensAt", INT64_MIN);
	c->closes_us = json_get_time_or(r, object, "closesAt", INT64_MAX);
	c->expires_us = json_get_time_or(r, object, "expiresAt", INT64_MAX);
}

/* --- receipts and heads -------------------------------------------------------- */

void
receipt_put(struct json_writer *w, const char *name, const struct receipt *r,
    const struct chain_head *head, const struct sha256 *path, size_t path_count)
{
	json_begin_object(w, name);
	json_put_i64(w, "couponId", r->coupon_id);
	json_put_i64(w, "rank", r->rank);
	json_put_i64(w, "userId", r->user_id);
	json_put_time(w, "issuedAt", r->issued_us);
	json_put_uuid(w, "requestId", r->request_id);
	json_put_hex(w, "previousHash", r->previous.b, SHA256_SIZE);
	json_put_hex(w, "hash", r->hash.b, SHA256_SIZE);
	if (head != NULL)
		head_put(w, "head", head);
	if (path != NULL) {
		json_begin_array(w, "path");
		for (size_t i = 0; i < path_count; i++)
			json_put_hex(w, NULL, path[i].b, SHA256_SIZE);
		json_end_array(w);
	}
	json_end_object(w);
}

void
receipt_get(struct json_reader *r, const struct json *object, struct receipt *out)
{
	out->coupon_id = json_i64(r, object, "couponId", 1, INT64_MAX);
	out->rank = json_i64(r, object, "rank", 1, INT64_MAX);
	out->user_id = json_i64(r, object, "userId", 1, INT64_MAX);
	out->issued_us = json_get_time(r, object, "issuedAt");
	out->request_id = json_get_uuid(r, object, "requestId");
	json_get_hex(r, object, "previousHash", out->previous.b, SHA256_SIZE);
	json_get_hex(r, object, "hash", out->hash.b, SHA256_SIZE);
}

void
head_put(struct json_writer *w, const char *name, const struct chain_head *head)
{
	json_begin_object(w, name);
	json_put_i64(w, "couponId", head->coupon_id);
	json_put_i64(w, "rank", head->rank);
	json_put_hex(w, "hash", head->hash.b, SHA256_SIZE);
	json_put_str(w, "keyId", str_of(head->key_id));
	json_put_hex(w, "signature", head->signature, SIGN_SIZE);
	json_end_object(w);
}

void
head_get(struct json_reader *r, const struct json *object, struct chain_head *out)
{
	str key_id = json_str(r, object, "keyId", SIGN_KEY_ID_SIZE - 1);

	out->coupon_id = json_i64(r, object, "couponId", 1, INT64_MAX);
	out->rank = json_i64(r, object, "rank", 1, INT64_MAX);
	json_get_hex(r, object, "hash", out->hash.b, SHA256_SIZE);
	json_get_hex(r, object, "signature", out->signature, SIGN_SIZE);
	if (r->err == ERR_OK)
		memcpy(out->key_id, key_id.p, key_id.n);
}
