/* Ed25519 keys and signatures: RFC 8032's vectors, and files that are not keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/digest.h"
#include "crypto/sign.h"

static char dir[] = "/tmp/onrush-test-sign-XXXXXX";
static char private_path[64], public_path[64], err[256];

static int
make_dir(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(private_path, sizeof(private_path), "%s/private.pem", dir);
	snprintf(public_path, sizeof(public_path), "%s/public.pem", dir);
	return 0;
}

static int
remove_files(void **state)
{
	(void)state;
	unlink(private_path);
	unlink(public_path);
	return 0;
}

static int
remove_dir(void **state)
{
	remove_files(state);
	return rmdir(dir);
}

static void
write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* RFC 8032, 7.1, TEST 2: the seed 4ccd08…, the message 0x72. */
static void
test_rfc8032_vector(void **state)
{
	(void)state;
	uint8_t want[SIGN_SIZE], signature[SIGN_SIZE], raw[32];
	struct sign_key *key;
	char id[SIGN_KEY_ID_SIZE];

	write_text(private_path,
	    "-----BEGIN PRIVATE KEY-----\n"
	    "MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7\n"
	    "-----END PRIVATE KEY-----\n");
	assert_true(hex_decode(STR("92a009a9f0d4cab8720e820b5f642540"
				   "a2b27b5416503f8fb3762223ebdb69da"
				   "085ac1e43e15996e458f3613d0f11d8c"
				   "387b2eaeb4302aeeb00d291612bb0c00"),
	    want, sizeof(want)));
	assert_true(hex_decode(STR("3d4017c3e843895a92b70aa74d1b7ebc"
				   "9c982ccf2ec4968cc0cd55f12af4660c"),
	    raw, sizeof(raw)));
	key = sign_key_load(private_path, err, sizeof(err));
	assert_non_null(key);
	for (int i = 0; i < 3; i++) {
		memset(signature, 0, sizeof(signature));
		sign_message(key, STR("\x72"), signature);
		assert_memory_equal(signature, want, sizeof(want));
	}
	hex_encode(sha256_of(&(str){ (char *)raw, sizeof(raw) }, 1).b, 8, id);
	assert_string_equal(sign_key_id(key), id);
	sign_key_free(key);
}

static void
test_a_new_pair_fits_together(void **state)
{
	(void)state;
	uint8_t signature[SIGN_SIZE];
	struct sign_key *key;
	struct verify_key *verify;
	struct stat st;

	assert_true(sign_key_generate(private_path, public_path, err, sizeof(err)));
	assert_int_equal(stat(private_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	key = sign_key_load(private_path, err, sizeof(err));
	verify = verify_key_load(public_path, err, sizeof(err));
	assert_true(key != NULL && verify != NULL);
	assert_string_equal(sign_key_id(key), verify_key_id(verify));

	for (int i = 0; i < 3; i++) {
		sign_message(key, STR("head"), signature);
		assert_true(verify_message(verify, STR("head"), signature));
		assert_false(verify_message(verify, STR("Head"), signature));
		assert_false(verify_message(verify, STR(""), signature));
		signature[i * 20] ^= 1;
		assert_false(verify_message(verify, STR("head"), signature));
	}
	sign_message(key, STR(""), signature);
	assert_true(verify_message(verify, STR(""), signature));
	sign_key_free(key);
	verify_key_free(verify);
}

/* What a private key says about its public half can be given to anyone. */
static void
test_the_public_half_as_text(void **state)
{
	(void)state;
	struct sign_key *key;
	char file[512] = "";
	FILE *f;

	assert_true(sign_key_generate(private_path, public_path, err, sizeof(err)));
	key = sign_key_load(private_path, err, sizeof(err));
	assert_non_null(key);
	f = fopen(public_path, "re");
	assert_non_null(f);
	assert_true(fread(file, 1, sizeof(file) - 1, f) > 0);
	fclose(f);
	assert_string_equal(sign_key_public_pem(key), file);
	sign_key_free(key);
}

static void
test_a_key_is_never_overwritten(void **state)
{
	(void)state;
	write_text(public_path, "precious");
	assert_false(sign_key_generate(private_path, public_path, err, sizeof(err)));
	assert_non_null(strstr(err, public_path));
	/* And no half of a pair is left behind. */
	assert_int_equal(access(private_path, F_OK), -1);
	unlink(public_path);
	write_text(private_path, "precious");
	assert_false(sign_key_generate(private_path, public_path, err, sizeof(err)));
	assert_non_null(strstr(err, private_path));
	assert_int_equal(access(public_path, F_OK), -1);
}

static void
test_says_what_is_wrong_with_a_file(void **state)
{
	(void)state;
	static const char *const no_keys[] = {
		"",
		"hello",
		/* The other half. */
		"-----BEGIN PUBLIC KEY-----\n"
		"MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\n"
		"-----END PUBLIC KEY-----\n",
		/* Cut short. */
		"-----BEGIN PRIVATE KEY-----\n"
		"MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwR\n"
		"-----END PRIVATE KEY-----\n",
		/* An X25519 key, which cannot sign. */
		"-----BEGIN PRIVATE KEY-----\n"
		"MC4CAQAwBQYDK2VuBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7\n"
		"-----END PRIVATE KEY-----\n",
	};

	assert_null(sign_key_load(private_path, err, sizeof(err)));
	assert_non_null(strstr(err, "No such file"));
	assert_null(verify_key_load(dir, err, sizeof(err)));
	for (size_t i = 0; i < ARRAY_LEN(no_keys); i++) {
		write_text(private_path, no_keys[i]);
		assert_null(sign_key_load(private_path, err, sizeof(err)));
		assert_non_null(strstr(err, private_path));
		assert_non_null(strstr(err, "Ed25519 private key"));
	}
}

/* OpenSSL would ask for the password on the terminal and wait. */
static void
test_a_key_with_a_password_is_refused(void **state)
{
	(void)state;
	char command[256];

	snprintf(command, sizeof(command),
	    "openssl genpkey -algorithm ed25519 -aes256 -pass pass:x -out %s 2>&1",
	    private_path);
	if (system(command) != 0)
		skip();
	assert_null(sign_key_load(private_path, err, sizeof(err)));
	assert_non_null(strstr(err, "without a password"));
}

static void
test_free_accepts_null(void **state)
{
	(void)state;
	sign_key_free(NULL);
	verify_key_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_rfc8032_vector, remove_files),
		cmocka_unit_test_teardown(test_a_new_pair_fits_together, remove_files),
		cmocka_unit_test_teardown(test_the_public_half_as_text, remove_files),
		cmocka_unit_test_teardown(test_a_key_is_never_overwritten, remove_files),
		cmocka_unit_test_teardown(
		    test_says_what_is_wrong_with_a_file, remove_files),
		cmocka_unit_test_teardown(
		    test_a_key_with_a_password_is_refused, remove_files),
		cmocka_unit_test(test_free_accepts_null),
	};
	return cmocka_run_group_tests_name("sign", tests, make_dir, remove_dir);
}
