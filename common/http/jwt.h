/*
 * Tokens that say who somebody is: JWS in the compact form (RFC 7515, 3.1) with JWT
 * claims (RFC 7519), checked as RFC 8725 advises.
 *
 *   text ──jwt_open──> header, claims' text, signature     nothing is believed yet
 *        ──jwks_find──> the key, by kid and algorithm
 *        ──jwk_verify──> the signature fits
 *        ──jwt_read──> the claims, and whether they are good here and now
 *
 * jwt_check does all of it, in this order. Refused: what is longer than JWT_TEXT_MAX; any
 * text that is not three parts of base64url without padding, each the only text of its
 * bytes; JSON that is not strict (json.h), with a member twice; an algorithm other than
 * the key's, "none" above all; "crit" (no extension is understood); a "typ" other than
 * JWT and at+jwt; no "exp". Keys that a token brings along ("jwk", "jku", "x5c") are
 * never looked at.
 *
 * It knows no clock and keeps nothing.
 */
#ifndef ONRUSH_HTTP_JWT_H
#define ONRUSH_HTTP_JWT_H

#include <stdint.h>

#include "base/arena.h"
#include "http/jwks.h"

enum {
	JWT_TEXT_MAX = 4096, /* bytes */
	/* By how much an issuer's clock may be ahead, for "nbf" and "iat". A token ends
	 * at the second of "exp" and not later. */
	JWT_SKEW_S = 60,
};

enum jwt_verdict {
	JWT_VALID,
	JWT_MALFORMED,   /* not the form described above */
	JWT_UNKNOWN_KEY, /* no key of this id and algorithm */
	JWT_FORGED,      /* the signature does not fit */
	JWT_EXPIRED,
	JWT_EARLY, /* not yet valid, or made in the future */
	JWT_OTHER_ISSUER,
	JWT_OTHER_AUDIENCE, /* made for somebody else */
	JWT_NO_USER,        /* its claim of the user is not a user's id */
	JWT_VERDICT_COUNT
};

/* What a token must say. */
struct jwt_wanted {
	str issuer;       /* of "iss"; empty: any */
	str audience;     /* among those of "aud"; empty: any */
	const char *user; /* the claim with the user's id: a whole number from 1 on, or
			   * the same as text */
	int64_t now_s;    /* seconds since 1970 */
};

/* A token's parts; all that it points to is in the arena or in the text. */
struct jwt {
	enum jwk_alg alg;
	str kid;         /* p == NULL: it has none */
	str signed_text; /* what the signature is of */
	str claims;      /* JSON */
	str signature;   /* bytes */
};

/* What is known of who shows a good token. */
struct jwt_subject {
	int64_t user_id;
	int64_t expires_s;
};

/* JWT_VALID, JWT_MALFORMED, or JWT_UNKNOWN_KEY for an algorithm that no key can have. */
enum jwt_verdict jwt_open(str text, struct arena *arena, struct jwt *out) MUST_USE;

/* Of claims whose signature fits. Fills *out if they are good. */
enum jwt_verdict jwt_read(str claims, const struct jwt_wanted *wanted,
    struct arena *arena, struct jwt_subject *out) MUST_USE;

enum jwt_verdict
jwt_check(str text, const struct jwks *keys, const struct jwt_wanted *wanted,
    struct arena *arena, struct jwt_subject *out) MUST_USE;

/* A word for metrics, static. */
const char *jwt_verdict_name(enum jwt_verdict verdict);

#endif
