/* The rules of a campaign, every branch. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "coupon/coupon_rules.h"
#include "coupon/receipt.h"

#define NOON INT64_C(1800000000000000)

static struct campaign
limited(int64_t id, int64_t quantity)
{
	return (struct campaign){
		.coupon_id = id,
		.kind = COUPON_LIMITED,
		.state = COUPON_PUBLISHABLE,
		.quantity = quantity,
		.per_user_limit = 1,
		.opens_us = INT64_MIN,
		.closes_us = INT64_MAX,
		.expires_us = NOON + 1000,
		.head = receipt_chain_start(id),
	};
}

static struct coupon_request
ask(int64_t coupon_id, int64_t user_id)
{
	return (struct coupon_request){ uuid_new(), coupon_id, user_id, NOON };
}

/* A batch and what came of it. */
struct batch {
	struct coupon_request requests[COUPON_BATCH_MAX];
	struct coupon_history history[COUPON_BATCH_MAX];
	struct coupon_decision decisions[COUPON_BATCH_MAX];
	int64_t nths[COUPON_BATCH_MAX];
	size_t count;
};

static void
decide(struct batch *b, struct campaign *campaigns, size_t count)
{
	coupon_decide(campaigns, count, b->requests, b->history, b->count, NOON,
	    b->decisions, b->nths);
}

static void
test_judge(void **state UNUSED)
{
	struct campaign c = limited(1, 2);

	assert_int_equal(coupon_judge(&c, NOON), ERR_OK);
	c.state = COUPON_DRAFT;
	assert_int_equal(coupon_judge(&c, NOON), ERR_COUPON_NOT_OPEN);
	c.state = COUPON_CLOSED;
	assert_int_equal(coupon_judge(&c, NOON), ERR_COUPON_NOT_OPEN);
	c.state = COUPON_PUBLISHABLE;
	c.opens_us = NOON;
	assert_int_equal(coupon_judge(&c, NOON - 1), ERR_COUPON_NOT_OPEN);
	assert_int_equal(coupon_judge(&c, NOON), ERR_OK);
	c.closes_us = NOON + 10;
	assert_int_equal(coupon_judge(&c, NOON + 9), ERR_OK);
	assert_int_equal(coupon_judge(&c, NOON + 10), ERR_COUPON_NOT_OPEN);
	c.closes_us = INT64_MAX;
	assert_int_equal(coupon_judge(&c, NOON + 999), ERR_OK);
	assert_int_equal(coupon_judge(&c, NOON + 1000), ERR_COUPON_NOT_OPEN);
	c.issued = 2;
	assert_int_equal(coupon_judge(&c, NOON), ERR_COUPON_SOLD_OUT);
	c.kind = COUPON_UNLIMITED;
	assert_int_equal(coupon_judge(&c, NOON), ERR_OK);
}

static void
test_remaining(void **state UNUSED)
{
	struct campaign c = limited(1, 5);

	c.issued = 3;
	assert_int_equal(coupon_remaining(&c), 2);
	c.kind = COUPON_UNLIMITED;
	assert_int_equal(coupon_remaining(&c), INT64_MAX);
}

static void
test_moves(void **state UNUSED)
{
	static const bool may[3][3] = {
		/* to DRAFT, PUBLISHABLE, CLOSED */
		[COUPON_DRAFT] = { false, true, true },
		[COUPON_PUBLISHABLE] = { false, false, true },
		[COUPON_CLOSED] = { false, true, false },
	};

	for (enum coupon_state from = COUPON_DRAFT; from <= COUPON_CLOSED; from++)
		for (enum coupon_state to = COUPON_DRAFT; to <= COUPON_CLOSED; to++)
			assert_int_equal(coupon_may_move(from, to), may[from][to]);
}

static void
test_names(void **state UNUSED)
{
	enum coupon_kind kind;
	enum coupon_state st;

	assert_true(coupon_kind_parse(STR("UNLIMITED"), &kind));
	assert_int_equal(kind, COUPON_UNLIMITED);
	assert_string_equal(coupon_kind_name(COUPON_LIMITED), "LIMITED");
	assert_false(coupon_kind_parse(STR("limited"), &kind));
	assert_true(coupon_state_parse(STR("PUBLISHABLE"), &st));
	assert_int_equal(st, COUPON_PUBLISHABLE);
	assert_string_equal(coupon_state_name(COUPON_CLOSED), "CLOSED");
	assert_false(coupon_state_parse(STR(""), &st));
}

