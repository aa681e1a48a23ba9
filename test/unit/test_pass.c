/* Passes: written, checked, and every way in which one can be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "crypto/digest.h"
#include "crypto/pass.h"

#define SECRET_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define SECRET_B "ff112233445566778899aabbccddeeff00112233445566778899aabbccddee00"

static const struct pass somebody = {
	.line = 3, .user_id = 42, .ticket = 1000, .expires_s = 2000000000
};

static struct pass_keys *
keys_of(const char *text)
{
	char err[128];
	struct pass_keys *keys = pass_keys_parse(str_of(text), err, sizeof(err));

	assert_non_null(keys);
	return keys;
}

static enum pass_verdict
check(const char *keys_text, str pass, int64_t now_s)
{
	struct pass_keys *keys = keys_of(keys_text);
	struct pass out;
	enum pass_verdict verdict = pass_check(keys, pass, now_s, &out);

	pass_keys_free(keys);
	return verdict;
}

static str
write_with(const char *keys_text, char out[PASS_TEXT_MAX])
{
	struct pass_keys *keys = keys_of(keys_text);
	size_t n = pass_write(keys, &somebody, out);

	pass_keys_free(keys);
	return (str){ out, n };
}

/* A pass with this header and these claims, signed with the key of SECRET_A. */
static str
forge(const char *header, const char *claims, char out[512])
{
	uint8_t secret[PASS_SECRET_SIZE];
	struct sha256 mac;
	char *end = out;

	assert_true(hex_decode(STR(SECRET_A), secret, sizeof(secret)));
	end += base64_encode(header, strlen(header), end);
	*end++ = '.';
	end += base64_encode(claims, strlen(claims), end);
	mac = hmac_sha256((str){ (const char *)secret, sizeof(secret) },
	    (str){ out, (size_t)(end - out) });
	*end++ = '.';
	end += base64_encode(mac.b, SHA256_SIZE, end);
	return (str){ out, (size_t)(end - out) };
}

static void
test_round_trip(void **state)
{
	struct pass_keys *keys = keys_of("a " SECRET_A "\n");
	char text[PASS_TEXT_MAX], again[PASS_TEXT_MAX];
	struct pass out;
	size_t n = pass_write(keys, &somebody, text);

	(void)state;
	assert_int_equal(pass_check(keys, (str){ text, n }, 1, &out), PASS_VALID);
	assert_memory_equal(&out, &somebody, sizeof(out));
	assert_int_equal(pass_write(keys, &somebody, again), n);
	assert_memory_equal(text, again, n);
	pass_keys_free(keys);
}

static void
test_largest_fits(void **state)
{
	const struct pass largest = { INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX };
	struct pass_keys *keys = keys_of("ABCDEFGHIJKLMN-_ " SECRET_A);
	char text[PASS_TEXT_MAX];
	struct pass out;
	size_t n = pass_write(keys, &largest, text);

	(void)state;
	assert_true(n <= PASS_TEXT_MAX);
	assert_int_equal(pass_check(keys, (str){ text, n }, 1, &out), PASS_VALID);
	assert_memory_equal(&out, &largest, sizeof(out));
	pass_keys_free(keys);
}

static void
test_time(void **state)
{
	char text[PASS_TEXT_MAX];
	str pass = write_with("a " SECRET_A, text);

	(void)state;
	assert_int_equal(check("a " SECRET_A, pass, 1999999999), PASS_VALID);
	assert_int_equal(check("a " SECRET_A, pass, 2000000000), PASS_EXPIRED);
	assert_int_equal(check("a " SECRET_A, pass, INT64_MAX), PASS_EXPIRED);
	assert_int_equal(check("a " SECRET_A, pass, INT64_MIN), PASS_VALID);
}

static void
test_every_changed_byte_is_seen(void **state)
{
	char text[PASS_TEXT_MAX];
	str pass = write_with("a " SECRET_A, text);

	(void)state;
	for (size_t i = 0; i < pass.n; i++) {
		char was = text[i];

		text[i] = was == 'A' ? 'B' : 'A';
		assert_int_equal(check("a " SECRET_A, pass, 1), PASS_FORGED);
		text[i] = was;
	}
	for (size_t n = 0; n < pass.n; n++)
		assert_int_equal(check("a " SECRET_A, (str){ text, n }, 1), PASS_FORGED);
	assert_int_equal(check("a " SECRET_A, pass, 1), PASS_VALID);
}

