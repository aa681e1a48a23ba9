#include "http/idempotency.h"

#include "crypto/digest.h"

bool
idempotency_key(const struct rq *rq, str *key)
{
	*key = http_header(rq->head, STR("Idempotency-Key"));
	return key->p == NULL || (key->n > 0 && key->n <= IDEMPOTENCY_KEY_MAX);
}

rq_next
idempotency_refuse(struct rq *rq)
{
	return rq_fail_because(rq, ERR_BAD_PARAMETER,
	    "Idempotency-Key must have 1 to %d characters.", IDEMPOTENCY_KEY_MAX);
}

uuid
idempotency_id(str domain, int64_t user_id, str key)
{
	struct sha256 hash;

	if (key.p == NULL)
		return uuid_new();
	hash = sha256_of(
	    (str[]){ domain, { (const char *)&user_id, sizeof(user_id) }, key }, 3);
	return uuid_from_hash(hash.b);
}
