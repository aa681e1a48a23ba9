/*
 * Any bytes as a token. Nothing that is opened is believed: no key fits it but by its
 * signature. What opens must be the only text of what it says, and its claims, as if
 * their signature fitted, must be within the bounds that a handler relies on.
 */
#include <string.h>

#include "base/base64.h"
#include "http/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Of RFC 8037, A.2: its private half is known, but not to a fuzzer. */
static const char keys_text[] =
    "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"a\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

static void
check_form(str text, const struct jwt *token)
{
	char again[JWT_TEXT_MAX];
	size_t n = base64_encode(token->signature.p, token->signature.n, again);

	ASSERT(token->signed_text.n + 1 + n == text.n);
	ASSERT(memcmp(again, text.p + text.n - n, n) == 0);
	ASSERT(token->claims.n > 0 && token->kid.n <= JWKS_KID_MAX);
	ASSERT(token->alg < JWK_ALG_COUNT);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const struct jwt_wanted wanted = { .user = "sub", .now_s = 1000 };
	str text = { (const char *)bytes, size };
	struct arena *arena = arena_new();
	struct jwt_subject who;
	struct jwt token;
	struct jwks *keys;
	char err[256];

	if (jwt_open(text, arena, &token) == JWT_VALID) {
		check_form(text, &token);
		keys = jwks_parse(STR(keys_text), err, sizeof(err));
		ASSERT(keys != NULL);
		ASSERT(jwt_check(text, keys, &wanted, arena, &who) != JWT_VALID);
		jwks_free(keys);
		if (jwt_read(token.claims, &wanted, arena, &who) == JWT_VALID)
			ASSERT(who.user_id > 0 && who.expires_s > wanted.now_s);
	}
	arena_free(arena);
	return 0;
}
