#include "order/settle_rules.h"

#include <stdbool.h>
#include <stdlib.h>

static int
compare_account(const void *key, const void *element)
{
	int64_t id = *(const int64_t *)key;
	const struct settle_account *a = element;

	return (id > a->user_id) - (id < a->user_id);
}

static int
compare_product(const void *key, const void *element)
{
	int64_t id = *(const int64_t *)key;
	const struct settle_product *p = element;

	return (id > p->product_id) - (id < p->product_id);
}

static struct settle_account *
find_account(const struct settle_state *s, int64_t user_id)
{
	if (s->account_count == 0)
		return NULL;
	return bsearch(&user_id, s->accounts, s->account_count, sizeof(*s->accounts),
	    compare_account);
}

static struct settle_product *
find_product(const struct settle_state *s, int64_t product_id)
{
	if (s->product_count == 0)
		return NULL;
	return bsearch(&product_id, s->products, s->product_count, sizeof(*s->products),
	    compare_product);
}

int64_t
settle_total(const struct settle_order *o)
{
	return o->amount - o->discount;
}

static bool
has_stock(const struct settle_state *s, const struct settle_order *o)
{
	for (size_t i = 0; i < o->line_count; i++) {
		const struct settle_product *p = find_product(s, o->lines[i].product_id);

		if (p == NULL || p->stock < o->lines[i].quantity)
			return false;
	}
	return true;
}

static enum err
judge(const struct settle_state *s, const struct settle_order *o,
    const struct settle_account *account)
{
	if (o->coupon_id != 0 && o->coupon_expires_us <= s->now_us)
		return ERR_COUPON_EXPIRED;
	if (account == NULL)
		return ERR_USER_UNKNOWN;
	if (account->amount < settle_total(o))
		return ERR_INSUFFICIENT_BALANCE;
	if (!has_stock(s, o))
		return ERR_OUT_OF_STOCK;
	return ERR_OK;
}

void
settle_decide(struct settle_state *s, struct settle_order *o)
{
	struct settle_account *account = find_account(s, o->user_id);

	o->outcome = judge(s, o, account);
	if (o->outcome != ERR_OK)
		return;
	account->amount -= settle_total(o);
	o->balance = account->amount;
	for (size_t i = 0; i < o->line_count; i++) {
		struct settle_product *p = find_product(s, o->lines[i].product_id);

		ASSERT(p != NULL); /* has_stock found it */
		p->stock -= o->lines[i].quantity;
		p->sold += o->lines[i].quantity;
	}
}
