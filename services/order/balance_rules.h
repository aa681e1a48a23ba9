/*
 * What charges come to, without I/O: many requests become one statement, which takes each
 * user's row once, and its rows become one outcome for each request.
 */
#ifndef ONRUSH_ORDER_BALANCE_RULES_H
#define ONRUSH_ORDER_BALANCE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/uuid.h"

#define CHARGE_MAX  INT64_C(1000000000000)    /* won, at once */
#define BALANCE_MAX INT64_C(1000000000000000) /* won; also a constraint of the table */

enum {
	CHARGE_BATCH_MAX = 256,
};

/* One request, and what became of it. */
struct charge {
	int64_t user_id, amount; /* 1 to CHARGE_MAX won */
	uuid id;                 /* of its transfer */
	bool keyed; /* the id is of an Idempotency-Key: it may be there already */

	bool decided;
	enum err outcome; /* of those that are decided */
	bool replayed;    /* ERR_OK is the stored answer of an earlier request */
	int64_t balance;  /* of ERR_OK: after this charge, won */
};

/* One statement's charges, by user. Arrays are the arena's. */
struct charge_plan {
	struct charge **charges; /* borrowed; sorted by user */
	int64_t *uptos;          /* the user's charges up to and with this one */
	size_t count;

	int64_t *users, *totals; /* ascending, and the sum of their charges */
	int64_t *firsts, *lasts; /* their charges, counted from 1 as SQL does */
	bool *found;             /* has an account */
	size_t user_count;

	struct charge **keyed; /* borrowed; those that may have been made earlier */
	size_t keyed_count;
	bool replays; /* some were: the statement has changed nothing */
};

/* 1 to CHARGE_BATCH_MAX charges, none decided. */
void charge_plan_make(
    struct charge_plan *p, struct arena *arena, struct charge **charges, size_t count);

/* What the statement has said: the transfer of keyed[i] is there, with this amount and
 * the balance after it … */
void charge_plan_repeat(struct charge_plan *p, size_t i, int64_t amount, int64_t balance);
/* … or users[i] had this balance. It was charged, all or nothing, if that stays within
 * the limit. */
void charge_plan_charge(struct charge_plan *p, size_t i, int64_t balance);
/* … and that was all. */
void charge_plan_end(struct charge_plan *p);

/* Of the charges those that have to be asked for again, in place; their number.
 * *together is false when they are too much for their user's limit only as a sum: each
 * has to be a statement of its own. */
size_t charge_plan_rest(struct charge_plan *p, bool *together);

#endif
