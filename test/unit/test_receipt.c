/* The chain of receipts: every field counts, and signatures hold. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coupon/receipt.h"

static void
test_chain_start(void **state UNUSED)
{
	/* printf 'onrush-chain-v1\0\0\0\0\0\0\0\001' | sha256sum */
	struct sha256 expected, start = receipt_chain_start(1),
				other = receipt_chain_start(2);

	expected = sha256_of((str[]){ { "onrush-chain-v1\0\0\0\0\0\0\0\1", 23 } }, 1);
	assert_memory_equal(start.b, expected.b, SHA256_SIZE);
	assert_memory_not_equal(start.b, other.b, SHA256_SIZE);
}

static void
test_every_field_counts(void **state UNUSED)
{
	const struct receipt r = {
		.coupon_id = 1, .rank = 2, .user_id = 3, .issued_us = 4
	};
	struct sha256 entry = receipt_entry(&r);

	for (int field = 0; field < 5; field++) {
		struct receipt other = r;
		struct sha256 changed;

		switch (field) {
		case 0: other.coupon_id++; break;
		case 1: other.rank++; break;
		case 2: other.user_id++; break;
		case 3: other.issued_us++; break;
		case 4: other.request_id.b[15]++; break;
		}
		changed = receipt_entry(&other);
		assert_memory_not_equal(entry.b, changed.b, SHA256_SIZE);
	}
}

static void
test_heads(void **state UNUSED)
{
	char folder[] = "/tmp/onrush-test-XXXXXX", private_path[64], public_path[64];
	struct chain_head head = {
		.coupon_id = 1, .rank = 5, .hash = receipt_chain_start(1)
	};
	struct sign_key *key;
	struct verify_key *verify;
	char err[256];

	assert_non_null(mkdtemp(folder));
	snprintf(private_path, sizeof(private_path), "%s/key", folder);
	snprintf(public_path, sizeof(public_path), "%s/pub", folder);
	assert_true(sign_key_generate(private_path, public_path, err, sizeof(err)));
	key = sign_key_load(private_path, err, sizeof(err));
	verify = verify_key_load(public_path, err, sizeof(err));
	assert_non_null(key);
	assert_non_null(verify);
	receipt_sign_head(&head, key);
	assert_string_equal(head.key_id, verify_key_id(verify));
	assert_true(receipt_check_head(&head, verify));
	head.rank++;
	assert_false(receipt_check_head(&head, verify));
	head.rank--;
	head.coupon_id++;
	assert_false(receipt_check_head(&head, verify));
	head.coupon_id--;
	head.hash.b[0] ^= 1;
	assert_false(receipt_check_head(&head, verify));
	head.hash.b[0] ^= 1;
	head.signature[63] ^= 1;
	assert_false(receipt_check_head(&head, verify));
	sign_key_free(key);
	verify_key_free(verify);
	unlink(private_path);
	unlink(public_path);
	rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain_start),
		cmocka_unit_test(test_every_field_counts),
		cmocka_unit_test(test_heads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
