/* Tokens and the keys that check them: the RFCs' examples, every claim, and the attacks
 * that are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "crypto/digest.h"
#include "http/jwt.h"

/* RFC 7515, A.1, A.2, A.3; RFC 8037, A.2 and A.4. */
#define HS_K                                                                             \
	"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjA"   \
	"zZr1Z9CAow"
#define RS_N                                                                             \
	"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2" \
	"mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7" \
	"OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMT" \
	"BQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkM" \
	"Ls91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define ES_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define ES_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define ED_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"

#define HS_KEY "{\"kty\":\"oct\",\"kid\":\"h\",\"k\":\"" HS_K "\"}"
#define RS_KEY "{\"kty\":\"RSA\",\"kid\":\"r\",\"n\":\"" RS_N "\",\"e\":\"AQAB\"}"
#define ES_KEY                                                                           \
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"e\",\"x\":\"" ES_X                  \
	"\",\"y\":\"" ES_Y "\"}"
#define ED_KEY    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"d\",\"x\":\"" ED_X "\"}"
#define SET(keys) "{\"keys\":[" keys "]}"
#define ALL       SET(HS_KEY "," RS_KEY "," ES_KEY "," ED_KEY)

#define JOE                                                                              \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc1" \
	"9yb290Ijp0cnVlfQ"
#define HS_TOKEN                                                                         \
	"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." JOE                                  \
	".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define RS_TOKEN                                                                         \
	"eyJhbGciOiJSUzI1NiJ9." JOE                                                      \
	".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc" \
	"_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO" \
	"75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eO" \
	"kHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkW" \
	"ywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
#define ES_TOKEN                                                                         \
	"eyJhbGciOiJFUzI1NiJ9." JOE                                                      \
	".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP" \
	"3-Kg6NU1Q"
#define ED_TOKEN                                                                         \
	"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG" \
	"1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"

#define NOW 1300000000

static const struct jwt_wanted anybody = { .user = "sub", .now_s = NOW };

static struct jwks *
keys_of(const char *text)
{
	char err[256];
	struct jwks *keys = jwks_parse(str_of(text), err, sizeof(err));

	if (keys == NULL)
		fail_msg("%s", err);
	return keys;
}

static enum jwt_verdict
check(const char *keys_text, str token, const struct jwt_wanted *wanted,
    struct jwt_subject *out)
{
	struct arena *arena = arena_new();
	struct jwks *keys = keys_of(keys_text);
	enum jwt_verdict verdict = jwt_check(token, keys, wanted, arena, out);

	jwks_free(keys);
	arena_free(arena);
	return verdict;
}

/* A token with this header and these claims, signed with the secret of HS_KEY. */
static str
forge(const char *header, const char *claims, char out[8192])
{
	char secret[64], *end = out;
	struct sha256 mac;
	size_t size;

	assert_true(base64_decode(STR(HS_K), secret, sizeof(secret), &size));
	end += base64_encode(header, strlen(header), end);
	*end++ = '.';
	end += base64_encode(claims, strlen(claims), end);
	mac = hmac_sha256((str){ secret, size }, (str){ out, (size_t)(end - out) });
	*end++ = '.';
	end += base64_encode(mac.b, SHA256_SIZE, end);
	return (str){ out, (size_t)(end - out) };
}

static enum jwt_verdict
check_claims(const char *claims, const struct jwt_wanted *wanted, struct jwt_subject *out)
{
	char text[8192];

	return check(
	    SET(HS_KEY), forge("{\"alg\":\"HS256\"}", claims, text), wanted, out);
}

/* --- the RFCs' examples --------------------------------------------------------------
 */

static void
test_examples(void **state)
{
	static const struct {
		const char *key, *token;
		enum jwt_verdict wanted;
	} rows[] = {
		/* Their claims name no user; the Ed25519 one has no claims at all. */
		{ SET(HS_KEY), HS_TOKEN, JWT_NO_USER },
		{ SET(RS_KEY), RS_TOKEN, JWT_NO_USER },
		{ SET(ES_KEY), ES_TOKEN, JWT_NO_USER },
		{ SET(ED_KEY), ED_TOKEN, JWT_MALFORMED },
		/* No kid, and there are several keys. */
		{ ALL, HS_TOKEN, JWT_UNKNOWN_KEY },
	};
	struct jwt_subject who;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
		    check(rows[i].key, str_of(rows[i].token), &anybody, &who),
		    rows[i].wanted);
}

