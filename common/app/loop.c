/*
 * The event loop of one worker thread, on libevent's epoll backend, without libevent's
 * locks. The only file that includes libevent.
 *
 *   loop_run: ┌─> libevent: wait, then call back ──> jobs, until there are none ─┐
 *             └──────────────────────────── one turn ────────────────────────────┘
 *
 * A turn that has called back TURN_MAX times ends; what is ready stays libevent's. After
 * ANSWERS_MAX in a row the next answers go behind the requests and timers that wait.
 *
 *   loop ─owns─┬─> event_base <─hangs on─ loop_io, loop_timer (their makers' own)
 *              ├─> sendq, what leaves at the end of the turn
 *              └── jobs (this thread), posted (any thread, under the mutex; an eventfd
 *                  wakes)
 *
 * A loop_io holds its read event inside and makes a write event only when a peer is slow,
 * so that an idle connection costs little. libevent does not look at an event again after
 * its callback was called, so an io or a timer may be freed in its own callback.
 */
#include "app/loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "app/sendq.h"
#include "base/clock.h"

enum {
	TURN_MAX = 64,             /* docs/decisions/010-turns.md */
	ANSWERS_MAX = 1024,        /* in a row, while requests wait */
	RANKS = LOOP_REQUESTS + 1, /* libevent's priorities; timers have the last */
};

STAILQ_HEAD(job_list, loop_job);

struct loop {
	struct event_base *base; /* owned */
	struct job_list jobs;    /* borrowed; run at the end of this turn */
	struct sendq *sendq;     /* owned */
	int64_t now_us;          /* as read in this turn, if `fresh` */
	int calls;               /* back in this turn */
	int answers;             /* called in a row */
	bool fresh;
	bool stopping;
	int wake_fd;            /* eventfd */
	struct event wake;      /* readable when something was posted */
	pthread_mutex_t mutex;  /* guards `posted` */
	struct job_list posted; /* borrowed */
};

struct loop_io {
	struct event read;
	struct event *write; /* owned; NULL until it was wanted once */
	struct loop *loop;   /* borrowed */
	loop_io_cb *cb;
	void *arg; /* borrowed */
	int fd;
	enum loop_rank rank;
	unsigned mask; /* what is wanted */
};

struct loop_timer {
	struct event event;
	struct loop *loop; /* borrowed */
	loop_timer_cb *cb;
	void *arg; /* borrowed */
	int64_t due_us;
};

static void on_wake(evutil_socket_t fd, short what, void *arg);
static void on_read(evutil_socket_t fd, short what, void *arg);
static void on_write(evutil_socket_t fd, short what, void *arg);
static void on_timer(evutil_socket_t fd, short what, void *arg);
static void refresh(struct loop *loop);
static void run_jobs(struct loop *loop);
static void take_posted(struct loop *loop);

