#include "http/h2_rules.h"

#include "base/clock.h"

/* Leaving a page takes back all that it asked for, a hundred requests, at once. */
const struct h2_rate h2_rate_resets = { CLOCK_US_PER_SEC / 50, 200 };
const struct h2_rate h2_rate_idle_frames = { CLOCK_US_PER_SEC / 100, 1000 };

bool
h2_pace_take(struct h2_pace *p, const struct h2_rate *rate, int64_t now_us)
{
	if (p->spent_us < now_us)
		p->spent_us = now_us;
	p->spent_us += rate->interval_us;
	return p->spent_us - now_us <= rate->burst * rate->interval_us;
}

void
h2_pace_give(struct h2_pace *p, const struct h2_rate *rate, int64_t count)
{
	p->spent_us -= count * rate->interval_us;
}
