#include "reservation/hold_rules.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/digest.h"

static int
compare_ids(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

bool
hold_seats_sort(struct hold_seats *seats)
{
	qsort(seats->ids, seats->count, sizeof(*seats->ids), compare_ids);
	for (size_t i = 1; i < seats->count; i++)
		if (seats->ids[i] == seats->ids[i - 1])
			return false;
	return true;
}

int64_t
hold_content_hash(int64_t user_id, const struct hold_seats *seats)
{
	const str parts[] = { STR("onrush-hold-v1"),
		{ (const char *)&user_id, sizeof(user_id) },
		{ (const char *)seats->ids, seats->count * sizeof(*seats->ids) } };
	struct sha256 hash = sha256_of(parts, sizeof(parts) / sizeof(parts[0]));
	int64_t first;

	memcpy(&first, hash.b, sizeof(first));
	return first;
}
