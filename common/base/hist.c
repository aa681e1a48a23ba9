/*
 * Buckets: a value below 128 has its own. A larger one is shifted right until it is 64 to
 * 127, which keeps seven bits of it; every shift has 64 buckets.
 *
 *   shift 0: 0 1 2 … 127 | shift 1: 128-129 130-131 … | shift 2: 256-259 … | …
 */
#include "base/hist.h"

#include <stddef.h>

enum {
	SUB_COUNT = 1 << HIST_SUB_BITS
};

static size_t
bucket_of(int64_t us)
{
	unsigned shift = 0;

	if (us >= 2 * SUB_COUNT)
		shift = 63 - HIST_SUB_BITS - (unsigned)__builtin_clzll((uint64_t)us);
	return shift * SUB_COUNT + (size_t)(us >> shift);
}

/* The largest value of a bucket. */
static int64_t
bucket_limit(size_t bucket)
{
	size_t shift = bucket < 2 * SUB_COUNT ? 0 : bucket / SUB_COUNT - 1;

	return (((int64_t)(bucket - shift * SUB_COUNT) + 1) << shift) - 1;
}

void
hist_add(struct hist *h, int64_t us)
{
	const int64_t largest = (INT64_C(1) << HIST_MAX_BITS) - 1;

	if (us < 0)
		us = 0;
	if (us > largest)
		us = largest;
	h->counts[bucket_of(us)]++;
	h->count++;
	if (us > h->max_us)
		h->max_us = us;
}

void
hist_merge(struct hist *into, const struct hist *from)
{
	for (size_t i = 0; i < HIST_BUCKETS; i++)
		into->counts[i] += from->counts[i];
	into->count += from->count;
	if (from->max_us > into->max_us)
		into->max_us = from->max_us;
}

int64_t
hist_quantile(const struct hist *h, double share)
{
	double wanted = share * (double)h->count;
	uint64_t seen = 0;

	for (size_t i = 0; i < HIST_BUCKETS; i++) {
		seen += h->counts[i];
		if (seen > 0 && (double)seen >= wanted)
			return bucket_limit(i) < h->max_us ? bucket_limit(i) : h->max_us;
	}
	return h->max_us;
}

int64_t
hist_max(const struct hist *h)
{
	return h->max_us;
}
