/*
 * A histogram of latencies for the load generator: fixed memory (14 KB), no allocation,
 * every value within 1/64 of what was recorded. Up to 127 us it is exact; above, every
 * power of two is divided into 64 equal buckets. All zero is an empty histogram.
 */
#ifndef ONRUSH_BASE_HIST_H
#define ONRUSH_BASE_HIST_H

#include <stdint.h>

enum {
	HIST_SUB_BITS = 6,  /* 64 buckets per power of two */
	HIST_MAX_BITS = 32, /* values below 2^32 us, which is 71 minutes */
	HIST_BUCKETS = (HIST_MAX_BITS - HIST_SUB_BITS + 1) << HIST_SUB_BITS
};

struct hist {
	uint64_t counts[HIST_BUCKETS];
	uint64_t count;
	int64_t max_us;
};

/* A negative value counts as 0, one that is too large as the largest there is. */
void hist_add(struct hist *h, int64_t us);

/* Adds to `into` all that `from` has. */
void hist_merge(struct hist *into, const struct hist *from);

/* The smallest value that `share` (0..1) of the values do not exceed, rounded up to its
 * bucket's limit: 0.5 is the median. 0 when the histogram is empty. */
int64_t hist_quantile(const struct hist *h, double share);
/* The largest value, exactly; 0 when the histogram is empty. */
int64_t hist_max(const struct hist *h);

#endif
