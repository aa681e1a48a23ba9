/*
 * Ed25519 signatures (RFC 8032). Keys are PEM files: PKCS #8 for the private key, SPKI
 * for the public one, as `onrush keygen` and openssl genpkey write them. A key's id is
 * the first 8 bytes of the SHA-256 of its 32 public bytes, in hex.
 */
#ifndef ONRUSH_CRYPTO_SIGN_H
#define ONRUSH_CRYPTO_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum {
	SIGN_SIZE = 64,
	SIGN_KEY_ID_SIZE = 17 /* with the NUL */
};

struct sign_key;   /* private */
struct verify_key; /* public */

/* NULL with a sentence in err[err_size] when the file is not that. The caller owns it. */
struct sign_key *sign_key_load(const char *path, char *err, size_t err_size);
struct verify_key *verify_key_load(const char *path, char *err, size_t err_size);
void sign_key_free(struct sign_key *key);     /* NULL is fine */
void verify_key_free(struct verify_key *key); /* NULL is fine */

const char *sign_key_id(const struct sign_key *key);
const char *verify_key_id(const struct verify_key *key);
/* The public half as PEM text, borrowed from the key. */
const char *sign_key_public_pem(const struct sign_key *key);

/* One thread at a time per key. */
void sign_message(struct sign_key *key, str message, uint8_t signature[SIGN_SIZE]);
bool
verify_message(struct verify_key *key, str message, const uint8_t signature[SIGN_SIZE]);

/* Writes a new pair; the private file with mode 0600. Refuses to overwrite. */
bool sign_key_generate(
    const char *private_path, const char *public_path, char *err, size_t err_size);

#endif
