/*
 * A campaign in memory with its keys, for the tests of onrush verify: forty coupons for
 * twenty users, a signed head for every seven. Included after cmocka.h, once a program.
 */
#ifndef ONRUSH_TEST_VERIFY_RIG_H
#define ONRUSH_TEST_VERIFY_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coupon/receipt.h"
#include "onrush/verify.h"

#define NOON INT64_C(1800000000000000)

enum {
	ISSUED = 40,
	BATCH = 7, /* a head for each batch: 7, 14, … 35, 40 */
	HEADS = 6,
};

/* A campaign in memory, to be changed and checked. */
struct record {
	struct campaign campaign;
	struct receipt receipts[ISSUED];
	int64_t nths[ISSUED];
	struct chain_head heads[HEADS];
	int receipt_count, head_count;
};

static struct sign_key *signer;
static struct verify_key *checker;

static int
make_keys(void **state UNUSED)
{
	char dir[] = "/tmp/test_verify.XXXXXX", private_path[64], public_path[64],
	     why[256];

	assert_non_null(mkdtemp(dir));
	snprintf(private_path, sizeof(private_path), "%s/key", dir);
	snprintf(public_path, sizeof(public_path), "%s/pub", dir);
	assert_true(sign_key_generate(private_path, public_path, why, sizeof(why)));
	signer = sign_key_load(private_path, why, sizeof(why));
	checker = verify_key_load(public_path, why, sizeof(why));
	unlink(private_path);
	unlink(public_path);
	rmdir(dir);
	return signer == NULL || checker == NULL;
}

static int
drop_keys(void **state UNUSED)
{
	sign_key_free(signer);
	verify_key_free(checker);
	return 0;
}

static void
sign(struct record *r, int rank)
{
	struct chain_head *h = &r->heads[r->head_count++];

	h->coupon_id = r->campaign.coupon_id;
	h->rank = rank;
	h->hash = r->receipts[rank - 1].hash;
	receipt_sign_head(h, signer);
}

/* Forty coupons for twenty users, two each. */
static void
make_record(struct record *r)
{
	struct sha256 head = receipt_chain_start(9);

	memset(r, 0, sizeof(*r));
	for (int i = 0; i < ISSUED; i++) {
		struct receipt *one = &r->receipts[i];

		one->coupon_id = 9;
		one->rank = i + 1;
		one->user_id = 1000 + i % 20;
		one->issued_us = NOON + i / BATCH;
		one->request_id = uuid_new();
		receipt_seal(one, &head);
		head = one->hash;
		r->nths[i] = 1 + i / 20;
	}
	r->receipt_count = ISSUED;
	r->campaign = (struct campaign){ .coupon_id = 9,
		.kind = COUPON_LIMITED,
		.state = COUPON_PUBLISHABLE,
		.quantity = ISSUED,
		.issued = ISSUED,
		.per_user_limit = 2,
		.head = head };
	for (int rank = BATCH; rank < ISSUED; rank += BATCH)
		sign(r, rank);
	sign(r, ISSUED);
	assert_int_equal(r->head_count, HEADS);
}

/* Changes one bit. */
static void
flip(void *field, size_t size)
{
	uint8_t *bytes = field;

	bytes[(size_t)random() % size] ^= (uint8_t)(1 << random() % 8);
}

#endif
