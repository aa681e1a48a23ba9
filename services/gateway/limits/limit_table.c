#include "gateway/limits/limit_table.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/die.h"
#include "base/splitmix.h"

enum {
	SET_SLOTS = 8
};

struct limit_table {
	uint64_t secret;
	size_t sets; /* a power of two */
	struct limit_bucket slots[];
};

static struct limit_bucket *
set_of(struct limit_table *table, uint32_t class_id, uint64_t subject);
static struct limit_bucket *
find(struct limit_bucket *set, uint32_t class_id, uint64_t subject);

struct limit_table *
limit_table_new(size_t slots)
{
	struct limit_table *table;

	ASSERT(slots >= SET_SLOTS && (slots & (slots - 1)) == 0);
	table = xcalloc(1, sizeof(*table) + slots * sizeof(table->slots[0]));
	table->sets = slots / SET_SLOTS;
	ASSERT(
	    getrandom(&table->secret, sizeof(table->secret), 0) == sizeof(table->secret));
	return table;
}

void
limit_table_free(struct limit_table *table)
{
	free(table);
}

struct limit_bucket *
limit_table_find(struct limit_table *table, uint32_t class_id, uint64_t subject)
{
	return find(set_of(table, class_id, subject), class_id, subject);
}

struct limit_bucket *
limit_table_use(struct limit_table *table, uint32_t class_id, uint64_t subject,
    int64_t now_ns, int64_t depth_ns)
{
	struct limit_bucket *set = set_of(table, class_id, subject), *soonest = set;
	struct limit_bucket *bucket = find(set, class_id, subject);
	int64_t full_ns;

	if (bucket != NULL)
		return bucket;
	for (size_t i = 0; i < SET_SLOTS; i++) {
		if (set[i].class_id == 0) {
			soonest = &set[i];
			break;
		}
		if (set[i].full_ns < soonest->full_ns)
			soonest = &set[i];
	}
	if (soonest->class_id == 0)
		full_ns = now_ns;
	else if (soonest->full_ns < now_ns + depth_ns)
		full_ns = soonest->full_ns;
	else
		full_ns = now_ns + depth_ns;
	*soonest = (struct limit_bucket){ subject, class_id, 0, full_ns };
	return soonest;
}

/* --- places --------------------------------------------------------------------------
 */

/* Where nobody outside can know. */
static struct limit_bucket *
set_of(struct limit_table *table, uint32_t class_id, uint64_t subject)
{
	uint64_t hash =
	    splitmix64_mix(splitmix64_mix(subject ^ table->secret) + class_id);

	return &table->slots[(hash & (table->sets - 1)) * SET_SLOTS];
}

static struct limit_bucket *
find(struct limit_bucket *set, uint32_t class_id, uint64_t subject)
{
	for (size_t i = 0; i < SET_SLOTS; i++)
		if (set[i].subject == subject && set[i].class_id == class_id)
			return &set[i];
	return NULL;
}
