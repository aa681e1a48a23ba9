/* Public keys through OpenSSL's EVP; secrets through our own HMAC. */
#include "crypto/jwk.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "crypto/digest.h"

enum {
	ED25519_SIZE = 32, /* of a public key */
	P256_SIZE = 32,    /* of a coordinate, and of r and s */
	RSA_E_MAX = 4,     /* bytes */
};

struct jwk {
	enum jwk_alg alg;
	EVP_PKEY *pkey; /* owned; NULL for JWK_HS256 */
	size_t secret_size;
	char secret[JWK_SECRET_MAX]; /* of JWK_HS256 */
};

static const str alg_names[JWK_ALG_COUNT] = {
	[JWK_EDDSA] = STR_INIT("EdDSA"),
	[JWK_ES256] = STR_INIT("ES256"),
	[JWK_RS256] = STR_INIT("RS256"),
	[JWK_HS256] = STR_INIT("HS256"),
};

str
jwk_alg_name(enum jwk_alg alg)
{
	return alg_names[alg];
}

bool
jwk_alg_parse(str name, enum jwk_alg *alg)
{
	for (int i = 0; i < JWK_ALG_COUNT; i++)
		if (str_eq(name, alg_names[i])) {
			*alg = (enum jwk_alg)i;
			return true;
		}
	return false;
}

static const unsigned char *
bytes_of(str s)
{
	return (const unsigned char *)s.p;
}

/* --- keys ----------------------------------------------------------------------------
 */

/* Takes pkey; NULL when there is none. */
static struct jwk *
wrap(enum jwk_alg alg, EVP_PKEY *pkey)
{
	struct jwk *key;

	if (pkey == NULL) {
		/* The queue of this thread must not puzzle whoever looks at it next. */
		ERR_clear_error();
		return NULL;
	}
	key = xcalloc(1, sizeof(*key));
	key->alg = alg;
	key->pkey = pkey;
	return key;
}

/* Takes the parameters; NULL when they are no sound public key. */
static EVP_PKEY *
public_key(const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL), *check = NULL;
	EVP_PKEY *pkey = NULL;

	ASSERT(ctx != NULL && params != NULL);
	ASSERT(EVP_PKEY_fromdata_init(ctx) == 1);
	if (EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) == 1) {
		check = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
		ASSERT(check != NULL);
		if (EVP_PKEY_public_check(check) != 1) {
			EVP_PKEY_free(pkey);
			pkey = NULL;
		}
	} else {
		pkey = NULL;
	}
	EVP_PKEY_CTX_free(check);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return pkey;
}

struct jwk *
jwk_new_eddsa(str x)
{
	if (x.n != ED25519_SIZE)
		return NULL;
	return wrap(JWK_EDDSA,
	    EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes_of(x), x.n));
}

