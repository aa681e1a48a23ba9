/*
 * The buckets of rate limits that are not full: one for each class and subject (an
 * address, a user) that was seen lately, in a table of fixed size. Not for several
 * threads at once.
 *
 * A key has its place in one set of a few slots, which of them it is nobody outside can
 * know (the hash has a secret). When all slots of a set are taken, the bucket that is
 * full soonest goes, and the new one takes over when it would have been full. So whoever
 * is pushed out and comes again finds no more in his bucket than was there, and whatever
 * number of addresses somebody has, he gets no more than a bucket for each slot. What a
 * stranger loses by that is the least there is to lose, and at most what his own bucket
 * holds.
 */
#ifndef ONRUSH_GATEWAY_LIMITS_LIMIT_TABLE_H
#define ONRUSH_GATEWAY_LIMITS_LIMIT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct limit_table;

struct limit_bucket {
	uint64_t subject;
	uint32_t class_id; /* 1 and up; 0: the slot is empty */
	uint32_t taken;    /* since others were told of it: see limit_share.h */
	int64_t full_ns;   /* see limit_rules.h */
};

/* `slots` is a power of two, 8 and up: 24 bytes each. The caller owns it. */
struct limit_table *limit_table_new(size_t slots);
void limit_table_free(struct limit_table *table); /* NULL is fine */

/* The bucket of a key, made full (or as full as what had to go for it) if there is none;
 * an empty one is full after depth_ns. Borrowed until the next call. */
struct limit_bucket *limit_table_use(struct limit_table *table, uint32_t class_id,
    uint64_t subject, int64_t now_ns, int64_t depth_ns);

/* The bucket of a key; NULL: there is none. Borrowed until limit_table_use. */
struct limit_bucket *
limit_table_find(struct limit_table *table, uint32_t class_id, uint64_t subject);

#endif
