/*
 * Holds: requests for seats that wait at the same moment are one statement, decided one
 * after the other by the function reservation.hold; each gets all its seats or none.
 *
 * A seat that PostgreSQL said is taken is refused here without asking again, for at most
 * HOLDING_LEASE_US from the moment its statement was sent and never longer than the hold
 * lasts. A request with an Idempotency-Key is always asked for: the seats may be its own.
 */
#ifndef ONRUSH_RESERVATION_HOLDING_H
#define ONRUSH_RESERVATION_HOLDING_H

#include "base/clock.h"
#include "base/uuid.h"
#include "reservation/hold_rules.h"
#include "reservation/service.h"

#define HOLDING_LEASE_US (200 * CLOCK_US_PER_MS)

enum {
	HOLD_NO_LINE = -1, /* it came without a pass */
};

/* What is asked for, and what became of it. */
struct hold_request {
	int64_t user_id;
	int64_t line_id;         /* of the pass, or HOLD_NO_LINE */
	struct hold_seats seats; /* sorted */
	uuid id;
	bool keyed;
	int64_t hash;

	enum err outcome;
	bool replayed;          /* an earlier request with this key made it */
	int64_t reservation_id; /* of ERR_OK, as the next two */
	int64_t held_until_us;  /* wall */
	int64_t amount;         /* won */
};

struct holding *holding_new(struct service *s);
void holding_free(struct holding *h); /* nothing may be pending; NULL is fine */

/* Decides the request (borrowed until the next step). That step finds its outcome, or
 * rq->err when it could not be begun. */
rq_next holding_hold(struct rq *rq, rq_step *next, struct holding *h,
    struct hold_request *request) MUST_USE;

/* One of its seats is known to be taken. */
bool holding_refuses(const struct holding *h, const struct hold_request *request);

#endif
