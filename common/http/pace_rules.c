#include "http/pace_rules.h"

#define US_PER_SEC INT64_C(1000000)

int64_t
pace_spend(int64_t credit_us, int64_t waited_us, uint64_t bytes,
    const struct pace_limits *limits)
{
	/* What fills the credit whatever was waited; more would only overflow. */
	uint64_t enough = (uint64_t)((limits->grace_us + waited_us) / US_PER_SEC + 1) *
			  (uint64_t)limits->rate;

	if (bytes >= enough)
		return limits->grace_us;
	credit_us += (int64_t)bytes * US_PER_SEC / limits->rate - waited_us;
	return credit_us < limits->grace_us ? credit_us : limits->grace_us;
}
