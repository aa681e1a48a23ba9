/* Files of keys: what is taken, and what is refused with which sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "http/jwks.h"

#define ED_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define ES_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define ES_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define RS_N                                                                             \
	"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2" \
	"mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7" \
	"OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMT" \
	"BQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkM" \
	"Ls91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define K32 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

#define ED        "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\""
#define OCT       "\"kty\":\"oct\",\"k\":\"" K32 "\""
#define SET(keys) "{\"keys\":[" keys "]}"

static char why[256];

static struct jwks *
parse(const char *text)
{
	return jwks_parse(str_of(text), why, sizeof(why));
}

static void
test_taken(void **state)
{
	static const struct {
		const char *text;
		size_t count;
	} rows[] = {
		{ SET("{" ED "}"), 1 },
		{ SET("{" ED ",\"alg\":\"EdDSA\",\"use\":\"sig\",\"x5t\":\"?\"}"), 1 },
		{ SET("{" OCT ",\"kid\":\"a\"},{" ED ",\"kid\":\"b\"}"), 2 },
		{ SET("{\"kty\":\"RSA\",\"use\":\"enc\",\"kid\":\"x\"},{" ED "}"), 1 },
		{ "{\"issuer\":\"x\",\"keys\":[{" ED "}]}", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct jwks *keys = parse(rows[i].text);

		if (keys == NULL)
			fail_msg("%s: %s", rows[i].text, why);
		assert_int_equal(jwks_count(keys), rows[i].count);
		jwks_free(keys);
	}
}

static const struct {
	const char *text, *sentence;
} refusals[] = {
	{ "", "The JSON is malformed" }, { "[]", "\"keys\" must be an array" },
	{ "{}", "\"keys\" must be an array" },
	{ "{\"keys\":[]}", "\"keys\" must be an array of 1 to 16" },
	{ "{\"keys\":[7]}", "\"kty\" must be a string" },
	{ SET("{" ED ",\"kty\":\"OKP\"}"), "twice" },
	{ SET("{" ED "},{" OCT "}"), "Every key needs a \"kid\"" },
	{ SET("{" ED ",\"kid\":\"a\"},{" OCT ",\"kid\":\"a\"}"),
	    "Key number 2 has the \"kid\" of another" },
	{ SET("{" ED ",\"kid\":\"\"}"), "empty \"kid\"" },
	{ SET("{" ED ",\"kid\":7}"), "\"kid\" must be" },
	{ SET("{" ED ",\"alg\":\"ES256\"}"), "it must be EdDSA" },
	{ SET("{" ED ",\"alg\":7}"), "\"alg\" must be" },
	{ SET("{" OCT ",\"alg\":\"none\"}"), "it must be HS256" },
	{ SET("{" OCT ",\"alg\":\"HS512\"}"), "it must be HS256" },
	{ SET("{" ED ",\"use\":\"x\"}"), "neither sig nor enc" },
	{ SET("{" ED ",\"use\":\"enc\"}"), "no key for signatures" },
	{ SET("{" ED ",\"d\":\"" ED_X "\"}"), "has a private part" },
	{ SET("{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" ED_X "\"}"),
	    "kind that is not checked" },
	{ SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}"), "\"x\" must be" },
	{ SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}"), "is not sound" },
	{ SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "=\"}"),
	    "\"x\" that is not base64url" },
	{ SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"\"}"),
	    "\"x\" that is not base64url" },
	{ SET("{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\"}"),
	    "kind that is not checked" },
	/* Not on the curve. */
	{ SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ES_X "\",\"y\":\"" ES_X "\"}"),
	    "is not sound" },
	{ SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ES_X "\",\"y\":\"AA\"}"),
	    "is not sound" },
	{ SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" K32 "\",\"y\":\"" K32 "\"}"),
	    "is not sound" },
	{ SET("{\"kty\":\"RSA\",\"n\":\"" K32 "\",\"e\":\"AQAB\"}"), "is not sound" },
	{ SET("{\"kty\":\"RSA\",\"n\":\"" K32 "\",\"e\":\"AQABAQAB\"}"), "is not sound" },
	{ SET("{\"kty\":\"RSA\",\"e\":\"AQAB\"}"), "\"n\" must be" },
	{ SET("{\"kty\":\"oct\",\"k\":\"AAAA\"}"), "is not sound" },
	{ SET("{\"kty\":\"oct\"}"), "\"k\" must be" },
	{ SET("{\"kty\":\"oct\",\"k\":\"" K32 "\",\"use\":\"sig\"}") " ",
	    NULL }, /* a blank at the end is JSON */
};

