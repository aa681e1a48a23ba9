/* What an order is and what it comes to, every branch. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "order/order_rules.h"

static const struct order_product products[] = {
	{ 3, 1000, false },
	{ 5, 30, false },
	{ 8, 200, true },
	{ 9, INT64_C(10000000000), false },
};

static struct order
order_of(struct order_line *lines, size_t count)
{
	return (struct order){ .user_id = 7, .lines = lines, .line_count = count };
}

static enum err
price(struct order *o, int64_t *offender)
{
	return order_price(o, products, ARRAY_LEN(products), offender);
}

static void
test_lines_are_distinct(void **state UNUSED)
{
	struct order_line lines[] = { { 1, 1, 0 }, { 2, 1, 0 }, { 1, 2, 0 } };
	struct order o = order_of(lines, 2);

	assert_true(order_lines_distinct(&o));
	o.line_count = 3;
	assert_false(order_lines_distinct(&o));
}

static void
test_the_sum(void **state UNUSED)
{
	struct order_line lines[] = { { 5, 4, 0 }, { 3, 2, 0 } };
	struct order o = order_of(lines, 2);
	int64_t offender;

	assert_int_equal(price(&o, &offender), ERR_OK);
	assert_int_equal(o.amount, 2120);
	assert_int_equal(o.discount, 0);
	assert_int_equal(lines[0].price, 30);
	assert_int_equal(lines[1].price, 1000);
	/* Again, as after a statement that failed. */
	assert_int_equal(price(&o, &offender), ERR_OK);
	assert_int_equal(o.amount, 2120);
}

static void
test_the_discount_is_rounded_down(void **state UNUSED)
{
	static const struct {
		int64_t thousandths, discount;
	} rows[] = { { 0, 0 }, { 300, 309 }, { 333, 342 }, { 999, 1028 },
		{ 1000, 1030 } };
	struct order_line lines[] = { { 3, 1, 0 }, { 5, 1, 0 } };
	struct order o = order_of(lines, 2);
	int64_t offender;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		o.coupon.thousandths = rows[i].thousandths;
		assert_int_equal(price(&o, &offender), ERR_OK);
		assert_int_equal(o.discount, rows[i].discount);
	}
}

static void
test_what_is_not_sold(void **state UNUSED)
{
	struct order_line lines[] = { { 3, 1, 0 }, { 4, 1, 0 }, { 8, 1, 0 } };
	struct order o = order_of(lines, 3);
	int64_t offender = 0;

	assert_int_equal(price(&o, &offender), ERR_PRODUCT_UNKNOWN);
	assert_int_equal(offender, 4);
	lines[1].product_id = 5;
	assert_int_equal(price(&o, &offender), ERR_PRODUCT_STOPPED);
	assert_int_equal(offender, 8);
	assert_int_equal(order_price(&o, products, 0, &offender), ERR_PRODUCT_UNKNOWN);
}

static void
test_the_largest_order(void **state UNUSED)
{
	struct order_line lines[11];
	struct order_product dear[11];
	struct order o = order_of(lines, 10);
	int64_t offender;

	for (int i = 0; i < 11; i++) {
		dear[i] = (struct order_product){ i + 1, INT64_C(10000000000), false };
		lines[i] = (struct order_line){ i + 1, ORDER_QUANTITY_MAX, 0 };
	}
	o.coupon.thousandths = 1000;
	assert_int_equal(order_price(&o, dear, 11, &offender), ERR_OK);
	assert_int_equal(o.amount, ORDER_AMOUNT_MAX);
	assert_int_equal(o.discount, ORDER_AMOUNT_MAX);
	o.line_count = 11;
	assert_int_equal(order_price(&o, dear, 11, &offender), ERR_BAD_PARAMETER);
}

static void
test_the_hash_is_of_all_that_was_sent(void **state UNUSED)
{
	struct order_line lines[] = { { 3, 1, 0 }, { 5, 2, 0 } };
	struct order o = order_of(lines, 2);
	int64_t hash = order_content_hash(&o);

	lines[0].price = 1000; /* is not sent */
	o.amount = 5;
	assert_int_equal(order_content_hash(&o), hash);
	lines[1].quantity = 3;
	assert_int_not_equal(order_content_hash(&o), hash);
	lines[1].quantity = 2;
	lines[0].product_id = 4;
	assert_int_not_equal(order_content_hash(&o), hash);
	lines[0].product_id = 3;
	o.user_id = 8;
	assert_int_not_equal(order_content_hash(&o), hash);
	o.user_id = 7;
	o.coupon.coupon_id = 1;
	assert_int_not_equal(order_content_hash(&o), hash);
	o.coupon.coupon_id = 0;
	o.line_count = 1;
	assert_int_not_equal(order_content_hash(&o), hash);
}

static void
test_a_key_s_order_has_an_id_of_its_own(void **state UNUSED)
{
	uuid a, b;
	int64_t id;

	assert_true(uuid_parse(STR("0190f5d4-7c00-8abc-8def-0123456789ab"), &a));
	b = a;
	b.b[0] ^= 1;
	id = order_id_of_key(a);
	assert_int_equal(order_id_of_key(a), id);
	assert_int_not_equal(order_id_of_key(b), id);
	assert_in_range(id, INT64_C(1) << 52, (INT64_C(1) << 53) - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_distinct),
		cmocka_unit_test(test_the_sum),
		cmocka_unit_test(test_the_discount_is_rounded_down),
		cmocka_unit_test(test_what_is_not_sold),
		cmocka_unit_test(test_the_largest_order),
		cmocka_unit_test(test_the_hash_is_of_all_that_was_sent),
		cmocka_unit_test(test_a_key_s_order_has_an_id_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
