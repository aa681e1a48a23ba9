/*
 * The checks of a campaign, as a property: what was issued by the rules is clean, and any
 * change of any one field of any one record is noticed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verify_rig.h"

/* What an attacker without the key can do: make the chain fit again from there on. */
static void
reseal(struct record *r, int from)
{
	struct sha256 head =
	    from == 0 ? receipt_chain_start(9) : r->receipts[from - 1].hash;

	for (int i = from; i < r->receipt_count; i++) {
		receipt_seal(&r->receipts[i], &head);
		head = r->receipts[i].hash;
	}
	r->campaign.head = head;
}

static struct verify *
check_with(const struct record *r, const struct verify_sighting *seen, size_t count)
{
	struct verify *v = verify_new(&checker, 1);
	int next = 0;

	verify_begin(v, &r->campaign);
	for (int i = 0; i < r->receipt_count; i++) {
		verify_issued(v, &r->receipts[i], r->nths[i]);
		while (next < r->head_count && r->heads[next].rank <= r->receipts[i].rank)
			verify_head(v, &r->heads[next++]);
	}
	while (next < r->head_count)
		verify_head(v, &r->heads[next++]);
	for (size_t i = 0; i < count; i++)
		verify_seen(v, &seen[i]);
	assert_true(verify_end(v));
	return v;
}

static struct verify *
check(const struct record *r)
{
	return check_with(r, NULL, 0);
}

static bool
is_clean(const struct record *r)
{
	struct verify *v = check(r);
	bool clean = verify_is_clean(v);

	verify_free(v);
	return clean;
}

static int64_t
wrong(const struct verify *v, enum verify_check which)
{
	return verify_result(v, which)->wrong;
}

/* --- what is right ---------------------------------------------------------- */

static void
test_clean(void **state UNUSED)
{
	struct record r;
	struct verify *v;

	make_record(&r);
	v = check(&r);
	assert_true(verify_is_clean(v));
	assert_int_equal(verify_issued_count(v), ISSUED);
	assert_int_equal(verify_head_count(v), HEADS);
	verify_free(v);
}

static void
test_nothing_issued_is_clean(void **state UNUSED)
{
	struct record r;

	make_record(&r);
	r.receipt_count = r.head_count = 0;
	r.campaign.issued = 0;
	r.campaign.head = receipt_chain_start(9);
	assert_true(is_clean(&r));
	r.campaign.kind = COUPON_UNLIMITED;
	r.campaign.quantity = 0;
	assert_true(is_clean(&r));
}

/* --- one field changed ------------------------------------------------------ */

static void
assert_noticed(struct record *r, const char *what, int i)
{
	if (is_clean(r))
		fail_msg("a changed %s of record %d was not noticed", what, i);
}

static void
change_receipt(struct record *r, int i, int field)
{
	static const char *const names[] = { "rank", "userId", "issuedAt", "requestId",
		"hash", "nth" };
	struct receipt *one = &r->receipts[i];

	switch (field) {
	case 0: one->rank += random() % 2 ? 1 : -1; break;
	case 1: flip(&one->user_id, 4); break;
	case 2: one->issued_us += 1 - 2 * (random() % 2); break;
	case 3: flip(one->request_id.b, sizeof(one->request_id.b)); break;
	case 4: flip(one->hash.b, sizeof(one->hash.b)); break;
	case 5: r->nths[i] += 1 - 2 * (random() % 2); break;
	}
	assert_noticed(r, names[field], i);
}

static void
test_every_field_of_a_receipt(void **state UNUSED)
{
	struct record r;

	for (int i = 0; i < ISSUED; i++)
		for (int field = 0; field < 6; field++) {
			make_record(&r);
			change_receipt(&r, i, field);
		}
}

static void
test_every_field_of_a_head(void **state UNUSED)
{
	struct record r;

	for (int i = 0; i < HEADS; i++) {
		make_record(&r);
		r.heads[i].rank += random() % 2 ? 1 : -1;
		assert_noticed(&r, "rank of a head", i);
		make_record(&r);
		flip(r.heads[i].hash.b, SHA256_SIZE);
		assert_noticed(&r, "hash of a head", i);
		make_record(&r);
		flip(r.heads[i].signature, SIGN_SIZE);
		assert_noticed(&r, "signature", i);
		make_record(&r);
		r.heads[i].key_id[random() % 16] ^= 1;
		assert_noticed(&r, "key of a head", i);
	}
}

static void
test_fields_of_the_campaign(void **state UNUSED)
{
	struct record r;

	for (int delta = -1; delta <= 1; delta += 2) {
		make_record(&r);
		r.campaign.issued += delta;
		assert_noticed(&r, "issued", 0);
		make_record(&r);
		r.campaign.coupon_id += delta;
		assert_noticed(&r, "couponId", 0);
	}
	make_record(&r);
	r.campaign.quantity--;
	assert_noticed(&r, "quantity", 0);
	make_record(&r);
	r.campaign.per_user_limit--;
	assert_noticed(&r, "perUserLimit", 0);
	make_record(&r);
	flip(r.campaign.head.b, SHA256_SIZE);
	assert_noticed(&r, "headHash", 0);
}

/* --- records taken, doubled, swapped ---------------------------------------- */

static void
take_out(struct record *r, int i)
{
	size_t left = (size_t)(r->receipt_count - i - 1);

	memmove(&r->receipts[i], &r->receipts[i + 1], left * sizeof(r->receipts[0]));
	memmove(&r->nths[i], &r->nths[i + 1], left * sizeof(r->nths[0]));
	r->receipt_count--;
}

