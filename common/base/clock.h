/*
 * Time in microseconds (int64_t, suffix _us). Monotonic time measures and times out; wall
 * time (since 1970-01-01 UTC) is for people and records. Never mix them.
 */
#ifndef ONRUSH_BASE_CLOCK_H
#define ONRUSH_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define CLOCK_US_PER_MS  INT64_C(1000)
#define CLOCK_US_PER_SEC INT64_C(1000000)

int64_t clock_mono_us(void);
int64_t clock_wall_us(void);

/* "2026-11-21T03:04:05.123456Z" (RFC 3339), NUL-terminated, into out[CLOCK_ISO_SIZE]. */
#define CLOCK_ISO_SIZE 32
void clock_format_iso(int64_t wall_us, char out[CLOCK_ISO_SIZE]);

/* The reverse: RFC 3339 with 0 to 6 decimals and Z or +hh:mm. False if it is not that. */
bool clock_parse_iso(str s, int64_t *wall_us) MUST_USE;

/* The UTC day as yyyyMMdd, for keys such as rank:sell:20261121. */
int clock_day(int64_t wall_us);

#endif
