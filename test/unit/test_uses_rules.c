/* What becomes of a coupon that an order wants: every branch of the rules. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "coupon/uses.h"
#include "coupon/uses_rules.h"

static struct use
decide(struct use_facts facts)
{
	struct use use = { .order_id = 5, .user_id = 7, .coupon_id = 9 };

	use_decide(&use, &facts);
	return use;
}

static void
test_taken_just_now(void **state UNUSED)
{
	struct use use = decide((struct use_facts){ .known = true,
	    .owned = true,
	    .valid = true,
	    .free_rank = 3,
	    .taken_rank = 3 });

	assert_int_equal(use.outcome, ERR_OK);
	assert_int_equal(use.rank, 3);
	assert_false(use.raced);
}

static void
test_refusals_in_their_order(void **state UNUSED)
{
	struct use_facts facts = { 0 };

	assert_int_equal(decide(facts).outcome, ERR_COUPON_UNKNOWN);
	facts.known = true;
	assert_int_equal(decide(facts).outcome, ERR_COUPON_NOT_OWNED);
	facts.owned = true;
	assert_int_equal(decide(facts).outcome, ERR_COUPON_EXPIRED);
	facts.free_rank = 3;
	assert_int_equal(decide(facts).outcome, ERR_COUPON_EXPIRED);
	assert_false(decide(facts).raced);
	facts.free_rank = 0;
	facts.valid = true;
	assert_int_equal(decide(facts).outcome, ERR_COUPON_USED);
	assert_false(decide(facts).raced);
	assert_int_equal(decide(facts).rank, 0);
}

static void
test_another_order_was_faster(void **state UNUSED)
{
	struct use use = decide((struct use_facts){
	    .known = true, .owned = true, .valid = true, .free_rank = 3 });

	assert_int_equal(use.outcome, ERR_COUPON_USED);
	assert_true(use.raced);
	assert_int_equal(use.rank, 0);
}

static void
test_the_same_order_again(void **state UNUSED)
{
	/* Also when the coupon's time is over by now. */
	struct use use = decide((struct use_facts){ .known = true,
	    .owned = true,
	    .earlier_coupon = 9,
	    .earlier_user = 7,
	    .earlier_rank = 2 });

	assert_int_equal(use.outcome, ERR_OK);
	assert_int_equal(use.rank, 2);
	assert_false(use.raced);
}

static void
test_an_order_with_another_coupon(void **state UNUSED)
{
	struct use_facts facts = { .known = true,
		.owned = true,
		.valid = true,
		.earlier_coupon = 8,
		.earlier_user = 7,
		.earlier_rank = 2 };

	assert_int_equal(decide(facts).outcome, ERR_ORDER_STATE);
	facts.earlier_coupon = 9;
	facts.earlier_user = 6;
	assert_int_equal(decide(facts).outcome, ERR_ORDER_STATE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken_just_now),
		cmocka_unit_test(test_refusals_in_their_order),
		cmocka_unit_test(test_another_order_was_faster),
		cmocka_unit_test(test_the_same_order_again),
		cmocka_unit_test(test_an_order_with_another_coupon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
