/*
 * UUIDs (RFC 9562): version 7 for new ids, which sort by time, and version 8 for ids
 * that are a function of something else (the hash of an Idempotency-Key).
 */
#ifndef ONRUSH_BASE_UUID_H
#define ONRUSH_BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

typedef struct {
	uint8_t b[16];
} uuid;

#define UUID_TEXT_SIZE 37 /* with the NUL */

/* A new version 7 id from the wall clock and the kernel's random numbers. */
uuid uuid_new(void);

/* A version 8 id from the first 16 bytes of a hash. */
uuid uuid_from_hash(const uint8_t hash[16]);

bool uuid_eq(uuid a, uuid b);

/* When a version 7 id was made (wall clock, whole milliseconds); false for another. */
bool uuid_time_us(uuid id, int64_t *wall_us);

/* Lower-case canonical text, NUL-terminated. */
void uuid_format(uuid id, char out[UUID_TEXT_SIZE]);
/* False unless s is exactly the 36 characters of the canonical form, in either case. */
bool uuid_parse(str s, uuid *id) MUST_USE;

#endif
