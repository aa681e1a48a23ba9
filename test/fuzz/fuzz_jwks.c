/*
 * Any bytes as a file of keys. What is refused must say why; what is taken has keys that
 * check signatures, and none of them takes just any.
 */
#include "http/jwks.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void
check_keys(const struct jwks *keys, str kid)
{
	char ones[JWK_SIGNATURE_MAX];

	memset(ones, 1, sizeof(ones));
	for (int alg = 0; alg < JWK_ALG_COUNT; alg++) {
		const struct jwk *key = jwks_find(keys, kid, (enum jwk_alg)alg);

		if (key == NULL)
			continue;
		ASSERT(jwk_alg_of(key) == (enum jwk_alg)alg);
		for (size_t n = 0; n <= sizeof(ones); n += 32)
			ASSERT(!jwk_verify(key, STR("a.b"), (str){ ones, n }));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char err[256];
	struct jwks *keys =
	    jwks_parse((str){ (const char *)bytes, size }, err, sizeof(err));

	if (keys == NULL) {
		ASSERT(err[0] != '\0' && err[strlen(err) - 1] == '.');
		return 0;
	}
	ASSERT(jwks_count(keys) >= 1 && jwks_count(keys) <= JWKS_KEYS);
	check_keys(keys, STR_NULL);
	check_keys(keys, STR("a"));
	jwks_free(keys);
	return 0;
}
