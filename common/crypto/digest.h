/* SHA-256, HMAC-SHA-256 and, for protocols that want it, SHA-1. Only the files of crypto/
 * include OpenSSL. */
#ifndef ONRUSH_CRYPTO_DIGEST_H
#define ONRUSH_CRYPTO_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum {
	SHA256_SIZE = 32,
	SHA1_SIZE = 20,
};

struct sha256 {
	uint8_t b[SHA256_SIZE];
};

struct sha1 {
	uint8_t b[SHA1_SIZE];
};

/* The hash of the parts, one after the other. */
struct sha256 sha256_of(const str *parts, size_t count);
/* The same; protects nothing: whoever likes can make two texts with the same one. */
struct sha1 sha1_of(const str *parts, size_t count);
struct sha256 hmac_sha256(str key, str message);

/* Takes the same time wherever they differ. */
bool digest_equal(const void *a, const void *b, size_t size);

#endif