/* Every bit of a signature counts, and no other length does. */
static void
test_signatures(void **state)
{
	static const char *const rows[][2] = {
		{ SET(HS_KEY), HS_TOKEN },
		{ SET(RS_KEY), RS_TOKEN },
		{ SET(ES_KEY), ES_TOKEN },
		{ SET(ED_KEY), ED_TOKEN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *arena = arena_new();
		struct jwks *keys = keys_of(rows[i][0]);
		const struct jwk *key;
		struct jwt token;
		char bad[JWK_SIGNATURE_MAX];

		assert_int_equal(jwt_open(str_of(rows[i][1]), arena, &token), JWT_VALID);
		key = jwks_find(keys, STR_NULL, token.alg);
		assert_non_null(key);
		assert_true(jwk_verify(key, token.signed_text, token.signature));
		for (size_t at = 0; at < token.signature.n; at += 7) {
			memcpy(bad, token.signature.p, token.signature.n);
			bad[at] ^= 4;
			assert_false(jwk_verify(
			    key, token.signed_text, (str){ bad, token.signature.n }));
		}
		for (size_t n = 0; n < token.signature.n; n += 31)
			assert_false(jwk_verify(
			    key, token.signed_text, (str){ token.signature.p, n }));
		memset(bad, 0, sizeof(bad));
		assert_false(
		    jwk_verify(key, token.signed_text, (str){ bad, token.signature.n }));
		jwks_free(keys);
		arena_free(arena);
	}
}

/* --- claims --------------------------------------------------------------------------
 */

static void
test_claims(void **state)
{
	static const struct {
		const char *claims;
		enum jwt_verdict wanted;
	} rows[] = {
		{ "{\"exp\":1300000001,\"sub\":\"7\"}", JWT_VALID },
		{ "{\"exp\":1300000001,\"sub\":7}", JWT_VALID },
		{ "{\"exp\":1300000001,\"sub\":7,\"more\":{\"a\":[1,2]}}", JWT_VALID },
		{ "{\"exp\":1300000000,\"sub\":7}", JWT_EXPIRED },
		{ "{\"exp\":0,\"sub\":7}", JWT_EXPIRED },
		{ "{\"exp\":-1,\"sub\":7}", JWT_MALFORMED },
		{ "{\"exp\":1300000001.5,\"sub\":7}", JWT_MALFORMED },
		{ "{\"exp\":9e99,\"sub\":7}", JWT_MALFORMED },
		{ "{\"exp\":null,\"sub\":7}", JWT_MALFORMED },
		{ "{\"exp\":true,\"sub\":7}", JWT_MALFORMED },
		{ "{\"sub\":7}", JWT_MALFORMED },
		{ "{\"exp\":1300000001,\"sub\":7,\"nbf\":1300000060}", JWT_VALID },
		{ "{\"exp\":1300000001,\"sub\":7,\"nbf\":1300000061}", JWT_EARLY },
		{ "{\"exp\":1300000001,\"sub\":7,\"iat\":1300000060}", JWT_VALID },
		{ "{\"exp\":1300000001,\"sub\":7,\"iat\":1300000061}", JWT_EARLY },
		{ "{\"exp\":1300000001,\"sub\":7,\"iat\":\"x\"}", JWT_MALFORMED },
		{ "{\"exp\":1300000001,\"sub\":7,\"iss\":7}", JWT_MALFORMED },
		{ "{\"exp\":1300000001,\"sub\":0}", JWT_NO_USER },
		{ "{\"exp\":1300000001,\"sub\":-7}", JWT_NO_USER },
		{ "{\"exp\":1300000001,\"sub\":\"07\"}", JWT_NO_USER },
		{ "{\"exp\":1300000001,\"sub\":\" 7\"}", JWT_NO_USER },
		{ "{\"exp\":1300000001,\"sub\":\"joe\"}", JWT_NO_USER },
		{ "{\"exp\":1300000001,\"sub\":\"9223372036854775808\"}", JWT_NO_USER },
		{ "{\"exp\":1300000001,\"sub\":[7]}", JWT_NO_USER },
		{ "{\"exp\":1300000001}", JWT_NO_USER },
		{ "{\"exp\":1300000001,\"sub\":7,\"sub\":8}", JWT_MALFORMED },
		{ "{\"exp\":1,\"exp\":1300000001,\"sub\":7}", JWT_MALFORMED },
		{ "{\"exp\":1300000001,\"sub\":7}{}", JWT_MALFORMED },
		{ "[7]", JWT_MALFORMED },
		{ "7", JWT_MALFORMED },
	};
	struct jwt_subject who;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		who.user_id = 0;
		if (check_claims(rows[i].claims, &anybody, &who) != rows[i].wanted)
			fail_msg("%s", rows[i].claims);
		if (rows[i].wanted == JWT_VALID) {
			assert_int_equal(who.user_id, 7);
			assert_int_equal(who.expires_s, 1300000001);
		}
	}
	assert_int_equal(check_claims("{\"exp\":1300000001,\"sub\":"
				      "\"9223372036854775807\"}",
			     &anybody, &who),
	    JWT_VALID);
	assert_true(who.user_id == INT64_MAX);
}

