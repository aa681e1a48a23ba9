/*
 * Counting together: what was taken from one worker's buckets is told to somebody who
 * hears it from all of them, and who says how full the bucket is for all. That is Redis,
 * for the limits of the route file, and while it is away (or for the limit of every
 * address) a table of this process.
 *
 *   limits ──note──> told at the end of 100 ms, or of the turn in which much was taken
 *                      ├──> Redis: one script for up to 256 buckets ──> limit_learn
 *                      └──> table of the process, under a lock ───────> limit_learn
 *
 * No request ever waits for it: a bucket decides by what it knows. How far that may lead
 * is in docs/gateway.md.
 */
#ifndef ONRUSH_GATEWAY_LIMITS_LIMIT_SHARE_H
#define ONRUSH_GATEWAY_LIMITS_LIMIT_SHARE_H

#include "app/loop.h"
#include "gateway/limits/limit_class.h"
#include "gateway/limits/limit_table.h"

struct limit_share;

/* Makes the table of the process; once, before limit_share_new. */
void limit_share_start(int workers);

/* For one worker's table, which is borrowed. redis_url as in redis_conf, copied; "":
 * there is none. The caller owns it. NULL when there is nobody to tell. */
struct limit_share *
limit_share_new(struct loop *loop, struct limit_table *table, const char *redis_url);
void limit_share_free(struct limit_share *share); /* NULL is fine */

/* One was taken from a bucket of the table. */
void limit_share_note(struct limit_share *share, const struct limit_class *class,
    struct limit_bucket *bucket);

/* Are limits shared through Redis now? */
bool limit_share_is_wide(const struct limit_share *share);

#endif
