/*
 * What one worker knows of the lines whose passes are shown to it: the numbers that the
 * queue service tells everybody, asked for every 100 ms while somebody needs them.
 *
 *   passes ──> line_copies ──> line_copy[] ──GET /queue/serving?line=N──> queue
 *                                  └──once a second: who was seen──────────┘
 *
 * It asks over connections of its own: behind the clients' calls to the queue service the
 * answers would come too late. A copy that is older than LINE_COPY_US decides nothing.
 */
#ifndef ONRUSH_GATEWAY_PASSES_LINE_COPIES_H
#define ONRUSH_GATEWAY_PASSES_LINE_COPIES_H

#include <sys/queue.h>

#include "app/loop.h"
#include "http/rq.h"
#include "queue/line_rules.h"

enum {
	LINE_COPIES_MAX = 64, /* as many lines as there may be */
	LINE_SOURCES_MAX = 32,
};

/* Queue services, as "host:port"; borrowed for ever. One is asked until it fails, then
 * the next. */
struct line_sources {
	const char *addresses[LINE_SOURCES_MAX];
	size_t count;
};

struct line_copies;
struct line_copy;

/* A request that waits for newer numbers; rq->ctx begins with it. */
struct line_wait {
	TAILQ_ENTRY(line_wait) link;
	struct rq *rq; /* borrowed while it waits, like the copy */
	struct line_copy *copy;
};

/* Registers the metrics; once, before the workers start. */
void line_copies_register(void);

/* NULL, with an error logged, when an address cannot be used. */
struct line_copies *
line_copies_new(struct loop *loop, const struct line_sources *sources);
void line_copies_free(struct line_copies *copies); /* NULL is fine */

/* The copy of a line, which somebody needs now: of one that nobody needed for a while it
 * is asked for at once. NULL when there are too many. */
struct line_copy *line_copies_use(struct line_copies *copies, int64_t line_id);

/* The numbers, until the loop's turn ends; NULL when they are too old. */
const struct line_view *line_copy_view(const struct line_copy *copy);

/* The holder of the place was let in: the queue service is told that it is neither idle
 * nor missing. */
void line_copy_note_seen(struct line_copy *copy, int64_t place);

/* The last ask did not fail: newer numbers can be waited for. */
bool line_copy_is_coming(const struct line_copy *copy);
/* Waits for numbers that were asked for after the request came, or for the first failure.
 * The next step looks at line_copy_view again; rq->err says nothing about it. */
rq_next line_copy_wait(struct rq *rq, rq_step *next, struct line_copy *copy) MUST_USE;

#endif
