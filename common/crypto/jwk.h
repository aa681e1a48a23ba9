/*
 * Keys that check the signatures of tokens (RFC 7515, RFC 7518, RFC 8037). A key is made
 * of the numbers that a JSON Web Key has, and has one algorithm for ever: what a token
 * says of its algorithm is compared with the key's, never followed. Nothing here signs.
 *
 * A key does not change once it is made: any thread may check with it.
 */
#ifndef ONRUSH_CRYPTO_JWK_H
#define ONRUSH_CRYPTO_JWK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum jwk_alg {
	JWK_EDDSA, /* Ed25519 */
	JWK_ES256, /* ECDSA with P-256 and SHA-256; the signature is r and s, 64 bytes */
	JWK_RS256, /* RSASSA-PKCS1-v1_5 with SHA-256 */
	JWK_HS256, /* HMAC with SHA-256 */
	JWK_ALG_COUNT
};

enum {
	JWK_RSA_MIN_BITS = 2048, /* RFC 7518, 3.3 */
	JWK_RSA_MAX_BITS = 4096, /* what is larger costs more than a sale can pay */
	JWK_SECRET_MIN = 32,     /* bytes; RFC 7518, 3.2 */
	JWK_SECRET_MAX = 128,
	JWK_SIGNATURE_MAX = JWK_RSA_MAX_BITS / 8,
};

struct jwk;

/* As it stands in "alg", static. */
str jwk_alg_name(enum jwk_alg alg);
/* False for every other name, "none" among them. */
bool jwk_alg_parse(str name, enum jwk_alg *alg) MUST_USE;

/*
 * From the members of a JWK as bytes: numbers are big-endian, x and y have 32 bytes. The
 * caller owns the result; NULL when they are no key of this kind, or one that is too
 * small or too large.
 */
struct jwk *jwk_new_eddsa(str x);
struct jwk *jwk_new_es256(str x, str y);
struct jwk *jwk_new_rs256(str n, str e);
struct jwk *jwk_new_hs256(str k);
void jwk_free(struct jwk *key); /* NULL is fine */

enum jwk_alg jwk_alg_of(const struct jwk *key);

/* Is this the signature of the message by this key? Takes 40 to 130 us, with HS256 1. */
bool jwk_verify(const struct jwk *key, str message, str signature) MUST_USE;

#endif
