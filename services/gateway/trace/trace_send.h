/*
 * The way of one worker's spans to the collector: what is gathered leaves as a batch, one
 * at a time, after a second or when there is much of it.
 *
 *   trace_sender_add ──> gathering ──swap──> leaving ──httpc──> collector
 *                        (bounded)              ^                   │
 *                                               └─ rests, again <───┘ 429, 502-504,
 * silence
 *
 * Nobody waits for it. When the collector is slow or away, `gathering` is full at some
 * time, and what does not fit is dropped and counted.
 */
#ifndef ONRUSH_GATEWAY_TRACE_TRACE_SEND_H
#define ONRUSH_GATEWAY_TRACE_TRACE_SEND_H

#include "app/app.h"
#include "app/metrics.h"
#include "gateway/upstream/directory.h"
#include "gateway/trace/trace_encode.h"

/* What becomes of spans. */
enum trace_outcome {
	TRACE_SENT,
	TRACE_NOT_WANTED, /* the collector refused them */
	TRACE_DROPPED,    /* there was no room, or the collector was away for too long */
};

enum {
	TRACE_OUTCOMES = 3,
};

/* For all workers. */
struct trace_target {
	struct directory *directory; /* borrowed, until the last sender is freed */
	str path;                    /* borrowed likewise */
	struct trace_resource resource;
	struct counter *spans[TRACE_OUTCOMES]; /* for ever */
};

struct trace_sender;

/* Borrows the worker and the target. The caller owns the result. */
struct trace_sender *
trace_sender_new(struct worker *w, const struct trace_target *target);
void trace_sender_free(struct trace_sender *s); /* drops what is left; NULL is fine */

/* Adds a request's spans to the batch, or drops them. */
void trace_sender_add(struct trace_sender *s, const struct trace_request *r);

/* Takes over where the collector is now; call it every now and then. */
void trace_sender_observe(struct trace_sender *s);

/* Sends what is there, but waits two seconds at most, and not at all for a collector that
 * has just failed; then calls worker_drained, perhaps before it returns. */
void trace_sender_drain(struct trace_sender *s);

#endif
