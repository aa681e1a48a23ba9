/*
 * When a client is too slow: a credit of time that waiting for it uses up and that each
 * byte which it moves gives back, at the rate it must have. So a short stop is forgiven
 * again and again, and a long one never, whatever went before. Pure.
 */
#ifndef ONRUSH_HTTP_PACE_RULES_H
#define ONRUSH_HTTP_PACE_RULES_H

#include <stdint.h>

struct pace_limits {
	int64_t rate;     /* bytes per second, 1 to 10^9 */
	int64_t grace_us; /* the whole credit, at most an hour */
};

/*
 * The credit after it was waited for the client for so long (at most an hour), while so
 * many bytes moved. Never more than the grace; 0 or less: too slow.
 */
int64_t pace_spend(int64_t credit_us, int64_t waited_us, uint64_t bytes,
    const struct pace_limits *limits);

#endif
