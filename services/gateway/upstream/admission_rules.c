#include "gateway/upstream/admission_rules.h"

#include "base/clock.h"

#define WINDOW_US (100 * CLOCK_US_PER_MS)
#define PATIENCE  10 /* windows, for who is asked little */
#define SHRINK    0.9
#define GROW      (1.0 / 16)

enum {
	WINDOW_ANSWERS = 10, /* at least, to judge by */
};

static bool
end_window(struct admission *a, const struct admission_bounds *bounds, int64_t now_us);

void
admission_init(struct admission *a, const struct admission_bounds *bounds)
{
	*a = (struct admission){ .limit = (double)bounds->max };
}

bool
admission_answered(struct admission *a, const struct admission_bounds *bounds,
    int64_t now_us, int64_t latency_us, size_t under_way)
{
	a->sum_us += latency_us;
	a->count++;
	if (under_way > a->most)
		a->most = under_way;
	return end_window(a, bounds, now_us);
}

bool
admission_late(struct admission *a, const struct admission_bounds *bounds, int64_t now_us)
{
	a->late = true;
	return end_window(a, bounds, now_us);
}

static double
clamp(double limit, const struct admission_bounds *bounds)
{
	if (limit < (double)bounds->min)
		return (double)bounds->min;
	return limit > (double)bounds->max ? (double)bounds->max : limit;
}

/* What was measured, if it is enough to judge by. */
static bool
end_window(struct admission *a, const struct admission_bounds *bounds, int64_t now_us)
{
	double before = a->limit;

	if (a->since_us == 0)
		a->since_us = now_us;
	if (now_us - a->since_us < WINDOW_US)
		return false;
	if (!a->late && a->count < WINDOW_ANSWERS &&
	    now_us - a->since_us < PATIENCE * WINDOW_US)
		return false;
	if (a->count > 0)
		a->latency_us = a->sum_us / (int64_t)a->count;
	if (bounds->target_us == 0)
		a->limit = (double)bounds->max;
	else if (a->late || a->latency_us > bounds->target_us)
		a->limit = clamp(a->limit * SHRINK, bounds);
	else if (2 * a->most >= (size_t)a->limit)
		a->limit = clamp(a->limit + 1 + a->limit * GROW, bounds);
	a->since_us = now_us;
	a->sum_us = 0;
	a->count = a->most = 0;
	a->late = false;
	return (size_t)before != (size_t)a->limit;
}

size_t
admission_limit(const struct admission *a)
{
	return a->limit < 1 ? 1 : (size_t)a->limit;
}

bool
admission_may_wait(const struct admission *a, const struct admission_bounds *bounds,
    size_t waiting, enum httpc_priority priority)
{
	/* Little's law: who waits is served at the pace of limit / latency. */
	double wait_us =
	    (double)(waiting + 1) * (double)a->latency_us / (double)admission_limit(a);

	switch (priority) {
	case HTTPC_HIGH: break;
	case HTTPC_NORMAL: wait_us *= 4.0 / 3; break;
	case HTTPC_LOW: wait_us *= 2; break;
	}
	return wait_us <= (double)bounds->queue_us;
}