static void
test_issuer_audience_and_claim(void **state)
{
	static const struct jwt_wanted wanted = { .issuer = STR_INIT("https://id"),
		.audience = STR_INIT("shop"),
		.user = "user_id",
		.now_s = NOW };
	static const struct {
		const char *middle;
		enum jwt_verdict wanted;
	} rows[] = {
		{ "\"iss\":\"https://id\",\"aud\":\"shop\"", JWT_VALID },
		{ "\"iss\":\"https://id\",\"aud\":[\"x\",\"shop\"]", JWT_VALID },
		{ "\"iss\":\"https://id/\",\"aud\":\"shop\"", JWT_OTHER_ISSUER },
		{ "\"iss\":[\"https://id\"],\"aud\":\"shop\"", JWT_MALFORMED },
		{ "\"aud\":\"shop\"", JWT_OTHER_ISSUER },
		{ "\"iss\":\"https://id\",\"aud\":\"Shop\"", JWT_OTHER_AUDIENCE },
		{ "\"iss\":\"https://id\",\"aud\":[\"x\"]", JWT_OTHER_AUDIENCE },
		{ "\"iss\":\"https://id\",\"aud\":[]", JWT_MALFORMED },
		{ "\"iss\":\"https://id\",\"aud\":[7]", JWT_MALFORMED },
		{ "\"iss\":\"https://id\",\"aud\":{\"shop\":1}", JWT_MALFORMED },
		{ "\"iss\":\"https://id\",\"aud\":null", JWT_MALFORMED },
		{ "\"iss\":\"https://id\"", JWT_OTHER_AUDIENCE },
	};
	struct jwt_subject who;
	char claims[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(claims, sizeof(claims),
		    "{%s,\"exp\":1300000009,\"user_id\":7,\"sub\":\"joe\"}",
		    rows[i].middle);
		if (check_claims(claims, &wanted, &who) != rows[i].wanted)
			fail_msg("%s", claims);
	}
}

/* --- attacks -------------------------------------------------------------------------
 */

