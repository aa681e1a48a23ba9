/*
 * Requests and their steps: what runs next, what is waited for, and the one place where
 * a request ends.
 *
 *            exchange_begin                 rq_resume, rq_wake, deadline
 *   QUIET ──────────────────> RUNNING <──────────────────┐
 *                               │  ├── rq_started ──> STARTED ──(deadline: 504)──> LATE
 *                               │  └── rq_wait ─────> WAITING                       │
 *                               └── answered ──> ANSWERED ──> exchange_put <────────┘
 *                                                                     (rq_resume)
 *
 * A streamed answer (httpd_stream.c) goes from RUNNING to STREAM, and from there to its
 * end. Steps never free: after each step settle() looks at the state that the step left
 * and gives the exchange back when it is answered. A request whose I/O is under way stays
 * until rq_resume comes, even when it was answered long ago.
 */
#include "http/rq.h"

#include <stdlib.h>

#include "http/httpd_impl.h"

enum {
	SPARE_MAX = 256,       /* exchanges that are kept for the next requests */
	SPARE_BUF_MAX = 16384, /* of each buffer of a spare one */
};

static void run(struct exchange *x, rq_step *step);
static void on_hurry(void *arg);
static void settle(struct exchange *x);
static void out_of_time(struct exchange *x);
static void on_patience(void *arg);
static void on_job(struct loop_job *job);

static const rq_next next_token;

/* --- taking and giving back ----------------------------------------------------------
 */

struct exchange *
exchange_take(struct httpd *httpd)
{
	struct exchange *x = LIST_FIRST(&httpd->spares);

	if (x != NULL) {
		LIST_REMOVE(x, link);
		httpd->spare_count--;
	} else {
		x = xcalloc(1, sizeof(*x));
		x->httpd = httpd;
		x->rq.arena = arena_new();
		x->rq.worker = httpd->worker;
		x->rq.service = httpd->conf.service;
		x->rq.head = &x->head;
		x->job.run = on_job;
	}
	LIST_INSERT_HEAD(&httpd->live, x, link);
	return x;
}

static void
trim(struct buf *b)
{
	if (b->cap > SPARE_BUF_MAX)
		buf_fini(b);
	else
		buf_clear(b);
}

static void
destroy(struct exchange *x)
{
	arena_free(x->rq.arena);
	loop_timer_free(x->patience);
	loop_timer_free(x->hurry);
	buf_fini(&x->body);
	buf_fini(&x->headers);
	free(x);
}

void
exchange_free_spares(struct httpd *httpd)
{
	struct exchange *x;

	while ((x = LIST_FIRST(&httpd->spares)) != NULL) {
		LIST_REMOVE(x, link);
		destroy(x);
	}
	httpd->spare_count = 0;
}

/* Everything that the next request must not find. */
static void
wipe(struct exchange *x)
{
	struct rq *rq = &x->rq;

	*rq = (struct rq){
		.head = &x->head,
		.arena = rq->arena,
		.worker = rq->worker,
		.service = rq->service,
	};
	x->asker = NULL;
	x->next = NULL;
	x->cancel = NULL;
	x->state = RQ_QUIET;
	x->counted = x->expired = x->unlogged = false;
	x->close_after = x->retry_after = false;
	x->stream = NULL;
	x->streamed = 0;
	x->received = 0;
	x->follower = NULL;
	x->flow = FLOW_NONE;
	trim(&x->body);
	trim(&x->headers);
	arena_reset(rq->arena);
}

void
exchange_uncount(struct exchange *x)
{
	if (!x->counted)
		return;
	x->counted = false;
	x->httpd->under_way--;
	gauge_add(x->httpd->metrics.requests, -1);
}

void
exchange_put(struct exchange *x)
{
	struct httpd *httpd = x->httpd;

	ASSERT(!x->in_step && !x->job.queued);
	exchange_stop_deadline(x);
	exchange_uncount(x);
	route_put(x);
	LIST_REMOVE(x, link);
	if (httpd->spare_count < SPARE_MAX && !httpd->ended) {
		wipe(x);
		LIST_INSERT_HEAD(&httpd->spares, x, link);
		httpd->spare_count++;
	} else {
		destroy(x);
	}
	httpd_settle(httpd);
}

/* --- running -------------------------------------------------------------------------
 */

void
exchange_begin(struct exchange *x, rq_step *first)
{
	ASSERT(x->state == RQ_QUIET);
	x->counted = true;
	x->httpd->under_way++;
	gauge_add(x->httpd->metrics.requests, 1);
	run(x, first);
}

void
exchange_refuse(struct exchange *x, enum err err)
{
	ASSERT(x->state == RQ_QUIET);
	x->state = RQ_RUNNING;
	exchange_fail(x, err, STR_NULL);
	exchange_put(x);
}

static void
run(struct exchange *x, rq_step *step)
{
	x->state = RQ_RUNNING;
	x->in_step = true;
	(void)step(&x->rq);
	x->in_step = false;
	settle(x);
}

/* After a step. */
static void
settle(struct exchange *x)
{
	struct rq *rq = &x->rq;

	rq->err = ERR_OK;
	rq->pg = NULL;
	rq->redis = NULL;
	rq->http = NULL;
	rq->result = NULL;
	switch (x->state) {
	case RQ_ANSWERED:
		if (!x->job.queued)
			exchange_put(x);
		break;
	case RQ_STREAM: exchange_stop_deadline(x); break;
	case RQ_STARTED:
	case RQ_WAITING:
		if (x->expired)
			out_of_time(x);
		else if (x->deadline.waits == NULL)
			exchange_start_deadline(x);
		break;
	case RQ_QUIET:
	case RQ_RUNNING: /* the step returned a token that it did not get for itself */
	case RQ_LATE: UNREACHABLE();
	}
}