static void
test_missing_and_swapped_receipts(void **state UNUSED)
{
	struct record r;
	struct receipt keep;

	for (int i = 0; i < ISSUED; i++) {
		make_record(&r);
		take_out(&r, i);
		assert_noticed(&r, "existence", i);
		/* Also when the count is made to fit. */
		r.campaign.issued--;
		assert_noticed(&r, "existence", i);
	}
	for (int i = 1; i < ISSUED; i++) {
		make_record(&r);
		keep = r.receipts[i];
		r.receipts[i] = r.receipts[i - 1];
		r.receipts[i - 1] = keep;
		assert_noticed(&r, "order", i);
	}
}

static void
test_missing_heads(void **state UNUSED)
{
	struct record r;

	make_record(&r);
	r.head_count--;
	assert_noticed(&r, "last head", 0);
	/* One in between is not missed: the next covers what it covered. */
	make_record(&r);
	r.heads[0] = r.heads[1];
	memmove(&r.heads[1], &r.heads[2], (HEADS - 2) * sizeof(r.heads[0]));
	r.head_count--;
	assert_true(is_clean(&r));
	/* The same twice is. */
	make_record(&r);
	r.heads[1] = r.heads[0];
	assert_noticed(&r, "head's order", 0);
}

/* Someone who may write the database but has no key: everything fits but the signature.
 */
static void
test_chain_made_to_fit(void **state UNUSED)
{
	struct record r;
	struct verify *v;

	make_record(&r);
	r.receipts[20].user_id = 4711;
	r.nths[20] = 1;
	r.receipts[20].request_id = uuid_new();
	reseal(&r, 20);
	for (int i = 0; i < HEADS; i++)
		r.heads[i].hash = r.receipts[r.heads[i].rank - 1].hash;
	v = check(&r);
	assert_int_equal(wrong(v, VERIFY_CHAIN), 0);
	assert_int_equal(wrong(v, VERIFY_HEADS), 0);
	assert_int_equal(wrong(v, VERIFY_SIGNATURES), 4);
	verify_free(v);
}

static void
test_limit_and_requests_even_when_signed(void **state UNUSED)
{
	struct record r;
	struct verify *v;

	make_record(&r);
	r.receipts[30].user_id = r.receipts[0].user_id;
	r.nths[30] = 3;
	r.receipts[31].request_id = r.receipts[5].request_id;
	reseal(&r, 30);
	r.head_count = 0;
	sign(&r, ISSUED);
	v = check(&r);
	assert_int_equal(wrong(v, VERIFY_CHAIN), 0);
	assert_int_equal(wrong(v, VERIFY_SIGNATURES), 0);
	assert_int_equal(wrong(v, VERIFY_LIMIT), 1);
	assert_string_equal(verify_result(v, VERIFY_LIMIT)->examples[0],
	    "user 1000 has 3, one may have 2");
	assert_int_equal(wrong(v, VERIFY_REQUESTS), 1);
	verify_free(v);
}

/* --- keys ------------------------------------------------------------------- */

static void
test_a_key_that_was_not_given(void **state UNUSED)
{
	struct verify *v = verify_new(NULL, 0);
	struct record r;

	make_record(&r);
	verify_begin(v, &r.campaign);
	for (int i = 0; i < BATCH; i++)
		verify_issued(v, &r.receipts[i], r.nths[i]);
	verify_head(v, &r.heads[0]);
	assert_true(verify_end(v));
	assert_int_equal(wrong(v, VERIFY_SIGNATURES), 1);
	assert_int_equal(wrong(v, VERIFY_HEADS), 0);
	verify_free(v);
}

/* --- what clients saw ------------------------------------------------------- */

static void
test_seen(void **state UNUSED)
{
	struct record r;
	struct verify_sighting seen[ISSUED + 1];
	struct verify *v;

	make_record(&r);
	for (int i = 0; i < ISSUED; i++)
		seen[i] = (struct verify_sighting){ r.receipts[i].user_id,
			r.receipts[i].rank, i % 2 == 0, r.receipts[i].request_id };
	seen[ISSUED] = seen[3]; /* the same answer, repeated */
	v = check_with(&r, seen, ISSUED + 1);
	assert_true(verify_is_clean(v));
	assert_int_equal(verify_seen_count(v), ISSUED + 1);
	verify_free(v);
}

static void
test_seen_but_not_there(void **state UNUSED)
{
	struct record r;
	struct verify *v;

	make_record(&r);
	for (int field = 0; field < 3; field++) {
		struct verify_sighting seen = { r.receipts[4].user_id, r.receipts[4].rank,
			true, r.receipts[4].request_id };

		if (field == 0)
			seen.user_id = 77;
		else if (field == 1)
			seen.rank = 6;
		else
			flip(seen.request_id.b, sizeof(seen.request_id.b));
		v = check_with(&r, &seen, 1);
		assert_int_equal(wrong(v, VERIFY_SEEN), 1);
		assert_int_equal(wrong(v, VERIFY_LIMIT), 0);
		verify_free(v);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_nothing_issued_is_clean),
		cmocka_unit_test(test_every_field_of_a_receipt),
		cmocka_unit_test(test_every_field_of_a_head),
		cmocka_unit_test(test_fields_of_the_campaign),
		cmocka_unit_test(test_missing_and_swapped_receipts),
		cmocka_unit_test(test_missing_heads),
		cmocka_unit_test(test_chain_made_to_fit),
		cmocka_unit_test(test_limit_and_requests_even_when_signed),
		cmocka_unit_test(test_a_key_that_was_not_given),
		cmocka_unit_test(test_seen),
		cmocka_unit_test(test_seen_but_not_there),
	};

	return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
