/*
 * The Idempotency-Key of a request (draft-ietf-httpapi-idempotency-key-header): a client
 * that repeats a request with the same key gets the answer of the first.
 */
#ifndef ONRUSH_HTTP_IDEMPOTENCY_H
#define ONRUSH_HTTP_IDEMPOTENCY_H

#include "base/uuid.h"
#include "http/rq.h"

enum {
	IDEMPOTENCY_KEY_MAX = 255, /* bytes */
};

/* The key, borrowed from the request; p == NULL when it has none. False: it has one that
 * is empty or too long; then answer with idempotency_refuse. */
bool idempotency_key(const struct rq *rq, str *key) MUST_USE;
rq_next idempotency_refuse(struct rq *rq) MUST_USE;

/*
 * The id of what is asked for. With a key it is a function of domain (which names the
 * call), user and key, so that the same request is the same request wherever it arrives;
 * without one (p == NULL) it is new.
 */
uuid idempotency_id(str domain, int64_t user_id, str key);

#endif
