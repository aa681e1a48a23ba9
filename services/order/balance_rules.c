#include "order/balance_rules.h"

#include <stdlib.h>

#include "base/die.h"

static int
compare_users(const void *a, const void *b)
{
	const struct charge *x = *(struct charge *const *)a;
	const struct charge *y = *(struct charge *const *)b;

	return (x->user_id > y->user_id) - (x->user_id < y->user_id);
}

/* The next charge in the order of the users, with its place in its user's sum. */
static void
place(struct charge_plan *p, struct charge *c)
{
	size_t user = p->user_count;

	if (user == 0 || p->users[user - 1] != c->user_id) {
		p->users[user] = c->user_id;
		p->firsts[user] = (int64_t)p->count + 1;
		p->user_count = ++user;
	}
	p->totals[user - 1] += c->amount;
	p->lasts[user - 1] = (int64_t)p->count + 1;
	p->uptos[p->count] = p->totals[user - 1];
	p->charges[p->count++] = c;
	if (c->keyed)
		p->keyed[p->keyed_count++] = c;
}

void
charge_plan_make(
    struct charge_plan *p, struct arena *arena, struct charge **charges, size_t count)
{
	int64_t *numbers = arena_alloc(arena, 5 * count * sizeof(*numbers));

	ASSERT(count > 0 && count <= CHARGE_BATCH_MAX);
	qsort(charges, count, sizeof(struct charge *), compare_users);
	*p = (struct charge_plan){
		.charges = arena_alloc(arena, count * sizeof(struct charge *)),
		.keyed = arena_alloc(arena, count * sizeof(struct charge *)),
		.found = arena_alloc(arena, count * sizeof(bool)),
		.uptos = numbers,
		.users = numbers + count,
		.totals = numbers + 2 * count,
		.firsts = numbers + 3 * count,
		.lasts = numbers + 4 * count,
	};
	for (size_t i = 0; i < count; i++)
		place(p, charges[i]);
}

static void
decide(struct charge *c, enum err outcome, int64_t balance)
{
	c->decided = true;
	c->outcome = outcome;
	c->balance = balance;
}

void
charge_plan_repeat(struct charge_plan *p, size_t i, int64_t amount, int64_t balance)
{
	struct charge *c = p->keyed[i];

	p->replays = true;
	c->replayed = amount == c->amount;
	decide(c, c->replayed ? ERR_OK : ERR_KEY_REUSED, balance);
}

void
charge_plan_charge(struct charge_plan *p, size_t i, int64_t balance)
{
	size_t first = (size_t)p->firsts[i] - 1, last = (size_t)p->lasts[i] - 1;

	p->found[i] = true;
	if (p->totals[i] <= BALANCE_MAX - balance)
		for (size_t at = first; at <= last; at++)
			decide(p->charges[at], ERR_OK, balance + p->uptos[at]);
	else if (first == last)
		decide(p->charges[first], ERR_BALANCE_LIMIT, 0);
}

void
charge_plan_end(struct charge_plan *p)
{
	if (p->replays)
		return;
	for (size_t i = 0; i < p->user_count; i++)
		for (int64_t at = p->firsts[i]; !p->found[i] && at <= p->lasts[i]; at++)
			decide(p->charges[at - 1], ERR_USER_UNKNOWN, 0);
}

size_t
charge_plan_rest(struct charge_plan *p, bool *together)
{
	size_t n = 0;

	*together = p->replays;
	for (size_t i = 0; i < p->count; i++)
		if (!p->charges[i]->decided)
			p->charges[n++] = p->charges[i];
	return n;
}
