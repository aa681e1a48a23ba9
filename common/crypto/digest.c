/*
 * SHA-256 through one context per thread and an algorithm that was fetched once: finding
 * it by name costs more than hashing a small message with it.
 */
#include "crypto/digest.h"

#include <pthread.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/die.h"

enum {
	BLOCK_SIZE = 64 /* of SHA-256, for HMAC */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256, *sha1;     /* owned until the process ends */
static pthread_key_t context_key; /* each thread's EVP_MD_CTX, owned by the thread */

static void
free_context(void *ctx)
{
	EVP_MD_CTX_free(ctx);
}

static void
init_once(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	ASSERT(sha256 != NULL && sha1 != NULL);
	ASSERT(pthread_key_create(&context_key, free_context) == 0);
}

/* This thread's context. */
static EVP_MD_CTX *
context(void)
{
	EVP_MD_CTX *ctx;

	pthread_once(&once, init_once);
	ctx = pthread_getspecific(context_key);
	if (ctx == NULL) {
		ctx = EVP_MD_CTX_new();
		ASSERT(ctx != NULL && pthread_setspecific(context_key, ctx) == 0);
	}
	return ctx;
}

/* Writes as many bytes as the algorithm gives. It is passed by its place, since the first
 * call of context() fetches it. */
static void
digest(EVP_MD *const *algorithm, const str *parts, size_t count, uint8_t *out)
{
	EVP_MD_CTX *ctx = context();

	ASSERT(EVP_DigestInit_ex2(ctx, *algorithm, NULL) == 1);
	for (size_t i = 0; i < count; i++)
		ASSERT(EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1);
	ASSERT(EVP_DigestFinal_ex(ctx, out, NULL) == 1);
}

struct sha256
sha256_of(const str *parts, size_t count)
{
	struct sha256 hash;

	digest(&sha256, parts, count, hash.b);
	return hash;
}

struct sha1
sha1_of(const str *parts, size_t count)
{
	struct sha1 hash;

	digest(&sha1, parts, count, hash.b);
	return hash;
}

/* RFC 2104: H(key ^ opad, H(key ^ ipad, message)). OpenSSL's own would need a second
 * context per thread and is no faster. */
struct sha256
hmac_sha256(str key, str message)
{
	char inner_pad[BLOCK_SIZE], outer_pad[BLOCK_SIZE];
	struct sha256 hash;

	if (key.n > BLOCK_SIZE) {
		hash = sha256_of(&key, 1);
		key = (str){ (const char *)hash.b, sizeof(hash.b) };
	}
	for (size_t i = 0; i < BLOCK_SIZE; i++) {
		char k = i < key.n ? key.p[i] : 0;

		inner_pad[i] = k ^ 0x36;
		outer_pad[i] = k ^ 0x5c;
	}
	hash = sha256_of((str[]){ { inner_pad, BLOCK_SIZE }, message }, 2);
	hash = sha256_of(
	    (str[]){ { outer_pad, BLOCK_SIZE }, { (const char *)hash.b, SHA256_SIZE } },
	    2);
	OPENSSL_cleanse(inner_pad, sizeof(inner_pad));
	OPENSSL_cleanse(outer_pad, sizeof(outer_pad));
	return hash;
}

bool
digest_equal(const void *a, const void *b, size_t size)
{
	return CRYPTO_memcmp(a, b, size) == 0;
}
