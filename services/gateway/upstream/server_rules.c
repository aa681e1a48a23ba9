/* The states that the header draws. */
#include "gateway/upstream/server_rules.h"

#define COLD 0.1

bool
server_checked(
    struct server_belief *s, const struct server_limits *limits, bool ok, int64_t now_us)
{
	/* Up and passed, or down and failed: as believed. */
	if (ok != s->down) {
		s->streak = 0;
		return false;
	}
	if (++s->streak < (s->down ? limits->rise : limits->fall))
		return false;
	s->down = !s->down;
	s->streak = 0;
	if (!s->down) {
		s->failures = 0;
		s->since_us = now_us;
	}
	return true;
}

void
server_succeeded(struct server_belief *s, int64_t now_us)
{
	s->failures = 0;
	if (now_us >= s->forgiven_us)
		s->ejections = 0;
}

bool
server_failed(struct server_belief *s, const struct server_limits *limits, bool may_eject,
    int64_t now_us)
{
	int64_t length_us = limits->eject_us;

	/* While it is out, calls from before still fail. */
	if (server_is_ejected(s, now_us))
		return false;
	if (++s->failures < limits->failures || !may_eject)
		return false;
	for (int i = 0; i < s->ejections && length_us < limits->eject_max_us; i++)
		length_us *= 2;
	if (length_us > limits->eject_max_us)
		length_us = limits->eject_max_us;
	s->ejections++;
	s->failures = 0;
	s->ejected_until_us = now_us + length_us;
	s->forgiven_us = s->ejected_until_us + length_us;
	s->since_us = s->ejected_until_us;
	return true;
}

bool
server_is_ejected(const struct server_belief *s, int64_t now_us)
{
	return now_us < s->ejected_until_us;
}

bool
server_is_usable(const struct server_belief *s, int64_t now_us)
{
	return !s->down && !server_is_ejected(s, now_us);
}

bool
server_may_eject(size_t ejected, size_t all)
{
	return 2 * (ejected + 1) <= all;
}

double
server_warmth(
    const struct server_belief *s, const struct server_limits *limits, int64_t now_us)
{
	int64_t age_us = now_us - s->since_us;

	if (age_us >= limits->slow_start_us)
		return 1;
	if (age_us <= 0)
		return COLD;
	return COLD + (1 - COLD) * (double)age_us / (double)limits->slow_start_us;
}
