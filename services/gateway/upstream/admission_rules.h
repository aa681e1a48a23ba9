/*
 * How many calls a server is given at the same time, and who is told at once that there
 * is no room: pure, no clock.
 *
 * The number follows the latency that is measured (additive increase, multiplicative
 * decrease: Chiu and Jain 1989; AIMDLimit of Netflix' concurrency-limits): while answers
 * take longer on average than the target it shrinks by a tenth each window, else it
 * grows, if it is used. There is no baseline that is learnt, as in gradients: services
 * that write in batches take longer and do more with more calls, and a latency that is
 * compared with that of a quiet hour would hold them back.
 */
#ifndef ONRUSH_GATEWAY_UPSTREAM_ADMISSION_RULES_H
#define ONRUSH_GATEWAY_UPSTREAM_ADMISSION_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/die.h"
#include "http/httpc.h"

struct admission_bounds {
	size_t min, max;   /* calls at the same time */
	int64_t target_us; /* of the mean latency; 0: always max */
	int64_t queue_us;  /* how long a call may wait for its turn */
};

struct admission {
	double limit;
	int64_t latency_us; /* mean of the last window; 0: nothing is known */
	/* The window that is being measured. */
	int64_t since_us, sum_us;
	size_t count, most; /* answers; calls under way at the same time */
	bool late;          /* one did not come in time */
};

void admission_init(struct admission *a, const struct admission_bounds *bounds);

/* An answer came, after so long, while so many calls were under way. True when the limit
 * may have changed. */
bool admission_answered(struct admission *a, const struct admission_bounds *bounds,
    int64_t now_us, int64_t latency_us, size_t under_way);
/* An answer did not come in time. Likewise. */
bool admission_late(
    struct admission *a, const struct admission_bounds *bounds, int64_t now_us);

size_t admission_limit(const struct admission *a);

/* May one more wait, when so many do? Not if its turn would come too late: high priority
 * has all of queue_us, normal three quarters, low half of it. */
bool admission_may_wait(const struct admission *a, const struct admission_bounds *bounds,
    size_t waiting, enum httpc_priority priority);

#endif
