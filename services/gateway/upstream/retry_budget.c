#include "gateway/upstream/retry_budget.h"

#include "base/clock.h"

static size_t advance(struct retry_budget *b, int64_t now_us);

void
retry_budget_init(struct retry_budget *b, double share, double per_second)
{
	*b = (struct retry_budget){ .share = share, .per_second = per_second };
}

void
retry_budget_call(struct retry_budget *b, int64_t now_us)
{
	b->calls[advance(b, now_us)]++;
}

bool
retry_budget_take(struct retry_budget *b, int64_t now_us)
{
	size_t now = advance(b, now_us);
	int64_t calls = 0, retries = 0;

	for (size_t i = 0; i < RETRY_WINDOW; i++) {
		calls += b->calls[i];
		retries += b->retries[i];
	}
	if ((double)retries + 1 > b->share * (double)calls + b->per_second * RETRY_WINDOW)
		return false;
	b->retries[now]++;
	return true;
}

/* Forgets the seconds that have left the window; the index of this one. */
static size_t
advance(struct retry_budget *b, int64_t now_us)
{
	int64_t second = now_us / CLOCK_US_PER_SEC;
	int64_t oldest = second - RETRY_WINDOW;

	if (b->second < oldest)
		b->second = oldest;
	while (b->second < second) {
		b->second++;
		b->calls[b->second % RETRY_WINDOW] = 0;
		b->retries[b->second % RETRY_WINDOW] = 0;
	}
	return (size_t)(second % RETRY_WINDOW);
}