/* The step that runs has said what happens next: it may say it once. */
static rq_next
leave(struct exchange *x, enum rq_state state, rq_step *next)
{
	ASSERT(x->state == RQ_RUNNING && next != NULL);
	x->state = state;
	x->next = next;
	return next_token;
}

rq_next
rq_goto(struct rq *rq, rq_step *next)
{
	ASSERT(exchange_of(rq)->state == RQ_RUNNING);
	return next(rq);
}

rq_next
rq_started(struct rq *rq, rq_step *next)
{
	return leave(exchange_of(rq), RQ_STARTED, next);
}

rq_next
rq_not_started(struct rq *rq, rq_step *next, enum err err)
{
	struct exchange *x = exchange_of(rq);

	x->job_err = err;
	loop_defer(rq->worker->loop, &x->job);
	return leave(x, RQ_STARTED, next);
}

static void
on_job(struct loop_job *job)
{
	struct exchange *x = CONTAINER_OF(job, struct exchange, job);

	if (x->state == RQ_STREAM)
		exchange_gone(x);
	else if (x->state == RQ_ANSWERED)
		exchange_put(x);
	else
		rq_resume(&x->rq, x->job_err);
}

void
rq_resume(struct rq *rq, enum err err)
{
	struct exchange *x = exchange_of(rq);

	ASSERT(!x->in_step && !x->job.queued);
	if (x->state == RQ_LATE) {
		exchange_put(x);
		return;
	}
	ASSERT(x->state == RQ_STARTED);
	rq->err = err;
	run(x, x->next);
}

/* --- waiting, and the deadline -------------------------------------------------------
 */

rq_next
rq_wait(struct rq *rq, rq_step *next, int64_t patience_us, void (*cancel)(struct rq *rq))
{
	struct exchange *x = exchange_of(rq);

	ASSERT(cancel != NULL && patience_us >= 0);
	x->cancel = cancel;
	if (patience_us > 0) {
		if (x->patience == NULL)
			x->patience = loop_timer_new(rq->worker->loop, on_patience, x);
		loop_timer_set(x->patience, patience_us);
	}
	return leave(x, RQ_WAITING, next);
}

/* Leaves RQ_WAITING; the caller says for which state. */
static void
stop_waiting(struct exchange *x)
{
	ASSERT(x->state == RQ_WAITING && !x->in_step);
	if (x->patience != NULL)
		loop_timer_stop(x->patience);
}

void
rq_wake(struct rq *rq, enum err err, void *result)
{
	struct exchange *x = exchange_of(rq);

	stop_waiting(x);
	rq->err = err;
	rq->result = result;
	run(x, x->next);
}

/* Nobody woke it: the step decides what that means. */
static void
give_up(struct exchange *x)
{
	stop_waiting(x);
	x->cancel(&x->rq);
	x->rq.err = ERR_TIMEOUT;
	run(x, x->next);
}

static void
on_patience(void *arg)
{
	give_up(arg);
}

void
exchange_start_deadline(struct exchange *x)
{
	const struct rq *rq = &x->rq;
	int64_t given_us = rq->deadline_us - rq->start_us;

	loop_wait_start(x->slot->deadline, &x->deadline);
	if (given_us >= rq->route->deadline_us)
		return;
	if (x->hurry == NULL)
		x->hurry = loop_timer_new(rq->worker->loop, on_hurry, x);
	loop_timer_set(x->hurry, given_us);
}

void
exchange_stop_deadline(struct exchange *x)
{
	loop_wait_stop(&x->deadline);
	if (x->hurry != NULL)
		loop_timer_stop(x->hurry);
}

static void
on_hurry(void *arg)
{
	struct exchange *x = arg;

	if (x->state != RQ_STARTED && x->state != RQ_WAITING)
		return; /* the answer was given, or its client has left */
	loop_wait_stop(&x->deadline);
	exchange_on_deadline(&x->deadline);
}

void
exchange_on_deadline(struct loop_wait *w)
{
	struct exchange *x = CONTAINER_OF(w, struct exchange, deadline);

	x->expired = true;
	if (x->state == RQ_WAITING)
		give_up(x);
	else
		out_of_time(x);
}

/*
 * The deadline has passed and no step may use more time. What reads ends with 504; what
 * changes something may have done so, or may still do it, and that is what is said.
 */
static void
out_of_time(struct exchange *x)
{
	bool waiting = x->state == RQ_WAITING;

	counter_add(x->httpd->metrics.timeout_deadline, 1);
	if (waiting) {
		stop_waiting(x);
		x->cancel(&x->rq);
	}
	x->state = RQ_RUNNING;
	exchange_fail(x,
	    http_method_is_safe(x->head.method) ? ERR_TIMEOUT : ERR_UNKNOWN_OUTCOME,
	    STR_NULL);
	if (waiting)
		exchange_put(x);
	else
		x->state = RQ_LATE;
}

void
exchange_abandon(struct exchange *x)
{
	exchange_stop_deadline(x);
	switch (x->state) {
	case RQ_WAITING:
		stop_waiting(x);
		x->cancel(&x->rq);
		exchange_put(x);
		break;
	case RQ_STARTED: x->state = RQ_LATE; break;
	case RQ_LATE: break;
	case RQ_QUIET: exchange_put(x); break;
	case RQ_STREAM: /* without a connection: its job is queued */
		x->stream->gone(&x->rq);
		x->state = RQ_ANSWERED;
		break;
	case RQ_ANSWERED: break;        /* its job puts it */
	case RQ_RUNNING: UNREACHABLE(); /* a step ends its own server */
	}
}
