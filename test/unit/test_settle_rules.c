/* What becomes of orders that are to be paid, every branch. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "order/settle_rules.h"

#define NOON INT64_C(1800000000000000)

/* Users 7 and 9 with 1000 each; products 3 and 5 with 10 pieces each. */
struct shop {
	struct settle_account accounts[2];
	struct settle_product products[2];
	struct settle_state state;
};

static void
open_shop(struct shop *shop)
{
	*shop = (struct shop){
		.accounts = { { 7, 1000, 1000 }, { 9, 1000, 1000 } },
		.products = { { 3, 10, 0 }, { 5, 10, 0 } },
	};
	shop->state = (struct settle_state){ shop->accounts, 2, shop->products, 2, NOON };
}

static void
assert_untouched(const struct shop *shop)
{
	for (int i = 0; i < 2; i++) {
		assert_int_equal(shop->accounts[i].amount, 1000);
		assert_int_equal(shop->products[i].stock, 10);
		assert_int_equal(shop->products[i].sold, 0);
	}
}

static struct settle_order
order_of(int64_t user_id, int64_t amount, const struct order_fact_line *lines, size_t n)
{
	return (struct settle_order){
		.order_id = 1,
		.user_id = user_id,
		.amount = amount,
		.lines = lines,
		.line_count = n,
		.outcome = ERR_INTERNAL, /* that it is set is part of every test */
	};
}

static void
test_total(void **state UNUSED)
{
	struct settle_order o = { .amount = 1000, .discount = 300 };

	assert_int_equal(settle_total(&o), 700);
	o.discount = 1000;
	assert_int_equal(settle_total(&o), 0);
}

static void
test_paid(void **state UNUSED)
{
	static const struct order_fact_line lines[] = { { 3, 4, 100 }, { 5, 10, 30 } };
	struct settle_order o = order_of(9, 700, lines, 2);
	struct shop shop;

	open_shop(&shop);
	o.discount = 100;
	settle_decide(&shop.state, &o);
	assert_int_equal(o.outcome, ERR_OK);
	assert_int_equal(o.balance, 400);
	assert_int_equal(shop.accounts[0].amount, 1000);
	assert_int_equal(shop.accounts[1].amount, 400);
	assert_int_equal(shop.accounts[1].before, 1000);
	assert_int_equal(shop.products[0].stock, 6);
	assert_int_equal(shop.products[0].sold, 4);
	assert_int_equal(shop.products[1].stock, 0);
	assert_int_equal(shop.products[1].sold, 10);
}

static void
test_balance_to_the_last_won(void **state UNUSED)
{
	static const struct order_fact_line line = { 3, 1, 1000 };
	struct settle_order o = order_of(7, 1001, &line, 1);
	struct shop shop;

	open_shop(&shop);
	settle_decide(&shop.state, &o);
	assert_int_equal(o.outcome, ERR_INSUFFICIENT_BALANCE);
	assert_untouched(&shop);
	o.discount = 1;
	settle_decide(&shop.state, &o);
	assert_int_equal(o.outcome, ERR_OK);
	assert_int_equal(o.balance, 0);
}

static void
test_stock_to_the_last_piece(void **state UNUSED)
{
	/* The second line is the one that lacks: the first takes nothing either. */
	static const struct order_fact_line eleven[] = { { 3, 1, 1 }, { 5, 11, 1 } };
	static const struct order_fact_line ten[] = { { 3, 1, 1 }, { 5, 10, 1 } };
	static const struct order_fact_line unknown = { 4, 1, 1 };
	struct settle_order o = order_of(7, 12, eleven, 2);
	struct shop shop;

	open_shop(&shop);
	settle_decide(&shop.state, &o);
	assert_int_equal(o.outcome, ERR_OUT_OF_STOCK);
	assert_untouched(&shop);
	o = order_of(7, 1, &unknown, 1);
	settle_decide(&shop.state, &o);
	assert_int_equal(o.outcome, ERR_OUT_OF_STOCK);
	assert_untouched(&shop);
	o = order_of(7, 11, ten, 2);
	settle_decide(&shop.state, &o);
	assert_int_equal(o.outcome, ERR_OK);
}

