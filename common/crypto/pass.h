/*
 * Passes of the waiting line: who has which ticket of which line, signed. A pass is a
 * compact JWT (RFC 7519) with one fixed algorithm, HMAC-SHA-256:
 *
 *   {"alg":"HS256","kid":"<kid>","typ":"JWT"} . {"exp":…,"line":…,"num":…,"sub":"…"} .
 * MAC
 *
 * Nothing of it is negotiated. A header must be, byte for byte, the one that we write for
 * a key that we have; then the signature must fit; only then is a claim looked at. The
 * same claims always give the same text, so a user who asks again gets the same pass.
 *
 * It knows no clock and no line: whether a ticket is served is queue/line_rules.h.
 */
#ifndef ONRUSH_CRYPTO_PASS_H
#define ONRUSH_CRYPTO_PASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum {
	PASS_TEXT_MAX = 320, /* bytes of any pass that is written, without a NUL */
	PASS_KID_MAX = 16,
	PASS_SECRET_SIZE = 32,
	PASS_KEYS_MAX = 8,
};

struct pass {
	int64_t line;      /* 0 and up */
	int64_t user_id;   /* 1 and up */
	int64_t ticket;    /* 1 and up */
	int64_t expires_s; /* seconds since 1970, UTC */
};

/* The keys of one file. The first signs; all of them check. */
struct pass_keys;

enum pass_verdict {
	PASS_VALID,
	PASS_FORGED,  /* not one of ours, or not for a key that we have */
	PASS_EXPIRED, /* ours, but its time is over */
};

/*
 * Reads a file with one key a line: an id of 1 to 16 letters, digits, '-' or '_', a
 * space, 64 hex digits. To rotate, put a new line first, and take the old one away when
 * its passes are over. NULL, with a sentence in err[err_size], when the file is not that.
 * The caller owns the result.
 */
struct pass_keys *pass_keys_load(const char *path, char *err, size_t err_size);
/* The same from the file's text. */
struct pass_keys *pass_keys_parse(str text, char *err, size_t err_size);
void pass_keys_free(struct pass_keys *keys); /* NULL is fine */

/* Writes a file, mode 0600, with one new key. Refuses to overwrite. */
bool pass_keys_generate(const char *path, char *err, size_t err_size) MUST_USE;

/* Writes the pass to out; how long it is. */
size_t pass_write(
    const struct pass_keys *keys, const struct pass *pass, char out[PASS_TEXT_MAX]);

/* Checks a pass at `now_s`; fills *out unless it is forged. */
enum pass_verdict pass_check(
    const struct pass_keys *keys, str text, int64_t now_s, struct pass *out) MUST_USE;

/* The pass of an "Authorization: Bearer <pass>" field; p == NULL if it has none. */
str pass_of_authorization(str value);

#endif
