/* What lines.c (PostgreSQL) and ticks.c (Redis) share of the lines of one worker. */
#ifndef ONRUSH_QUEUE_LINES_IMPL_H
#define ONRUSH_QUEUE_LINES_IMPL_H

#include <stdatomic.h>

#include "app/metrics.h"
#include "queue/lines.h"

enum {
	REDIS_RUN_SIZE = 41, /* the id of a Redis process, with a NUL */
};

struct lines {
	struct service *service; /* borrowed */
	struct line_list list;   /* owned */
	size_t count;
	char run[REDIS_RUN_SIZE];
	struct loop_timer *tick; /* owned; of the next ticks */
	struct loop_timer *sync; /* owned; of the next sync */
	bool syncing, sync_again;
	atomic_bool ready;
	struct counter *restored; /* owned by metrics, like the next three */
	struct gauge *waiting, *active;
	struct histogram *kept;
	int64_t waiting_was, active_was;
};

/* The timer of the ticks; arg is the lines. In ticks.c. */
void lines_on_tick(void *arg);

/* Once for each tick: promises whose time has come are compared. In estimates.c. */
void line_compare_samples(struct line *line);

#endif