static void
test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		struct jwks *keys = parse(refusals[i].text);

		if ((keys == NULL) != (refusals[i].sentence != NULL))
			fail_msg("%s", refusals[i].text);
		if (keys == NULL && strstr(why, refusals[i].sentence) == NULL)
			fail_msg("%s: %s", refusals[i].text, why);
		jwks_free(keys);
	}
}

/* With the first `size` bytes of RFC 7515's modulus, to which `plus` is added. */
static bool
takes_rsa(size_t size, char plus, str e)
{
	char n[JWK_SIGNATURE_MAX + 1] = { 0 };
	struct jwk *key;
	size_t whole;

	assert_true(base64_decode(STR(RS_N), n, sizeof(n), &whole));
	assert_int_equal(whole, 256);
	n[size - 1] = (char)(n[size - 1] + plus);
	key = jwk_new_rs256((str){ n, size }, e);
	jwk_free(key);
	return key != NULL;
}

static void
test_rsa(void **state)
{
	const str e = STR("\x01\x00\x01");

	(void)state;
	assert_true(takes_rsa(256, 0, e));
	assert_false(takes_rsa(255, 0, e)); /* fewer than 2048 bits */
	assert_false(takes_rsa(128, 0, e));
	assert_false(takes_rsa(256, 1, e));               /* even */
	assert_false(takes_rsa(JWK_SIGNATURE_MAX, 1, e)); /* zeros, and a one */
	assert_false(takes_rsa(JWK_SIGNATURE_MAX + 1, 1, e));
	assert_false(takes_rsa(256, 0, STR("\x01")));
	assert_false(takes_rsa(256, 0, STR("\x02")));
	assert_false(takes_rsa(256, 0, STR("")));
	assert_false(takes_rsa(256, 0, STR("\x01\x00\x00\x00\x01")));
}

static void
test_secret_sizes(void **state)
{
	char secret[JWK_SECRET_MAX + 1] = { 0 };
	static const size_t sizes[][2] = { { 0, 0 }, { 31, 0 }, { 32, 1 }, { 128, 1 },
		{ 129, 0 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct jwk *key = jwk_new_hs256((str){ secret, sizes[i][0] });

		assert_int_equal(key != NULL, sizes[i][1]);
		jwk_free(key);
	}
}

static void
test_found(void **state)
{
	struct jwks *keys = parse(SET("{" OCT ",\"kid\":\"a\"},{" ED ",\"kid\":\"b\"}"));

	(void)state;
	assert_non_null(jwks_find(keys, STR("a"), JWK_HS256));
	assert_non_null(jwks_find(keys, STR("b"), JWK_EDDSA));
	assert_null(jwks_find(keys, STR("a"), JWK_EDDSA));
	assert_null(jwks_find(keys, STR("b"), JWK_HS256));
	assert_null(jwks_find(keys, STR("c"), JWK_HS256));
	assert_null(jwks_find(keys, STR_NULL, JWK_HS256));
	jwks_free(keys);
	/* Of one key a token need not name it; a name that it has not is not its. */
	keys = parse(SET("{" ED "}"));
	assert_non_null(jwks_find(keys, STR_NULL, JWK_EDDSA));
	assert_null(jwks_find(keys, STR_NULL, JWK_HS256));
	assert_null(jwks_find(keys, STR("b"), JWK_EDDSA));
	jwks_free(keys);
	jwks_free(NULL);
}

static void
test_algorithms(void **state)
{
	enum jwk_alg alg;

	(void)state;
	for (int i = 0; i < JWK_ALG_COUNT; i++) {
		assert_true(jwk_alg_parse(jwk_alg_name((enum jwk_alg)i), &alg));
		assert_int_equal(alg, i);
	}
	assert_false(jwk_alg_parse(STR("none"), &alg));
	assert_false(jwk_alg_parse(STR_NULL, &alg));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_rsa),
		cmocka_unit_test(test_secret_sizes),
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_algorithms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
