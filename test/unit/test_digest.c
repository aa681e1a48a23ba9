/* SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 4231) against their published vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "crypto/digest.h"

static void
assert_hash(struct sha256 hash, const char *want)
{
	char hex[2 * SHA256_SIZE + 1];

	hex_encode(hash.b, sizeof(hash.b), hex);
	assert_string_equal(hex, want);
}

static void
test_sha256_vectors(void **state)
{
	(void)state;
	static char million[1000000];

	memset(million, 'a', sizeof(million));
	assert_hash(sha256_of(NULL, 0),
	    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_hash(sha256_of(&STR("abc"), 1),
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_hash(
	    sha256_of(
		&STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), 1),
	    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	assert_hash(sha256_of(&(str){ million, sizeof(million) }, 1),
	    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void
test_parts_are_joined(void **state)
{
	(void)state;
	const str parts[] = { STR("a"), STR_NULL, STR(""), STR("bc") };

	assert_hash(sha256_of(parts, ARRAY_LEN(parts)),
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void
test_hmac_vectors(void **state)
{
	(void)state;
	char key[131], message[50];

	memset(key, 0x0b, 20);
	assert_hash(hmac_sha256((str){ key, 20 }, STR("Hi There")),
	    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	assert_hash(hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?")),
	    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	memset(message, 0xdd, sizeof(message));
	assert_hash(hmac_sha256((str){ key, 20 }, (str){ message, sizeof(message) }),
	    "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
	assert_hash(hmac_sha256((str){ key, sizeof(key) },
			STR("Test Using Larger Than Block-Size Key - Hash Key First")),
	    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	assert_hash(hmac_sha256(STR(""), STR("")),
	    "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void *
hash_much(void *arg)
{
	struct sha256 *hash = arg;

	for (int i = 0; i < 10000; i++)
		*hash = sha256_of(&(str){ (const char *)hash->b, SHA256_SIZE }, 1);
	return NULL;
}

/* Each thread has a context of its own; they neither mix nor leak. */
static void
test_threads_do_not_meet(void **state)
{
	(void)state;
	struct sha256 hashes[4] = { 0 };
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, hash_much, &hashes[i]), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (int i = 1; i < 4; i++)
		assert_memory_equal(hashes[i].b, hashes[0].b, SHA256_SIZE);
}

static void
test_digest_equal(void **state)
{
	(void)state;
	assert_true(digest_equal("abcd", "abcd", 4));
	assert_false(digest_equal("abcd", "abce", 4));
	assert_false(digest_equal("xbcd", "abcd", 4));
	assert_true(digest_equal("x", "y", 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256_vectors),
		cmocka_unit_test(test_parts_are_joined),
		cmocka_unit_test(test_hmac_vectors),
		cmocka_unit_test(test_threads_do_not_meet),
		cmocka_unit_test(test_digest_equal),
	};
	return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
