#include "order/order_rules.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/digest.h"

bool
order_lines_distinct(const struct order *o)
{
	for (size_t i = 1; i < o->line_count; i++)
		for (size_t j = 0; j < i; j++)
			if (o->lines[i].product_id == o->lines[j].product_id)
				return false;
	return true;
}

int64_t
order_content_hash(const struct order *o)
{
	int64_t words[2 + 2 * ORDER_LINES_MAX];
	struct sha256 hash;
	size_t n = 0;
	int64_t first;

	words[n++] = o->user_id;
	words[n++] = o->coupon.coupon_id;
	for (size_t i = 0; i < o->line_count; i++) {
		words[n++] = o->lines[i].product_id;
		words[n++] = o->lines[i].quantity;
	}
	hash = sha256_of((str[]){ STR("onrush-order-v1"),
			     { (const char *)words, n * sizeof(*words) } },
	    2);
	memcpy(&first, hash.b, sizeof(first));
	return first;
}

int64_t
order_id_of_key(uuid request_id)
{
	const str parts[] = { STR("onrush-order-id-v1"),
		{ (const char *)request_id.b, sizeof(request_id.b) } };
	struct sha256 hash = sha256_of(parts, 2);
	uint64_t first;

	memcpy(&first, hash.b, sizeof(first));
	return (int64_t)(UINT64_C(1) << 52 | first >> 12);
}

static int
compare_products(const void *a, const void *b)
{
	int64_t x = ((const struct order_product *)a)->product_id;
	int64_t y = ((const struct order_product *)b)->product_id;

	return (x > y) - (x < y);
}

enum err
order_price(struct order *o, const struct order_product *products, size_t count,
    int64_t *offender)
{
	o->amount = 0;
	for (size_t i = 0; i < o->line_count; i++) {
		struct order_line *line = &o->lines[i];
		const struct order_product key = { .product_id = line->product_id };
		const struct order_product *p =
		    bsearch(&key, products, count, sizeof(*products), compare_products);

		*offender = line->product_id;
		if (p == NULL)
			return ERR_PRODUCT_UNKNOWN;
		if (p->stopped)
			return ERR_PRODUCT_STOPPED;
		line->price = p->price;
		/* At most 10^10 won by 10^4 pieces by 100 lines: far from overflow. */
		o->amount += line->price * line->quantity;
	}
	if (o->amount > ORDER_AMOUNT_MAX)
		return ERR_BAD_PARAMETER;
	o->discount = o->amount * o->coupon.thousandths / 1000;
	return ERR_OK;
}