static void
test_rotation(void **state)
{
	char text[PASS_TEXT_MAX];
	str old = write_with("a " SECRET_A, text);

	(void)state;
	assert_int_equal(check("b " SECRET_B "\na " SECRET_A "\n", old, 1), PASS_VALID);
	assert_int_equal(check("b " SECRET_B, old, 1), PASS_FORGED);
	/* The id is the old one's, the secret is not. */
	assert_int_equal(check("a " SECRET_B, old, 1), PASS_FORGED);
}

/* All of these carry a signature that fits. */
static void
test_nothing_is_negotiated(void **state)
{
	static const char claims[] =
	    "{\"exp\":2000000000,\"line\":3,\"num\":1,\"sub\":\"42\"}";
	static const char *const headers[] = {
		"{\"alg\":\"none\",\"kid\":\"a\",\"typ\":\"JWT\"}",
		"{\"alg\":\"HS512\",\"kid\":\"a\",\"typ\":\"JWT\"}",
		"{\"alg\":\"RS256\",\"kid\":\"a\",\"typ\":\"JWT\"}",
		"{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
		"{\"alg\":\"HS256\",\"kid\":\"a\"}",
		"{\"kid\":\"a\",\"alg\":\"HS256\",\"typ\":\"JWT\"}",
		"{\"alg\":\"HS256\", \"kid\":\"a\",\"typ\":\"JWT\"}",
		"{\"alg\":\"HS256\",\"kid\":\"b\",\"typ\":\"JWT\"}",
		"",
	};
	char out[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(headers); i++)
		assert_int_equal(
		    check("a " SECRET_A, forge(headers[i], claims, out), 1), PASS_FORGED);
	assert_int_equal(
	    check("a " SECRET_A,
		forge("{\"alg\":\"HS256\",\"kid\":\"a\",\"typ\":\"JWT\"}", claims, out),
		1),
	    PASS_VALID);
}

static void
test_claims_are_ours(void **state)
{
	static const char *const claims[] = {
		"",
		"{}",
		"{\"exp\":2000000000,\"line\":3,\"num\":1,\"sub\":\"42\"} ",
		"{\"exp\":2000000000,\"line\":3,\"num\":1,\"sub\":42}",
		"{\"exp\":2000000000,\"line\":3,\"num\":0,\"sub\":\"42\"}",
		"{\"exp\":2000000000,\"line\":3,\"num\":1,\"sub\":\"0\"}",
		"{\"exp\":2000000000,\"line\":-3,\"num\":1,\"sub\":\"42\"}",
		"{\"exp\":2000000000,\"line\":03,\"num\":1,\"sub\":\"42\"}",
		"{\"exp\":,\"line\":3,\"num\":1,\"sub\":\"42\"}",
		"{\"exp\":99999999999999999999,\"line\":3,\"num\":1,\"sub\":\"42\"}",
		"{\"line\":3,\"exp\":2000000000,\"num\":1,\"sub\":\"42\"}",
	};
	char out[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(claims); i++)
		assert_int_equal(
		    check("a " SECRET_A,
			forge("{\"alg\":\"HS256\",\"kid\":\"a\",\"typ\":\"JWT\"}",
			    claims[i], out),
			1),
		    PASS_FORGED);
}

static void
test_bad_key_files(void **state)
{
	static const char *const texts[] = {
		"",
		"\n\n",
		"a",
		"a " SECRET_A "00",
		" " SECRET_A,
		"a  " SECRET_A,
		"seventeen-letters " SECRET_A,
		"a\" " SECRET_A,
		"a " SECRET_A "\na " SECRET_B,
		"1 " SECRET_A "\n2 " SECRET_A "\n3 " SECRET_A "\n4 " SECRET_A
		"\n5 " SECRET_A "\n6 " SECRET_A "\n7 " SECRET_A "\n8 " SECRET_A
		"\n9 " SECRET_A,
	};
	char err[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		err[0] = '\0';
		assert_null(pass_keys_parse(str_of(texts[i]), err, sizeof(err)));
		assert_true(strlen(err) > 10);
	}
	assert_null(pass_keys_load("/nonexistent/pass.keys", err, sizeof(err)));
}

static void
test_authorization(void **state)
{
	(void)state;
	assert_true(str_eq(pass_of_authorization(STR("Bearer x.y.z")), STR("x.y.z")));
	assert_true(str_eq(pass_of_authorization(STR("bearer x")), STR("x")));
	assert_null(pass_of_authorization(STR("Bearer ")).p);
	assert_null(pass_of_authorization(STR("Basic x")).p);
	assert_null(pass_of_authorization(STR_NULL).p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_largest_fits),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_every_changed_byte_is_seen),
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_nothing_is_negotiated),
		cmocka_unit_test(test_claims_are_ours),
		cmocka_unit_test(test_bad_key_files),
		cmocka_unit_test(test_authorization),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
