/*
 * The arithmetic of a rate limit, without a clock and without memory of its own: a token
 * bucket in the form of the generic cell rate algorithm (ITU-T I.371). What is known of a
 * bucket is one number, the moment when it will be full again; nothing runs when nobody
 * asks. Whole nanoseconds throughout: what is granted never exceeds what is configured.
 *
 *   granted in any stretch of t seconds <= burst + rate * t
 */
#ifndef ONRUSH_GATEWAY_LIMITS_LIMIT_RULES_H
#define ONRUSH_GATEWAY_LIMITS_LIMIT_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/die.h"

enum {
	LIMIT_RATE_MAX = 1000000,
	LIMIT_BURST_MAX = 1000000,
};

struct limit_rate {
	int64_t interval_ns; /* until one more request may come */
	int64_t depth_ns;    /* from empty to full */
};

/* `rate` requests a second, `burst` at once; 1 and up to the maxima. The interval is
 * rounded up: at a million a second by nothing, at 3 by a billionth. */
struct limit_rate limit_rate_of(int64_t rate, int64_t burst);

/* Takes one request out, if there is one. *full_ns is when the bucket is full again, any
 * moment of the past for one that is full. Times are of one monotonic clock. */
bool limit_take(const struct limit_rate *rate, int64_t now_ns, int64_t *full_ns) MUST_USE;

/* Puts one back that limit_take took. */
void limit_give_back(const struct limit_rate *rate, int64_t *full_ns);

/* How many requests there are now. */
int64_t limit_left(const struct limit_rate *rate, int64_t now_ns, int64_t full_ns);

/* How long until there is one; 0: there is. */
int64_t limit_wait_ns(const struct limit_rate *rate, int64_t now_ns, int64_t full_ns);

/* Notes what was taken elsewhere, whether it was there or not: such a debt is paid before
 * anything else is granted. */
void limit_charge(
    const struct limit_rate *rate, int64_t now_ns, int64_t count, int64_t *full_ns);

/*
 * Somebody who hears of all the copies of a bucket says that it is full in `backlog_ns`;
 * `untold` requests were taken from this copy that he has not heard of. A copy only ever
 * becomes stricter by that: who has forgotten is not believed.
 */
void limit_learn(const struct limit_rate *rate, int64_t now_ns, int64_t backlog_ns,
    int64_t untold, int64_t *full_ns);

/* Nanoseconds as whole seconds, rounded up, 1 at least: for Retry-After. */
int64_t limit_seconds(int64_t ns);

#endif
