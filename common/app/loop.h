/*
 * The event loop of one worker thread: the only place that knows libevent. Nothing here
 * is locked; a loop and all that hangs on it belong to one thread (but loop_post).
 *
 * Callbacks may start, stop and free anything except the object they are called for;
 * that one is freed by loop_defer, at the end of the turn.
 */
#ifndef ONRUSH_APP_LOOP_H
#define ONRUSH_APP_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/die.h"

struct loop;

struct loop *loop_new(void); /* the caller owns it */
/* After everything on it is gone; runs the jobs that are left. NULL is fine. */
void loop_free(struct loop *loop);
/* Returns at the end of the turn in which loop_stop was called; at once, after the jobs
 * that are queued, if it was called before. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* What is sent at the end of each turn (sendq.h); who uses it ignores SIGPIPE, as app_run
 * does. Borrowed. */
struct sendq;
struct sendq *loop_sendq(const struct loop *loop);

/* Monotonic microseconds, read once per turn: for timeouts, not for measuring. While the
 * loop does not run, the time now. */
int64_t loop_now_us(const struct loop *loop);

/*
 * File descriptors. The descriptor stays the caller's.
 *
 * They are level-triggered, but those that want LOOP_READ | LOOP_EDGE: these are called
 * once for what has come, so that epoll need not look a second time to find nothing left.
 * Whoever left something must want it without LOOP_EDGE: changing the one for the other
 * loses nothing, but takes two system calls. The end of a stream is told until it was
 * read; an error that comes with the last bytes shows when something is sent.
 */
enum {
	LOOP_READ = 1,
	LOOP_WRITE = 2,
	LOOP_EDGE = 4, /* not with LOOP_WRITE */
};
/* What is ready is called in this order, and epoll asked again after a few dozen calls:
 * work that was begun ends before more is begun, while its memory is still in the
 * processor's cache. */
enum loop_rank {
	LOOP_ANSWERS, /* brings what somebody waits for */
	LOOP_REQUESTS,
};
struct loop_io;
typedef void loop_io_cb(void *arg, unsigned ready);

struct loop_io *
loop_io_new(struct loop *loop, int fd, enum loop_rank rank, loop_io_cb *cb, void *arg);
void loop_io_want(struct loop_io *io, unsigned mask); /* 0 pauses */
void loop_io_free(struct loop_io *io);                /* NULL is fine */

/* One-shot timers, for the few things that need their own: never early, and late by up
 * to 5 ms (the tick of the kernel's coarse clock). */
struct loop_timer;
typedef void loop_timer_cb(void *arg);

struct loop_timer *loop_timer_new(struct loop *loop, loop_timer_cb *cb, void *arg);
void loop_timer_set(struct loop_timer *t, int64_t after_us); /* again moves it */
void loop_timer_stop(struct loop_timer *t);
void loop_timer_free(struct loop_timer *t); /* NULL is fine */

/*
 * Deadlines that all have the same length: a FIFO that is swept every few milliseconds,
 * so that starting and stopping one costs two pointer writes. cb is called once for a
 * wait that ran out, after it has been stopped.
 */
struct loop_wait {
	TAILQ_ENTRY(loop_wait) link;
	struct loop_waits *waits; /* borrowed; NULL when it is not running */
	int64_t due_us;
};
struct loop_waits;
typedef void loop_wait_cb(struct loop_wait *w);

struct loop_waits *loop_waits_new(struct loop *loop, int64_t length_us, loop_wait_cb *cb);
void loop_waits_free(struct loop_waits *waits); /* stops those that are running */
void loop_wait_start(struct loop_waits *waits, struct loop_wait *w); /* again restarts */
void loop_wait_stop(struct loop_wait *w); /* not running is fine */

/*
 * Jobs for the end of this turn, in order: batches that are flushed and objects that are
 * freed. A job that is already queued is not queued twice. A job queued by a job runs in
 * the same pass.
 */
struct loop_job {
	STAILQ_ENTRY(loop_job) link;
	void (*run)(struct loop_job *job);
	bool queued;
};
void loop_defer(struct loop *loop, struct loop_job *job);

/* Like loop_defer, from any thread: wakes the loop. The job must not be queued already.
 */
void loop_post(struct loop *loop, struct loop_job *job);

#endif
