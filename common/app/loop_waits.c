/*
 * Deadlines of one length: a FIFO, and a timer that sweeps it.
 */
#include <stdlib.h>

#include "app/loop.h"

enum {
	SWEEP_MIN_US = 10000, /* no loop_waits is swept more often */
	SWEEP_SHARE = 20,     /* and a long one only by this part of its length */
};

struct loop_waits {
	TAILQ_HEAD(, loop_wait) running; /* borrowed; the first is due first */
	struct loop *loop;               /* borrowed */
	struct loop_timer *sweep;        /* owned */
	loop_wait_cb *cb;
	int64_t length_us;
	int64_t grain_us; /* between two sweeps, at least */
	bool armed;       /* `sweep` is running */
};

static void on_sweep(void *arg);
static void arm_sweep(struct loop_waits *waits);

struct loop_waits *
loop_waits_new(struct loop *loop, int64_t length_us, loop_wait_cb *cb)
{
	struct loop_waits *waits = xcalloc(1, sizeof(*waits));

	ASSERT(length_us > 0);
	TAILQ_INIT(&waits->running);
	waits->loop = loop;
	waits->sweep = loop_timer_new(loop, on_sweep, waits);
	waits->cb = cb;
	waits->length_us = length_us;
	waits->grain_us = length_us / SWEEP_SHARE;
	if (waits->grain_us < SWEEP_MIN_US)
		waits->grain_us = SWEEP_MIN_US;
	return waits;
}

void
loop_waits_free(struct loop_waits *waits)
{
	if (waits == NULL)
		return;
	while (!TAILQ_EMPTY(&waits->running))
		loop_wait_stop(TAILQ_FIRST(&waits->running));
	loop_timer_free(waits->sweep);
	free(waits);
}

void
loop_wait_start(struct loop_waits *waits, struct loop_wait *w)
{
	loop_wait_stop(w);
	w->waits = waits;
	w->due_us = loop_now_us(waits->loop) + waits->length_us;
	TAILQ_INSERT_TAIL(&waits->running, w, link);
	if (!waits->armed)
		arm_sweep(waits);
}

void
loop_wait_stop(struct loop_wait *w)
{
	if (w->waits == NULL)
		return;
	TAILQ_REMOVE(&w->waits->running, w, link);
	w->waits = NULL;
}

/* Until the first is due, but not sooner than one grain: those that are due at about the
 * same time share a sweep. A stop does not disarm it: it costs less to wake up once for
 * nothing than to move a timer with every request. */
static void
arm_sweep(struct loop_waits *waits)
{
	int64_t after_us =
	    TAILQ_FIRST(&waits->running)->due_us - loop_now_us(waits->loop);

	loop_timer_set(
	    waits->sweep, after_us > waits->grain_us ? after_us : waits->grain_us);
	waits->armed = true;
}

static void
on_sweep(void *arg)
{
	struct loop_waits *waits = arg;
	struct loop_wait *w;

	/* Each is taken from the front again, because cb may stop any other. */
	while ((w = TAILQ_FIRST(&waits->running)) != NULL &&
	       w->due_us <= loop_now_us(waits->loop)) {
		loop_wait_stop(w);
		waits->cb(w);
	}
	waits->armed = false;
	if (!TAILQ_EMPTY(&waits->running))
		arm_sweep(waits);
}
