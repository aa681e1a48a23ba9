/*
 * A circuit breaker: whether to use a dependency now, or to take the other road at once.
 * A state machine without a clock; times are whatever monotonic time the caller has.
 *
 *            threshold failures in a row, or trip
 *   CLOSED ───────────────────────────────────────> OPEN <──────────┐
 *      ^                                              │ interval    │ failure
 *      │                    success                   v             │
 *      └────────────────────────────────────────── HALF_OPEN ───────┘
 *
 * HALF_OPEN lets one probe through per interval and waits for what becomes of it. A
 * success that comes while OPEN belongs to a call from before and changes nothing.
 */
#ifndef ONRUSH_BASE_BREAKER_H
#define ONRUSH_BASE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/die.h"

enum breaker_state {
	BREAKER_CLOSED,
	BREAKER_OPEN,
	BREAKER_HALF_OPEN,
};

struct breaker {
	enum breaker_state state;
	int threshold;       /* failures in a row that open it */
	int failures;        /* in a row, while CLOSED */
	int64_t interval_us; /* between two probes */
	int64_t probe_at_us; /* the next probe may go, while not CLOSED */
};

/* CLOSED; threshold of 1 or more. */
void breaker_init(struct breaker *b, int threshold, int64_t interval_us);

/* Whether a call may be made now. While not CLOSED, true makes this call the probe. */
bool breaker_allow(struct breaker *b, int64_t now_us) MUST_USE;

/* How a call ended. */
void breaker_success(struct breaker *b);
void breaker_failure(struct breaker *b, int64_t now_us);

/* Opens it now: the dependency has said itself that it is gone. */
void breaker_trip(struct breaker *b, int64_t now_us);

#endif
