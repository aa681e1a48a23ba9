/*
 * A file of keys that check tokens: a JSON Web Key Set (RFC 7517, 5), as an identity
 * provider publishes it or as its operator wrote it. Read strictly: what is there twice,
 * too small, of an algorithm that we do not check, or has a private part, refuses the
 * file with a sentence; only keys for encryption ("use":"enc") and members that we do not
 * know are passed over, as the RFC wants it.
 *
 *   {"keys": [{"kty":"OKP","crv":"Ed25519","kid":"2026-11","x":"…"},
 *             {"kty":"EC","crv":"P-256","kid":"b","x":"…","y":"…"},
 *             {"kty":"RSA","kid":"c","n":"…","e":"AQAB"},
 *             {"kty":"oct","alg":"HS256","kid":"d","k":"…"}]}
 *
 * A key's kind fixes its algorithm (crypto/jwk.h); an "alg" must say the same. Every key
 * has a "kid", unless it is the only one. Immutable: any thread may look keys up.
 */
#ifndef ONRUSH_HTTP_JWKS_H
#define ONRUSH_HTTP_JWKS_H

#include "crypto/jwk.h"

enum {
	JWKS_SIZE = 65536, /* bytes of a file at most */
	JWKS_KEYS = 16,
	JWKS_KID_MAX = 128, /* bytes */
};

struct jwks;

/* The caller owns the result. NULL with a sentence in err[err_size]. */
struct jwks *jwks_parse(str text, char *err, size_t err_size);
void jwks_free(struct jwks *keys); /* NULL is fine */

size_t jwks_count(const struct jwks *keys);

/* The key that a token with this "kid" (p == NULL: it has none) and "alg" must be signed
 * with, borrowed; NULL if there is none. Without a kid only the only key is found. */
const struct jwk *jwks_find(const struct jwks *keys, str kid, enum jwk_alg alg);

#endif
