#include "order/running.h"

#include <stdlib.h>
#include <string.h>

#include "base/die.h"

enum {
	BUCKETS = 1024,
};

LIST_HEAD(running_bucket, running_key);

struct running {
	struct running_bucket buckets[BUCKETS];
};

struct running *
running_new(void)
{
	return xcalloc(1, sizeof(struct running));
}

void
running_free(struct running *r)
{
	free(r);
}

static size_t
bucket_of(uuid id)
{
	uint32_t hash;

	memcpy(&hash, id.b + 12, sizeof(hash)); /* random in every version that we make */
	return hash % BUCKETS;
}

bool
running_has(const struct running *r, uuid id)
{
	const struct running_key *key;

	LIST_FOREACH (key, &r->buckets[bucket_of(id)], link)
		if (uuid_eq(key->id, id))
			return true;
	return false;
}

void
running_begin(struct running *r, struct running_key *key)
{
	LIST_INSERT_HEAD(&r->buckets[bucket_of(key->id)], key, link);
}

void
running_end(struct running_key *key)
{
	LIST_REMOVE(key, link);
}