struct loop *
loop_new(void)
{
	struct loop *loop = xcalloc(1, sizeof(*loop));
	struct event_config *config = event_config_new();

	ASSERT(config != NULL);
	/* Not EVENT_BASE_FLAG_PRECISE_TIMER: its timerfd is set in every turn, which then
	 * takes 0.9 us instead of 0.5, and nothing here needs timers below 5 ms. */
	event_config_set_flag(
	    config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	ASSERT(loop->base != NULL);
	ASSERT(event_base_priority_init(loop->base, RANKS) == 0);
	STAILQ_INIT(&loop->jobs);
	STAILQ_INIT(&loop->posted);
	loop->sendq = sendq_new(loop);
	pthread_mutex_init(&loop->mutex, NULL);
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ASSERT(loop->wake_fd >= 0);
	event_assign(
	    &loop->wake, loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
	ASSERT(event_add(&loop->wake, NULL) == 0);
	return loop;
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	take_posted(loop);
	run_jobs(loop);
	sendq_free(loop->sendq);
	event_del(&loop->wake);
	close(loop->wake_fd);
	pthread_mutex_destroy(&loop->mutex);
	event_base_free(loop->base);
	free(loop);
}

void
loop_run(struct loop *loop)
{
	/* Jobs may have been queued before the first turn, which would wait. */
	run_jobs(loop);
	while (!loop->stopping) {
		ASSERT(event_base_loop(loop->base, EVLOOP_ONCE) == 0);
		refresh(loop);
		run_jobs(loop);
		loop->calls = 0;
		loop->fresh = false;
	}
	loop->stopping = false;
}

void
loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

struct sendq *
loop_sendq(const struct loop *loop)
{
	return loop->sendq;
}

int64_t
loop_now_us(const struct loop *loop)
{
	/* Not fresh: the loop is not running, a program is starting or stopping. */
	return loop->fresh ? loop->now_us : clock_mono_us();
}

/* libevent calls us back at some point of its turn: the first to be called back reads
 * the clock for all. */
static void
refresh(struct loop *loop)
{
	if (loop->fresh)
		return;
	loop->now_us = clock_mono_us();
	loop->fresh = true;
}

/* --- descriptors ------------------------------------------------------------------- */

struct loop_io *
loop_io_new(struct loop *loop, int fd, enum loop_rank rank, loop_io_cb *cb, void *arg)
{
	struct loop_io *io = xcalloc(1, sizeof(*io));

	io->loop = loop;
	io->fd = fd;
	io->rank = rank;
	io->cb = cb;
	io->arg = arg;
	return io;
}

/* Both fail only for a descriptor that is not open, or out of memory. */
static void
add(struct loop_io *io, struct event *ev)
{
	event_priority_set(ev, (int)io->rank);
	ASSERT(event_add(ev, NULL) == 0);
}

static void
start_reading(struct loop_io *io, bool edge)
{
	/* EV_CLOSED: an edge tells of bytes and of the end behind them only once. */
	short extra = edge ? EV_ET | EV_CLOSED : 0;

	event_assign(&io->read, io->loop->base, io->fd,
	    (short)(EV_READ | EV_PERSIST | extra), on_read, io);
	add(io, &io->read);
}

static void
start_writing(struct loop_io *io)
{
	if (io->write == NULL)
		io->write = event_new(
		    io->loop->base, io->fd, EV_WRITE | EV_PERSIST, on_write, io);
	ASSERT(io->write != NULL);
	add(io, io->write);
}

void
loop_io_want(struct loop_io *io, unsigned mask)
{
	unsigned stop = io->mask & ~mask, start = mask & ~io->mask;

	ASSERT(!(mask & LOOP_EDGE) || mask == (LOOP_READ | LOOP_EDGE));
	if ((mask ^ io->mask) & LOOP_EDGE) {
		stop = io->mask;
		start = mask;
	}
	if (stop & LOOP_READ)
		ASSERT(event_del(&io->read) == 0);
	if (stop & LOOP_WRITE)
		ASSERT(event_del(io->write) == 0);
	if (start & LOOP_READ)
		start_reading(io, (mask & LOOP_EDGE) != 0);
	if (start & LOOP_WRITE)
		start_writing(io);
	io->mask = mask;
}

void
loop_io_free(struct loop_io *io)
{
	if (io == NULL)
		return;
	loop_io_want(io, 0);
	if (io->write != NULL)
		event_free(io->write);
	free(io);
}

/* Does it go behind the requests this time? Once they have had their turn it does not. */
static bool
gives_way(struct loop_io *io, struct event *ev, short what)
{
	struct loop *loop = io->loop;

	if (event_get_priority(ev) != LOOP_ANSWERS) {
		event_priority_set(ev, (int)io->rank);
		loop->answers = 0;
		return false;
	}
	if (++loop->answers <= ANSWERS_MAX)
		return false;
	event_priority_set(ev, LOOP_REQUESTS);
	event_active(ev, what, 0);
	return true;
}

static void
call_back(struct loop_io *io, struct event *ev, short what, unsigned ready)
{
	struct loop *loop = io->loop; /* the callback may free io */

	refresh(loop);
	if (gives_way(io, ev, what))
		return;
	if (what & EV_CLOSED)
		event_active(ev, EV_CLOSED, 0); /* until it is wanted no more */
	io->cb(io->arg, ready);
	if (++loop->calls >= TURN_MAX)
		event_base_loopbreak(loop->base);
}

static void
on_read(evutil_socket_t fd UNUSED, short what, void *arg)
{
	struct loop_io *io = arg;

	call_back(io, &io->read, what, LOOP_READ);
}

static void
on_write(evutil_socket_t fd UNUSED, short what, void *arg)
{
	struct loop_io *io = arg;

	call_back(io, io->write, what, LOOP_WRITE);
}

/* --- timers ------------------------------------------------------------------------ */

struct loop_timer *
loop_timer_new(struct loop *loop, loop_timer_cb *cb, void *arg)
{
	struct loop_timer *t = xcalloc(1, sizeof(*t));

	t->loop = loop;
	t->cb = cb;
	t->arg = arg;
	evtimer_assign(&t->event, loop->base, on_timer, t);
	return t;
}

/* Starts or moves the event so that it fires at t->due_us. */
static void
arm_timer(struct loop_timer *t, int64_t after_us)
{
	struct timeval tv = {
		.tv_sec = (time_t)(after_us / CLOCK_US_PER_SEC),
		.tv_usec = (suseconds_t)(after_us % CLOCK_US_PER_SEC),
	};

	ASSERT(evtimer_add(&t->event, &tv) == 0);
}

void
loop_timer_set(struct loop_timer *t, int64_t after_us)
{
	if (after_us < 0)
		after_us = 0;
	t->due_us = loop_now_us(t->loop) + after_us;
	arm_timer(t, after_us);
}

void
loop_timer_stop(struct loop_timer *t)
{
	evtimer_del(&t->event);
}

void
loop_timer_free(struct loop_timer *t)
{
	if (t == NULL)
		return;
	loop_timer_stop(t);
	free(t);
}

static void
on_timer(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
	struct loop_timer *t = arg;

	refresh(t->loop);
	/* libevent counts from a coarse clock, which may be a tick behind ours. */
	if (t->due_us > loop_now_us(t->loop))
		arm_timer(t, t->due_us - loop_now_us(t->loop));
	else
		t->cb(t->arg);
}

/* --- jobs -------------------------------------------------------------------------- */

void
loop_defer(struct loop *loop, struct loop_job *job)
{
	if (job->queued)
		return;
	job->queued = true;
	STAILQ_INSERT_TAIL(&loop->jobs, job, link);
}

void
loop_post(struct loop *loop, struct loop_job *job)
{
	bool first;

	pthread_mutex_lock(&loop->mutex);
	ASSERT(!job->queued);
	job->queued = true;
	first = STAILQ_EMPTY(&loop->posted);
	STAILQ_INSERT_TAIL(&loop->posted, job, link);
	/* Under the mutex, so that the loop cannot take the job, run it and be freed
	 * before it has been woken. */
	if (first)
		ASSERT(eventfd_write(loop->wake_fd, 1) == 0);
	pthread_mutex_unlock(&loop->mutex);
}

static void
on_wake(evutil_socket_t fd, short what UNUSED, void *arg)
{
	struct loop *loop = arg;
	eventfd_t count;

	refresh(loop);
	eventfd_read(fd, &count);
	take_posted(loop);
}

/* Moves what other threads posted behind this thread's jobs. */
static void
take_posted(struct loop *loop)
{
	pthread_mutex_lock(&loop->mutex);
	STAILQ_CONCAT(&loop->jobs, &loop->posted);
	pthread_mutex_unlock(&loop->mutex);
}

static void
run_jobs(struct loop *loop)
{
	struct loop_job *job;

	while ((job = STAILQ_FIRST(&loop->jobs)) != NULL) {
		STAILQ_REMOVE_HEAD(&loop->jobs, link);
		job->queued = false;
		job->run(job);
	}
}