static void
test_cut_at_the_quantity(void **state UNUSED)
{
	struct campaign c = limited(1, 3);
	struct batch b = { .count = 5 };

	for (size_t i = 0; i < b.count; i++)
		b.requests[i] = ask(1, (int64_t)i + 1);
	decide(&b, &c, 1);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(b.decisions[i].outcome, ERR_OK);
		assert_int_equal(b.decisions[i].receipt.rank, i + 1);
		assert_int_equal(b.decisions[i].receipt.user_id, i + 1);
		assert_int_equal(b.decisions[i].receipt.issued_us, NOON);
		assert_int_equal(b.nths[i], 1);
	}
	assert_int_equal(b.decisions[3].outcome, ERR_COUPON_SOLD_OUT);
	assert_int_equal(b.decisions[4].outcome, ERR_COUPON_SOLD_OUT);
	assert_int_equal(b.nths[4], 0);
	assert_int_equal(c.issued, 3);
}

static void
test_chain_goes_on(void **state UNUSED)
{
	struct campaign c = limited(7, 100);
	struct sha256 previous = receipt_chain_start(7);
	struct batch b = { .count = 4 };

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < b.count; i++)
			b.requests[i] = ask(7, round * 10 + (int64_t)i + 1);
		decide(&b, &c, 1);
		for (size_t i = 0; i < b.count; i++) {
			const struct receipt *r = &b.decisions[i].receipt;
			struct sha256 entry = receipt_entry(r);
			struct sha256 hash = receipt_link(&previous, &entry);

			assert_memory_equal(r->previous.b, previous.b, SHA256_SIZE);
			assert_memory_equal(r->hash.b, hash.b, SHA256_SIZE);
			previous = hash;
		}
	}
	assert_memory_equal(c.head.b, previous.b, SHA256_SIZE);
}

static void
test_one_per_user(void **state UNUSED)
{
	struct campaign c = limited(1, 10);
	struct batch b = { .count = 3 };

	b.requests[0] = ask(1, 5);
	b.requests[1] = ask(1, 5);
	b.requests[2] = ask(1, 6);
	b.history[2].held = 1;
	decide(&b, &c, 1);
	assert_int_equal(b.decisions[0].outcome, ERR_OK);
	assert_int_equal(b.decisions[1].outcome, ERR_COUPON_ALREADY_ISSUED);
	assert_int_equal(b.decisions[2].outcome, ERR_COUPON_ALREADY_ISSUED);
	assert_int_equal(c.issued, 1);
}

static void
test_limit_of_three(void **state UNUSED)
{
	struct campaign c = limited(1, 10);
	struct batch b = { .count = 4 };

	c.per_user_limit = 3;
	for (size_t i = 0; i < b.count; i++) {
		b.requests[i] = ask(1, 5);
		b.history[i].held = 1;
	}
	decide(&b, &c, 1);
	assert_int_equal(b.nths[0], 2);
	assert_int_equal(b.nths[1], 3);
	assert_int_equal(b.decisions[2].outcome, ERR_COUPON_ALREADY_ISSUED);
	assert_int_equal(b.decisions[3].outcome, ERR_COUPON_ALREADY_ISSUED);
}

/* One who has the coupon hears so, also when it is sold out or closed by now. */
static void
test_issued_comes_before_sold_out(void **state UNUSED)
{
	struct campaign c = limited(1, 1);
	struct batch b = { .count = 1 };

	c.issued = 1;
	c.state = COUPON_CLOSED;
	b.requests[0] = ask(1, 5);
	b.history[0].held = 1;
	decide(&b, &c, 1);
	assert_int_equal(b.decisions[0].outcome, ERR_COUPON_ALREADY_ISSUED);
}

static void
test_same_request_twice_in_a_batch(void **state UNUSED)
{
	struct campaign c = limited(1, 10);
	struct batch b = { .count = 3 };

	b.requests[0] = b.requests[1] = b.requests[2] = ask(1, 5);
	b.requests[2].coupon_id = 2; /* the id was used for something else */
	decide(&b, &c, 1);
	assert_false(b.decisions[0].replayed);
	assert_true(b.decisions[1].replayed);
	assert_int_equal(b.decisions[1].outcome, ERR_OK);
	assert_int_equal(b.decisions[1].receipt.rank, 1);
	assert_int_equal(b.nths[1], 0);
	assert_int_equal(b.decisions[2].outcome, ERR_KEY_REUSED);
	assert_int_equal(c.issued, 1);
}