static void
test_coupon(void **state UNUSED)
{
	static const struct order_fact_line line = { 3, 1, 100 };
	struct settle_order o = order_of(7, 100, &line, 1);
	struct shop shop;

	open_shop(&shop);
	o.coupon_id = 2;
	o.coupon_expires_us = NOON;
	settle_decide(&shop.state, &o);
	assert_int_equal(o.outcome, ERR_COUPON_EXPIRED);
	assert_untouched(&shop);
	o.coupon_expires_us = NOON + 1;
	settle_decide(&shop.state, &o);
	assert_int_equal(o.outcome, ERR_OK);
	/* Without a coupon there is nothing that could be over. */
	o.coupon_id = 0;
	o.coupon_expires_us = 0;
	settle_decide(&shop.state, &o);
	assert_int_equal(o.outcome, ERR_OK);
}

static void
test_strangers(void **state UNUSED)
{
	static const struct order_fact_line line = { 3, 1, 0 };
	struct settle_order o = order_of(8, 0, &line, 1);
	struct settle_state nothing = { .now_us = NOON };
	struct shop shop;

	open_shop(&shop);
	settle_decide(&shop.state, &o);
	assert_int_equal(o.outcome, ERR_USER_UNKNOWN);
	assert_untouched(&shop);
	settle_decide(&nothing, &o);
	assert_int_equal(o.outcome, ERR_USER_UNKNOWN);
	nothing.accounts = shop.accounts;
	nothing.account_count = 2;
	o.user_id = 7;
	settle_decide(&nothing, &o);
	assert_int_equal(o.outcome, ERR_OUT_OF_STOCK);
}

/* All that can be wrong at once: the first of the list is the reason. */
static void
test_the_first_reason_counts(void **state UNUSED)
{
	static const struct order_fact_line line = { 3, 11, 1000 };
	struct settle_order o = order_of(8, 11000, &line, 1);
	struct shop shop;

	open_shop(&shop);
	o.coupon_id = 2;
	o.coupon_expires_us = NOON - 1;
	settle_decide(&shop.state, &o);
	assert_int_equal(o.outcome, ERR_COUPON_EXPIRED);
	o.coupon_expires_us = NOON + 1;
	settle_decide(&shop.state, &o);
	assert_int_equal(o.outcome, ERR_USER_UNKNOWN);
	o.user_id = 7;
	settle_decide(&shop.state, &o);
	assert_int_equal(o.outcome, ERR_INSUFFICIENT_BALANCE);
	shop.accounts[0].amount = 11000;
	settle_decide(&shop.state, &o);
	assert_int_equal(o.outcome, ERR_OUT_OF_STOCK);
	shop.products[0].stock = 11;
	settle_decide(&shop.state, &o);
	assert_int_equal(o.outcome, ERR_OK);
}

/* Each order sees what those before it left, and a refused one leaves all. */
static void
test_one_after_the_other(void **state UNUSED)
{
	static const struct order_fact_line four = { 3, 4, 100 }, three = { 3, 3, 100 };
	struct settle_order orders[] = {
		order_of(7, 400, &four, 1),
		order_of(9, 400, &four, 1),
		order_of(9, 300, &three, 1), /* two are left */
		order_of(7, 601, NULL, 0),   /* 600 is left */
		order_of(7, 600, NULL, 0),
	};
	static const enum err wanted[] = { ERR_OK, ERR_OK, ERR_OUT_OF_STOCK,
		ERR_INSUFFICIENT_BALANCE, ERR_OK };
	struct shop shop;

	open_shop(&shop);
	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		settle_decide(&shop.state, &orders[i]);
		assert_int_equal(orders[i].outcome, wanted[i]);
	}
	assert_int_equal(shop.accounts[0].amount, 0);
	assert_int_equal(shop.accounts[1].amount, 600);
	assert_int_equal(shop.products[0].stock, 2);
	assert_int_equal(shop.products[0].sold, 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_total),
		cmocka_unit_test(test_paid),
		cmocka_unit_test(test_balance_to_the_last_won),
		cmocka_unit_test(test_stock_to_the_last_piece),
		cmocka_unit_test(test_coupon),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_the_first_reason_counts),
		cmocka_unit_test(test_one_after_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
