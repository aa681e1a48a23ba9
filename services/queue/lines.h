/*
 * The lines as one worker knows them. Their settings and bounds come from PostgreSQL
 * (sync, every second), their numbers from Redis (tick, every 100 ms; ticks.c). A line
 * that Redis has lost is made again from PostgreSQL and from what this worker knows.
 */
#ifndef ONRUSH_QUEUE_LINES_H
#define ONRUSH_QUEUE_LINES_H

#include <sys/queue.h>

#include "base/buf.h"
#include "queue/service.h"
#include "store/pg.h"

enum {
	LINES_MAX = 64,
	LINE_NAME_MAX = 120,
	LINE_BLOCK = 65536, /* tickets that are noted ahead */
	LINE_SAMPLES = 64,
	LINE_TARGET_MAX = 64,
};

/* A promise that was made, to be compared with what happens (estimates.c). */
struct line_sample {
	int64_t place, promised_s, since_us;
};

/* A line. Lines are never deleted, so copies are not either. */
struct line {
	LIST_ENTRY(line) link;
	struct lines *lines; /* borrowed */
	int64_t line_id;
	char name[LINE_NAME_MAX + 1];
	/* Settings; -1: none. Times in milliseconds. */
	int64_t version, rate, max_active, active_ms, no_show_ms, idle_ms, concert_id;
	int64_t opens_us, closes_us; /* wall clock; opens_us 0: open from the start */
	int64_t shuffled;            /* as PostgreSQL has it; -1: not decided */
	int64_t bound;               /* as PostgreSQL has it */
	bool sold_out;               /* the operator says so */
	bool all_owned;              /* the shop says so of the line's concert */
	bool looking;                /* the shop is being asked; with this */
	char left_target[LINE_TARGET_MAX];

	struct line_view view; /* all zero until the first tick */
	struct buf gone;       /* what view.gone points to */
	int64_t read_us;       /* monotonic; when the tick that gave the view was sent */
	int64_t sent_us;       /* of the tick that is under way */
	bool asking;           /* a tick or a restoration is under way */
	int64_t *seen;         /* owned; places that were told to be active */
	size_t seen_count, seen_cap, seen_sent;

	struct line_sample samples[LINE_SAMPLES];
	size_t sample_count;
	int64_t sampled_us, sample_every_us;
};

struct lines *lines_new(struct service *s);
void lines_free(struct lines *lines); /* NULL is fine */

/* NULL: there is none that we know of. */
struct line *lines_find(struct lines *lines, int64_t line_id);
/* All, for LIST_FOREACH. */
LIST_HEAD(line_list, line);
const struct line_list *lines_all(const struct lines *lines);

/* The view may be acted on: it is at most LINE_COPY_US old. */
bool line_is_fresh(const struct line *line);
/* Whether all are known and fresh: readiness. Any thread. */
bool lines_ready(void *lines);

/* Nothing is left to buy behind this line; it serves nobody else until that changes. */
bool line_is_sold_out(const struct line *line);

/* The holder of the place did something while active, so is neither idle nor a no-show.
 */
void line_note_seen(struct line *line, int64_t place);

/* Redis says so, later than the last tick: numbers only grow, what is promised is new. */
void line_note_numbers(struct line *line, int64_t serving, int64_t floor);
void line_note_paces(struct line *line, str text);
void line_note_given(struct line *line, int64_t ticket);

/* PostgreSQL has changed: reads it at once instead of within a second. */
void lines_sync(struct lines *lines);

/* A connection to Redis is there, perhaps to another process than before: learns its id.
 */
void lines_meet_redis(struct lines *lines);
/* The id of the Redis process; empty while it is not known. */
str lines_run(const struct lines *lines);

/* The key of the line in Redis. */
str line_key(struct arena *arena, const struct line *line);

/* What the statements of admin_api.c and lines.c give of a line, in this order. */
#define LINE_COLUMNS                                                                     \
	"line_id, name, version, mode, rate, max_active, active_ms, no_show_ms,"         \
	" idle_ms, opens_at, closes_at, sold_out, concert_id, seed, shuffled,"           \
	" ticket_bound, given, serving, floor, holes"
enum {
	LINE_COLUMN_BOUND = 15,
	LINE_COLUMN_COUNT = 20,
};
/* Takes over a row; makes the line if it is new. NULL when there are too many. */
struct line *lines_take_row(struct lines *lines, const struct pg_result *rows, int row);

#endif
