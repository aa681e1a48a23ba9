/*
 * What the filter knows in Redis: names of the keys, and writing them after a commit. A
 * mark only repeats what PostgreSQL has decided. Keys of one campaign:
 *
 *   coupon_avaliable:{id}              the operator's switch: "true" or "false"
 *   coupon:{id:generation}:issued      set of users who have all they may have
 *   coupon:{id:generation}:sold_out    the version of the campaign that sold out
 *   coupon:{id:generation}:flight:user a request of this user is being decided
 *
 * where {id:generation} stands with its braces (Redis Cluster keeps a campaign's keys on
 * one node by them), and the switch is spelled without. All expire with the campaign.
 */
#ifndef ONRUSH_COUPON_MARKS_H
#define ONRUSH_COUPON_MARKS_H

#include <stddef.h>

#include "base/arena.h"
#include "coupon/coupon.h"

struct redsync;

str marks_switch_key(struct arena *arena, int64_t coupon_id);
/* `kind` is "issued", "sold_out" or "flight:". */
str marks_key(struct arena *arena, const struct campaign *c, const char *kind);

/* When the campaign's keys expire, as text: seconds since 1970, a day after the campaign.
 */
str marks_expire_at(struct arena *arena, const struct campaign *c);

/* Queues what a decided batch of one campaign means for the filter. `full` are users who
 * reached the limit. The campaign is as of after the batch. */
void marks_queue(struct redsync *redis, struct arena *arena, const struct campaign *c,
    const int64_t *full, size_t full_count);

#endif
