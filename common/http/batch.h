/*
 * Requests of one kind that wait at the same moment share one I/O. Under light load a
 * batch is one request and adds no delay; while `max_runs` are under way the next ones
 * gather, so that batches grow with the load by themselves.
 *
 *   rq_join ──> gathering ──(end of turn, a run is free)──> flush(run) ──> batch_end(run)
 */
#ifndef ONRUSH_HTTP_BATCH_H
#define ONRUSH_HTTP_BATCH_H

#include "http/rq.h"

struct batch;

/* Some requests that go together. The flush owns it until batch_end. */
struct batch_run {
	struct batch *batch; /* borrowed */
	void *arg;           /* batch_conf.arg */
	struct rq **rqs;     /* owned by the run */
	void **items;        /* owned by the run; items[i] is what rqs[i] joined with */
	size_t count;
	void *ctx; /* the flush's own */
};

struct batch_conf {
	size_t max_size;  /* requests in one run, 256 */
	size_t max_runs;  /* under way at once */
	size_t max_queue; /* that gather; more get ERR_OVERLOAD */
	/* Starts the I/O for all; later, from the loop, each rq gets its rq_resume, and
	 * then batch_end. */
	void (*flush)(struct batch_run *run);
	void *arg;
};

struct batch *batch_new(struct loop *loop, const struct batch_conf *conf);
void batch_free(struct batch *b); /* nothing may be pending; NULL is fine */

/* The step's request joins with what the flush needs to know of it (borrowed until the
 * next step); that step runs when its run has its result. */
rq_next rq_join(struct rq *rq, rq_step *next, struct batch *b, void *item) MUST_USE;

/* The run is over: frees it and lets the next gather. */
void batch_end(struct batch_run *run);

#endif