static void
test_decided_before(void **state UNUSED)
{
	struct campaign c = limited(1, 10);
	struct batch b = { .count = 3 };

	for (size_t i = 0; i < b.count; i++) {
		b.requests[i] = ask(1, 5);
		b.history[i].decided = true;
		b.history[i].held = 1;
		b.history[i].stored = (struct coupon_stored){ 1, 5,
			{ .outcome = ERR_OK, .receipt = { .rank = 4 } } };
	}
	b.history[1].stored.decision.outcome = ERR_COUPON_SOLD_OUT;
	b.history[2].stored.user_id = 6; /* somebody else's */
	decide(&b, &c, 1);
	assert_int_equal(b.decisions[0].outcome, ERR_OK);
	assert_int_equal(b.decisions[0].receipt.rank, 4);
	assert_true(b.decisions[0].replayed);
	assert_true(uuid_eq(b.decisions[0].request_id, b.requests[0].id));
	assert_int_equal(b.decisions[1].outcome, ERR_COUPON_SOLD_OUT);
	assert_int_equal(b.decisions[2].outcome, ERR_KEY_REUSED);
	assert_int_equal(c.issued, 0);
}

static void
test_campaigns_are_apart(void **state UNUSED)
{
	struct campaign cs[] = { limited(2, 1), limited(5, 1), limited(9, 1) };
	struct batch b = { .count = 5 };
	const int64_t ids[] = { 9, 2, 5, 3, 9 };

	for (size_t i = 0; i < b.count; i++)
		b.requests[i] = ask(ids[i], (int64_t)i + 1);
	decide(&b, cs, 3);
	assert_int_equal(b.decisions[0].outcome, ERR_OK);
	assert_int_equal(b.decisions[1].outcome, ERR_OK);
	assert_int_equal(b.decisions[2].outcome, ERR_OK);
	assert_int_equal(b.decisions[3].outcome, ERR_COUPON_UNKNOWN);
	assert_int_equal(b.decisions[4].outcome, ERR_COUPON_SOLD_OUT);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(cs[i].issued, 1);
}

/* The window is judged by when the request came, not by when it is decided. */
static void
test_window_by_arrival(void **state UNUSED)
{
	struct campaign c = limited(1, 10);
	struct batch b = { .count = 2 };

	c.closes_us = NOON - 5;
	b.requests[0] = ask(1, 1);
	b.requests[0].requested_us = NOON - 6;
	b.requests[1] = ask(1, 2);
	decide(&b, &c, 1);
	assert_int_equal(b.decisions[0].outcome, ERR_OK);
	assert_int_equal(b.decisions[1].outcome, ERR_COUPON_NOT_OPEN);
}

/* Random batches against the plainest model there is. */
static void
test_random_batches(void **state UNUSED)
{
	static struct batch b;
	int64_t held[3][20] = { 0 };

	srandom(20261121);
	for (int round = 0; round < 200; round++) {
		struct campaign cs[] = { limited(1, 40), limited(2, 200),
			limited(3, 1000) };
		int64_t issued[3] = { 0 };

		memset(held, 0, sizeof(held));
		cs[1].per_user_limit = 3;
		for (int batch = 0; batch < 3; batch++) {
			memset(&b, 0, sizeof(b));
			b.count = (size_t)(random() % COUPON_BATCH_MAX) + 1;
			for (size_t i = 0; i < b.count; i++) {
				b.requests[i] = ask(random() % 3 + 1, random() % 20 + 1);
				b.history[i].held = held[b.requests[i].coupon_id - 1]
							[b.requests[i].user_id - 1];
			}
			decide(&b, cs, 3);
			for (size_t i = 0; i < b.count; i++) {
				size_t c = (size_t)b.requests[i].coupon_id - 1;
				int64_t *h = &held[c][b.requests[i].user_id - 1];
				enum err expected =
				    *h >= cs[c].per_user_limit ? ERR_COUPON_ALREADY_ISSUED
				    : issued[c] >= cs[c].quantity ? ERR_COUPON_SOLD_OUT
								  : ERR_OK;

				assert_int_equal(b.decisions[i].outcome, expected);
				if (expected != ERR_OK)
					continue;
				assert_int_equal(
				    b.decisions[i].receipt.rank, ++issued[c]);
				assert_int_equal(b.nths[i], ++*h);
			}
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_remaining),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_cut_at_the_quantity),
		cmocka_unit_test(test_chain_goes_on),
		cmocka_unit_test(test_one_per_user),
		cmocka_unit_test(test_limit_of_three),
		cmocka_unit_test(test_issued_comes_before_sold_out),
		cmocka_unit_test(test_same_request_twice_in_a_batch),
		cmocka_unit_test(test_decided_before),
		cmocka_unit_test(test_campaigns_are_apart),
		cmocka_unit_test(test_window_by_arrival),
		cmocka_unit_test(test_random_batches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
