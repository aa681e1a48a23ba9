#include "gateway/limits/limit_rules.h"

#define NS_PER_SEC INT64_C(1000000000)

static int64_t
max_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

struct limit_rate
limit_rate_of(int64_t rate, int64_t burst)
{
	int64_t interval_ns = (NS_PER_SEC + rate - 1) / rate;

	return (struct limit_rate){ interval_ns, burst * interval_ns };
}

bool
limit_take(const struct limit_rate *rate, int64_t now_ns, int64_t *full_ns)
{
	int64_t then_ns = max_of(*full_ns, now_ns) + rate->interval_ns;

	if (then_ns - now_ns > rate->depth_ns)
		return false;
	*full_ns = then_ns;
	return true;
}

void
limit_give_back(const struct limit_rate *rate, int64_t *full_ns)
{
	*full_ns -= rate->interval_ns;
}

int64_t
limit_left(const struct limit_rate *rate, int64_t now_ns, int64_t full_ns)
{
	int64_t backlog_ns = max_of(full_ns - now_ns, 0);

	return max_of(rate->depth_ns - backlog_ns, 0) / rate->interval_ns;
}

int64_t
limit_wait_ns(const struct limit_rate *rate, int64_t now_ns, int64_t full_ns)
{
	int64_t backlog_ns = max_of(full_ns - now_ns, 0);

	return max_of(backlog_ns + rate->interval_ns - rate->depth_ns, 0);
}

void
limit_charge(
    const struct limit_rate *rate, int64_t now_ns, int64_t count, int64_t *full_ns)
{
	*full_ns = max_of(*full_ns, now_ns) + count * rate->interval_ns;
}

void
limit_learn(const struct limit_rate *rate, int64_t now_ns, int64_t backlog_ns,
    int64_t untold, int64_t *full_ns)
{
	*full_ns = max_of(*full_ns, now_ns + backlog_ns + untold * rate->interval_ns);
}

int64_t
limit_seconds(int64_t ns)
{
	return max_of((ns + NS_PER_SEC - 1) / NS_PER_SEC, 1);
}
