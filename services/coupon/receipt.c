#include "coupon/receipt.h"

#include <stdio.h>
#include <string.h>

#include "base/die.h"

static void
put_be64(uint8_t out[8], int64_t value)
{
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)((uint64_t)value >> (56 - 8 * i));
}

static str
bytes(const void *p, size_t n)
{
	return (str){ p, n };
}

struct sha256
receipt_chain_start(int64_t coupon_id)
{
	uint8_t id[8];

	put_be64(id, coupon_id);
	return sha256_of((str[]){ STR("onrush-chain-v1"), bytes(id, sizeof(id)) }, 2);
}

struct sha256
receipt_entry(const struct receipt *r)
{
	uint8_t fields[4][8];

	put_be64(fields[0], r->coupon_id);
	put_be64(fields[1], r->rank);
	put_be64(fields[2], r->user_id);
	put_be64(fields[3], r->issued_us);
	return sha256_of((str[]){ STR("onrush-receipt-v1"), bytes(fields, sizeof(fields)),
			     bytes(r->request_id.b, sizeof(r->request_id.b)) },
	    3);
}

struct sha256
receipt_link(const struct sha256 *previous, const struct sha256 *entry)
{
	return sha256_of(
	    (str[]){ bytes(previous->b, SHA256_SIZE), bytes(entry->b, SHA256_SIZE) }, 2);
}

void
receipt_seal(struct receipt *r, const struct sha256 *previous)
{
	struct sha256 entry = receipt_entry(r);

	r->previous = *previous;
	r->hash = receipt_link(previous, &entry);
}

#define HEAD_PREFIX "onrush-head-v1"
enum {
	HEAD_PREFIX_SIZE = sizeof(HEAD_PREFIX) - 1,
	HEAD_SIZE = HEAD_PREFIX_SIZE + 8 + 8 + SHA256_SIZE,
};

static str
head_message(const struct chain_head *head, uint8_t out[HEAD_SIZE])
{
	memcpy(out, HEAD_PREFIX, HEAD_PREFIX_SIZE);
	put_be64(out + HEAD_PREFIX_SIZE, head->coupon_id);
	put_be64(out + HEAD_PREFIX_SIZE + 8, head->rank);
	memcpy(out + HEAD_PREFIX_SIZE + 16, head->hash.b, SHA256_SIZE);
	return bytes(out, HEAD_SIZE);
}

void
receipt_sign_head(struct chain_head *head, struct sign_key *key)
{
	uint8_t message[HEAD_SIZE];

	sign_message(key, head_message(head, message), head->signature);
	snprintf(head->key_id, sizeof(head->key_id), "%s", sign_key_id(key));
}

bool
receipt_check_head(const struct chain_head *head, struct verify_key *key)
{
	uint8_t message[HEAD_SIZE];

	return verify_message(key, head_message(head, message), head->signature);
}
