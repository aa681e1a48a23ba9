/* One person's receipt as the API gives it. */
#ifndef ONRUSH_ONRUSH_RECEIPT_JSON_H
#define ONRUSH_ONRUSH_RECEIPT_JSON_H

#include "base/arena.h"
#include "coupon/coupon.h"

struct receipt_proof {
	struct receipt receipt;
	struct chain_head head;
	struct sha256 *path; /* in the arena */
	size_t path_count;
};

/*
 * Reads the whole answer of GET /api/v1/coupons/{couponId}/requests/{requestId}, or of it
 * only the object "data" or "receipt". False with a sentence in *why (in the arena or
 * static).
 */
bool receipt_proof_read(struct receipt_proof *proof, struct arena *arena, str text,
    const char **why) MUST_USE;

#endif