struct jwk *
jwk_new_es256(str x, str y)
{
	unsigned char point[1 + 2 * P256_SIZE] = { POINT_CONVERSION_UNCOMPRESSED };
	OSSL_PARAM_BLD *build;
	OSSL_PARAM *params;

	if (x.n != P256_SIZE || y.n != P256_SIZE)
		return NULL;
	memcpy(point + 1, x.p, P256_SIZE);
	memcpy(point + 1 + P256_SIZE, y.p, P256_SIZE);
	build = OSSL_PARAM_BLD_new();
	ASSERT(build != NULL &&
	       OSSL_PARAM_BLD_push_utf8_string(
		   build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
	       OSSL_PARAM_BLD_push_octet_string(
		   build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) == 1);
	params = OSSL_PARAM_BLD_to_param(build);
	OSSL_PARAM_BLD_free(build);
	return wrap(JWK_ES256, public_key("EC", params));
}

static bool
is_rsa_size(const BIGNUM *n, const BIGNUM *e)
{
	int bits = BN_num_bits(n);

	return bits >= JWK_RSA_MIN_BITS && bits <= JWK_RSA_MAX_BITS && BN_is_odd(n) &&
	       BN_is_odd(e) && !BN_is_one(e);
}

struct jwk *
jwk_new_rs256(str n, str e)
{
	EVP_PKEY *pkey = NULL;
	OSSL_PARAM_BLD *build;
	BIGNUM *modulus, *exponent;

	if (n.n > JWK_SIGNATURE_MAX || e.n > RSA_E_MAX)
		return NULL;
	modulus = BN_bin2bn(bytes_of(n), (int)n.n, NULL);
	exponent = BN_bin2bn(bytes_of(e), (int)e.n, NULL);
	build = OSSL_PARAM_BLD_new();
	ASSERT(modulus != NULL && exponent != NULL && build != NULL);
	if (is_rsa_size(modulus, exponent)) {
		ASSERT(
		    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
		    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1);
		pkey = public_key("RSA", OSSL_PARAM_BLD_to_param(build));
	}
	OSSL_PARAM_BLD_free(build);
	BN_free(modulus);
	BN_free(exponent);
	return wrap(JWK_RS256, pkey);
}

struct jwk *
jwk_new_hs256(str k)
{
	struct jwk *key;

	if (k.n < JWK_SECRET_MIN || k.n > JWK_SECRET_MAX)
		return NULL;
	key = xcalloc(1, sizeof(*key));
	key->alg = JWK_HS256;
	key->secret_size = k.n;
	memcpy(key->secret, k.p, k.n);
	return key;
}

void
jwk_free(struct jwk *key)
{
	if (key == NULL)
		return;
	EVP_PKEY_free(key->pkey);
	explicit_bzero(key, sizeof(*key));
	free(key);
}

enum jwk_alg
jwk_alg_of(const struct jwk *key)
{
	return key->alg;
}

/* --- signatures ----------------------------------------------------------------------
 */

/* With EdDSA the hash is a part of the algorithm: digest is NULL. */
static bool
evp_verify(const struct jwk *key, const char *digest, str message,
    const unsigned char *signature, size_t size)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool fits;

	ASSERT(ctx != NULL && EVP_DigestVerifyInit_ex(
				  ctx, NULL, digest, NULL, NULL, key->pkey, NULL) == 1);
	fits = EVP_DigestVerify(ctx, signature, size, bytes_of(message), message.n) == 1;
	EVP_MD_CTX_free(ctx);
	if (!fits)
		ERR_clear_error();
	return fits;
}

/* A token has r and s as they are; OpenSSL wants them in DER. */
static bool
verify_es256(const struct jwk *key, str message, str signature)
{
	unsigned char *der = NULL;
	ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *r, *s;
	bool fits;
	int size;

	if (signature.n != 2 * P256_SIZE) {
		ECDSA_SIG_free(pair);
		return false;
	}
	r = BN_bin2bn(bytes_of(signature), P256_SIZE, NULL);
	s = BN_bin2bn(bytes_of(signature) + P256_SIZE, P256_SIZE, NULL);
	ASSERT(pair != NULL && r != NULL && s != NULL &&
	       ECDSA_SIG_set0(pair, r, s) == 1); /* which owns them now */
	size = i2d_ECDSA_SIG(pair, &der);
	ASSERT(size > 0);
	ECDSA_SIG_free(pair);
	fits = evp_verify(key, "SHA256", message, der, (size_t)size);
	OPENSSL_free(der);
	return fits;
}

static bool
verify_hs256(const struct jwk *key, str message, str signature)
{
	struct sha256 mac = hmac_sha256((str){ key->secret, key->secret_size }, message);

	return signature.n == SHA256_SIZE &&
	       digest_equal(mac.b, signature.p, SHA256_SIZE);
}

bool
jwk_verify(const struct jwk *key, str message, str signature)
{
	switch (key->alg) {
	case JWK_EDDSA:
		return evp_verify(key, NULL, message, bytes_of(signature), signature.n);
	case JWK_ES256: return verify_es256(key, message, signature);
	case JWK_RS256:
		return evp_verify(
		    key, "SHA256", message, bytes_of(signature), signature.n);
	case JWK_HS256: return verify_hs256(key, message, signature);
	case JWK_ALG_COUNT: break;
	}
	UNREACHABLE();
}
