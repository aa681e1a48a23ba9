/*
 * How often a client of HTTP/2 may do what costs us and brings it nothing: a bucket that
 * fills at a steady rate (RFC 9113, 10.5; CVE-2019-9512 and its like, CVE-2023-44487,
 * CVE-2025-8671). Pure.
 */
#ifndef ONRUSH_HTTP_H2_RULES_H
#define ONRUSH_HTTP_H2_RULES_H

#include <stdbool.h>
#include <stdint.h>

struct h2_rate {
	int64_t interval_us; /* one each */
	int64_t burst;       /* so many at once */
};

/* Requests that were taken back, or whose stream was broken, before their answer. */
extern const struct h2_rate h2_rate_resets;
/* Frames that move nothing: settings, pings, priorities, windows, empty data. */
extern const struct h2_rate h2_rate_idle_frames;

/* All zero has all of its burst. */
struct h2_pace {
	int64_t spent_us; /* until when what was taken is paid for */
};

/* Takes one; false: too many. */
bool h2_pace_take(struct h2_pace *p, const struct h2_rate *rate, int64_t now_us);
/* Gives `count` back: the client did something for them. */
void h2_pace_give(struct h2_pace *p, const struct h2_rate *rate, int64_t count);

#endif
