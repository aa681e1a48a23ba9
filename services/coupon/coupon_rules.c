#include "coupon/coupon_rules.h"

#include <string.h>

#include "base/die.h"
#include "coupon/receipt.h"

static const char *const kind_names[] = {
	[COUPON_LIMITED] = "LIMITED",
	[COUPON_UNLIMITED] = "UNLIMITED",
};

static const char *const state_names[] = {
	[COUPON_DRAFT] = "DRAFT",
	[COUPON_PUBLISHABLE] = "PUBLISHABLE",
	[COUPON_CLOSED] = "CLOSED",
};

/* The index of the name, or count. */
static size_t
find_name(const char *const *names, size_t count, str name)
{
	size_t i = 0;

	while (i < count && !str_eq(str_of(names[i]), name))
		i++;
	return i;
}

const char *
coupon_kind_name(enum coupon_kind kind)
{
	return kind_names[kind];
}

bool
coupon_kind_parse(str name, enum coupon_kind *kind)
{
	size_t i = find_name(kind_names, ARRAY_LEN(kind_names), name);

	if (i == ARRAY_LEN(kind_names))
		return false;
	*kind = (enum coupon_kind)i;
	return true;
}

const char *
coupon_state_name(enum coupon_state state)
{
	return state_names[state];
}

bool
coupon_state_parse(str name, enum coupon_state *state)
{
	size_t i = find_name(state_names, ARRAY_LEN(state_names), name);

	if (i == ARRAY_LEN(state_names))
		return false;
	*state = (enum coupon_state)i;
	return true;
}

int64_t
coupon_remaining(const struct campaign *c)
{
	switch (c->kind) {
	case COUPON_LIMITED: return c->quantity - c->issued;
	case COUPON_UNLIMITED: return INT64_MAX;
	}
	UNREACHABLE();
}

enum err
coupon_judge(const struct campaign *c, int64_t at_us)
{
	if (c->state != COUPON_PUBLISHABLE || at_us < c->opens_us ||
	    at_us >= c->closes_us || at_us >= c->expires_us)
		return ERR_COUPON_NOT_OPEN;
	if (coupon_remaining(c) <= 0)
		return ERR_COUPON_SOLD_OUT;
	return ERR_OK;
}

bool
coupon_may_move(enum coupon_state from, enum coupon_state to)
{
	switch (to) {
	case COUPON_DRAFT: return false;
	case COUPON_PUBLISHABLE: return from == COUPON_DRAFT || from == COUPON_CLOSED;
	case COUPON_CLOSED: return from == COUPON_DRAFT || from == COUPON_PUBLISHABLE;
	}
	UNREACHABLE();
}

static struct campaign *
find_campaign(struct campaign *campaigns, size_t count, int64_t coupon_id)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (campaigns[middle].coupon_id < coupon_id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && campaigns[low].coupon_id == coupon_id ? &campaigns[low]
								    : NULL;
}

/*
 * What happened earlier in this batch, found by the request's id or by its user: two
 * small open hash tables of indices. A batch is at most COUPON_BATCH_MAX, so they are
 * never more than a quarter full.
 */
enum {
	SLOTS = 4 * COUPON_BATCH_MAX,
	EMPTY = -1,
};

struct batch_memory {
	const struct coupon_request *requests; /* borrowed */
	int by_id[SLOTS];
	int by_user[SLOTS]; /* the latest decision that gave this user a coupon */
};

static int *
slot_of_id(struct batch_memory *m, const struct coupon_request *r)
{
	size_t at;
	int *slot;

	memcpy(&at, r->id.b + 8, sizeof(at)); /* the random half */
	for (;; at++) {
		slot = &m->by_id[at % SLOTS];
		if (*slot == EMPTY || uuid_eq(m->requests[*slot].id, r->id))
			return slot;
	}
}

static int *
slot_of_user(struct batch_memory *m, const struct coupon_request *r)
{
	uint64_t hash = (uint64_t)r->user_id * UINT64_C(0x9e3779b97f4a7c15) ^
			(uint64_t)r->coupon_id * UINT64_C(0xc2b2ae3d27d4eb4f);
	int *slot;

	for (size_t at = hash >> 32;; at++) {
		slot = &m->by_user[at % SLOTS];
		if (*slot == EMPTY || (m->requests[*slot].user_id == r->user_id &&
					  m->requests[*slot].coupon_id == r->coupon_id))
			return slot;
	}
}

/* The answer for a request id that was decided before, for what and for whom ever. */
static struct coupon_decision
repeat(const struct coupon_request *r, const struct coupon_stored *earlier)
{
	struct coupon_decision d = earlier->decision;

	d.replayed = true;
	if (earlier->coupon_id != r->coupon_id || earlier->user_id != r->user_id)
		d = (struct coupon_decision){ .outcome = ERR_KEY_REUSED };
	d.request_id = r->id;
	return d;
}

/* Decides one that was not decided before; `held` counts the batch so far. */
static struct coupon_decision
decide_one(
    struct campaign *c, const struct coupon_request *r, int64_t held, int64_t now_us)
{
	struct coupon_decision d = { .request_id = r->id };

	if (c == NULL)
		d.outcome = ERR_COUPON_UNKNOWN;
	else if (held >= c->per_user_limit)
		d.outcome = ERR_COUPON_ALREADY_ISSUED;
	else
		d.outcome = coupon_judge(c, r->requested_us);
	if (d.outcome != ERR_OK)
		return d;
	c->issued++;
	d.receipt = (struct receipt){
		.coupon_id = r->coupon_id,
		.rank = c->issued,
		.user_id = r->user_id,
		.issued_us = now_us,
		.request_id = r->id,
	};
	receipt_seal(&d.receipt, &c->head);
	c->head = d.receipt.hash;
	return d;
}

void
coupon_decide(struct campaign *campaigns, size_t campaign_count,
    const struct coupon_request *requests, const struct coupon_history *history,
    size_t count, int64_t now_us, struct coupon_decision *decisions, int64_t *nths)
{
	struct batch_memory memory = { .requests = requests };

	ASSERT(count <= COUPON_BATCH_MAX);
	memset(memory.by_id, 0xff, sizeof(memory.by_id)); /* EMPTY everywhere */
	memset(memory.by_user, 0xff, sizeof(memory.by_user));
	for (size_t i = 0; i < count; i++) {
		const struct coupon_request *r = &requests[i];
		int *same_id = slot_of_id(&memory, r), *same_user;
		int64_t held;

		nths[i] = 0;
		if (history[i].decided) {
			decisions[i] = repeat(r, &history[i].stored);
			continue;
		}
		if (*same_id != EMPTY) {
			const struct coupon_request *first = &requests[*same_id];

			decisions[i] =
			    repeat(r, &(struct coupon_stored){ first->coupon_id,
					  first->user_id, decisions[*same_id] });
			continue;
		}
		*same_id = (int)i;
		same_user = slot_of_user(&memory, r);
		held = *same_user == EMPTY ? history[i].held : nths[*same_user];
		decisions[i] =
		    decide_one(find_campaign(campaigns, campaign_count, r->coupon_id), r,
			held, now_us);
		if (decisions[i].outcome == ERR_OK) {
			nths[i] = held + 1;
			*same_user = (int)i;
		}
	}
}
