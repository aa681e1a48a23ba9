/* The state machine that the header draws. */
#include "base/breaker.h"

void
breaker_init(struct breaker *b, int threshold, int64_t interval_us)
{
	ASSERT(threshold > 0 && interval_us > 0);
	*b = (struct breaker){
		.state = BREAKER_CLOSED,
		.threshold = threshold,
		.interval_us = interval_us,
	};
}

bool
breaker_allow(struct breaker *b, int64_t now_us)
{
	if (b->state == BREAKER_CLOSED)
		return true;
	if (now_us < b->probe_at_us)
		return false;
	/* Also when the last probe was never heard of again. */
	b->state = BREAKER_HALF_OPEN;
	b->probe_at_us = now_us + b->interval_us;
	return true;
}

void
breaker_success(struct breaker *b)
{
	if (b->state == BREAKER_OPEN)
		return;
	b->state = BREAKER_CLOSED;
	b->failures = 0;
}

void
breaker_failure(struct breaker *b, int64_t now_us)
{
	switch (b->state) {
	case BREAKER_CLOSED:
		if (++b->failures >= b->threshold)
			breaker_trip(b, now_us);
		return;
	case BREAKER_HALF_OPEN: breaker_trip(b, now_us); return;
	case BREAKER_OPEN: return; /* of a call from before; the probe's time stays */
	}
	UNREACHABLE();
}

void
breaker_trip(struct breaker *b, int64_t now_us)
{
	b->state = BREAKER_OPEN;
	b->failures = 0;
	b->probe_at_us = now_us + b->interval_us;
}
