#include "gateway/upstream/pick_rules.h"

#include <math.h>

#include "base/die.h"
#include "base/splitmix.h"

/* How much more than its share a server takes of the calls that go by key. */
#define KEY_BOUND 1.25

static double unit(uint64_t x);

size_t
pick_by_load(const struct candidate *candidates, size_t count, uint64_t random)
{
	const struct candidate *a, *b;
	double load_a, load_b;

	ASSERT(count > 0);
	if (count == 1)
		return 0;
	size_t i = (size_t)(random & 0xffff) % count;
	size_t j = (i + 1 + (size_t)(random >> 16 & 0xffff) % (count - 1)) % count;
	a = &candidates[i];
	b = &candidates[j];
	load_a = (double)a->pending * b->weight;
	load_b = (double)b->pending * a->weight;
	if (load_a < load_b)
		return i;
	if (load_a > load_b)
		return j;
	/* Both idle, mostly: each gets its part. */
	return unit(splitmix64_mix(random)) * (a->weight + b->weight) < a->weight ? i : j;
}

size_t
pick_by_key(const struct candidate *candidates, size_t count, uint64_t key)
{
	double best_score = -1, weights = 0, pending = 1;
	size_t best = 0;

	ASSERT(count > 0);
	for (size_t i = 0; i < count; i++) {
		weights += candidates[i].weight;
		pending += (double)candidates[i].pending;
	}
	for (size_t i = 0; i < count; i++) {
		const struct candidate *c = &candidates[i];
		double share = ceil(KEY_BOUND * pending * c->weight / weights);
		double score =
		    -c->weight / log(unit(splitmix64_mix(key ^ splitmix64_mix(c->id))));

		if ((double)c->pending + 1 <= share && score > best_score) {
			best_score = score;
			best = i;
		}
	}
	return best;
}

bool
pick_panics(size_t usable, size_t all, double threshold)
{
	return (double)usable < threshold * (double)all || usable == 0;
}

/* FNV-1a, then mixed: short keys differ in few bits. */
uint64_t
pick_hash(str text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < text.n; i++) {
		hash ^= (unsigned char)text.p[i];
		hash *= UINT64_C(0x100000001b3);
	}
	return splitmix64_mix(hash);
}

/* Within 0 and 1, and neither. */
static double
unit(uint64_t x)
{
	return ((double)(x >> 11) + 0.5) * 0x1p-53;
}