static void
test_headers(void **state)
{
	static const struct {
		const char *header;
		enum jwt_verdict wanted;
	} rows[] = {
		{ "{\"alg\":\"HS256\",\"kid\":\"h\",\"typ\":\"JWT\"}", JWT_VALID },
		{ "{\"alg\":\"HS256\",\"kid\":\"h\",\"typ\":\"at+jwt\"}", JWT_VALID },
		{ "{\"alg\":\"HS256\",\"kid\":\"h\",\"typ\":\"application/at+jwt\"}",
		    JWT_VALID },
		{ "{\"alg\":\"HS256\",\"kid\":\"h\",\"typ\":\"secevent+jwt\"}",
		    JWT_MALFORMED },
		/* Keys of the token's own. */
		{ "{\"alg\":\"HS256\",\"kid\":\"h\",\"jku\":\"https://x\",\"jwk\":{}}",
		    JWT_VALID },
		{ "{\"alg\":\"none\",\"kid\":\"h\"}", JWT_UNKNOWN_KEY },
		{ "{\"alg\":\"nOnE\",\"kid\":\"h\"}", JWT_UNKNOWN_KEY },
		{ "{\"alg\":\"hs256\",\"kid\":\"h\"}", JWT_UNKNOWN_KEY },
		{ "{\"alg\":\"HS512\",\"kid\":\"h\"}", JWT_UNKNOWN_KEY },
		{ "{\"alg\":\"\",\"kid\":\"h\"}", JWT_UNKNOWN_KEY },
		{ "{\"kid\":\"h\"}", JWT_MALFORMED },
		{ "{\"alg\":null,\"kid\":\"h\"}", JWT_MALFORMED },
		{ "{\"alg\":[\"HS256\"],\"kid\":\"h\"}", JWT_MALFORMED },
		/* Another key's algorithm, or an HMAC with what everybody knows. */
		{ "{\"alg\":\"RS256\",\"kid\":\"h\"}", JWT_UNKNOWN_KEY },
		{ "{\"alg\":\"HS256\",\"kid\":\"r\"}", JWT_UNKNOWN_KEY },
		{ "{\"alg\":\"HS256\",\"kid\":\"e\"}", JWT_UNKNOWN_KEY },
		{ "{\"alg\":\"HS256\",\"kid\":\"d\"}", JWT_UNKNOWN_KEY },
		{ "{\"alg\":\"HS256\",\"kid\":\"x\"}", JWT_UNKNOWN_KEY },
		{ "{\"alg\":\"HS256\",\"kid\":\"\"}", JWT_UNKNOWN_KEY },
		{ "{\"alg\":\"HS256\",\"kid\":\"../../h\"}", JWT_UNKNOWN_KEY },
		{ "{\"alg\":\"HS256\",\"kid\":7}", JWT_MALFORMED },
		{ "{\"alg\":\"HS256\"}", JWT_UNKNOWN_KEY },
		{ "{\"alg\":\"EdDSA\",\"kid\":\"d\"}", JWT_FORGED },
		{ "{\"alg\":\"ES256\",\"kid\":\"e\"}", JWT_FORGED },
		{ "{\"alg\":\"RS256\",\"kid\":\"r\"}", JWT_FORGED },
		{ "{\"alg\":\"HS256\",\"kid\":\"h\",\"crit\":[\"b64\"],\"b64\":false}",
		    JWT_MALFORMED },
		{ "{\"alg\":\"HS256\",\"kid\":\"h\",\"crit\":null}", JWT_MALFORMED },
		{ "{\"alg\":\"none\",\"alg\":\"HS256\",\"kid\":\"h\"}", JWT_MALFORMED },
		{ "{\"alg\":\"HS256\",\"kid\":\"h\"} x", JWT_MALFORMED },
		{ "[]", JWT_MALFORMED },
	};
	struct jwt_subject who;
	char text[8192];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		str token = forge(rows[i].header, "{\"exp\":1300000001,\"sub\":7}", text);

		if (check(ALL, token, &anybody, &who) != rows[i].wanted)
			fail_msg("%s", rows[i].header);
	}
}

static void
test_forms(void **state)
{
	static const char *const bad[] = { "", ".", "..", "...", "a.b", "a.b.c.d",
		HS_TOKEN ".", HS_TOKEN "=", HS_TOKEN "\n", " " HS_TOKEN,
		/* Not the only text of its bytes: the last digit's spare bits. */
		"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." JOE
		".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl",
		"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." JOE ".",
		"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." JOE,
		"." JOE ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
		"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9..dBjftJeZ4CVP-"
		"mB92K27uhbUJU1p1r_"
		"wW1gFWFOEjXk",
		"eyJ0eXAiOiJKV1Qi+A0KICJhbGciOiJIUzI1NiJ9." JOE ".dBjf" };
	struct jwt_subject who;
	char claims[4096];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (check(SET(HS_KEY), str_of(bad[i]), &anybody, &who) != JWT_MALFORMED)
			fail_msg("%s", bad[i]);
	assert_int_equal(check(SET(HS_KEY),
			     STR("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." JOE ".dBjf"),
			     &anybody, &who),
	    JWT_FORGED);
	assert_int_equal(
	    check(SET(HS_KEY), STR(HS_TOKEN "A"), &anybody, &who), JWT_FORGED);
	/* Too long, though it is right. */
	snprintf(claims, sizeof(claims),
	    "{\"exp\":1300000001,\"sub\":7,\"x\":\"%03000d\"}", 0);
	assert_int_equal(check_claims(claims, &anybody, &who), JWT_MALFORMED);
	snprintf(claims, sizeof(claims),
	    "{\"exp\":1300000001,\"sub\":7,\"x\":\"%02000d\"}", 0);
	assert_int_equal(check_claims(claims, &anybody, &who), JWT_VALID);
}

static void
test_words(void **state)
{
	(void)state;
	for (int v = 0; v < JWT_VERDICT_COUNT; v++)
		assert_non_null(jwt_verdict_name((enum jwt_verdict)v));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_issuer_audience_and_claim),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
