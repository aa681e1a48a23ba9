/* UUIDs as 16 bytes in the order of their text. */
#include "base/uuid.h"

#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/die.h"

/* Random bytes for many ids at once: one system call per 64 ids. */
static _Thread_local uint8_t pool[64 * 10];
static _Thread_local size_t pool_left;

static const uint8_t *
random_10(void)
{
	if (pool_left == 0) {
		ssize_t got;

		/* Below 256 bytes it is never short; above, a signal may cut it. */
		do
			got = getrandom(pool, sizeof(pool), 0);
		while (got != (ssize_t)sizeof(pool));
		pool_left = sizeof(pool);
	}
	pool_left -= 10;
	return pool + pool_left;
}

static uuid
with_version(uuid id, uint8_t version)
{
	id.b[6] = (uint8_t)((id.b[6] & 0x0f) | version << 4);
	id.b[8] = (uint8_t)((id.b[8] & 0x3f) | 0x80);
	return id;
}

uuid
uuid_new(void)
{
	uint64_t ms = (uint64_t)(clock_wall_us() / CLOCK_US_PER_MS);
	uuid id;

	for (int i = 0; i < 6; i++)
		id.b[i] = (uint8_t)(ms >> (40 - 8 * i));
	memcpy(id.b + 6, random_10(), 10);
	return with_version(id, 7);
}

uuid
uuid_from_hash(const uint8_t hash[16])
{
	uuid id;

	memcpy(id.b, hash, 16);
	return with_version(id, 8);
}

bool
uuid_eq(uuid a, uuid b)
{
	return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

bool
uuid_time_us(uuid id, int64_t *wall_us)
{
	int64_t ms = 0;

	if (id.b[6] >> 4 != 7)
		return false;
	for (int i = 0; i < 6; i++)
		ms = ms << 8 | id.b[i];
	*wall_us = ms * CLOCK_US_PER_MS;
	return true;
}

void
uuid_format(uuid id, char out[UUID_TEXT_SIZE])
{
	char hex[33];

	hex_encode(id.b, sizeof(id.b), hex);
	memcpy(out, hex, 8);
	memcpy(out + 9, hex + 8, 4);
	memcpy(out + 14, hex + 12, 4);
	memcpy(out + 19, hex + 16, 4);
	memcpy(out + 24, hex + 20, 12);
	out[8] = out[13] = out[18] = out[23] = '-';
	out[36] = '\0';
}

bool
uuid_parse(str s, uuid *id)
{
	char hex[32];

	if (s.n != 36 || s.p[8] != '-' || s.p[13] != '-' || s.p[18] != '-' ||
	    s.p[23] != '-')
		return false;
	memcpy(hex, s.p, 8);
	memcpy(hex + 8, s.p + 9, 4);
	memcpy(hex + 12, s.p + 14, 4);
	memcpy(hex + 16, s.p + 19, 4);
	memcpy(hex + 20, s.p + 24, 12);
	return hex_decode((str){ hex, sizeof(hex) }, id->b, sizeof(id->b));
}
