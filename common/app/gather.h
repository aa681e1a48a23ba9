/*
 * Whether messages had better leave with one system call, or each with its own.
 *
 * A thread that shares its processor with those whom its messages wake is made to wait
 * by them, after 120 to 180 of 1,000 single sends; one with a processor of its own,
 * never. The first gains by io_submit(2) what the second pays for it, 0.3 us a message
 * (docs/decisions/011-sends.md). So a few messages are sent singly from time to time, and
 * how often the thread had to wait decides about the next ones.
 */
#ifndef ONRUSH_APP_GATHER_H
#define ONRUSH_APP_GATHER_H

#include <stdbool.h>
#include <stddef.h>

enum {
	GATHER_TRIAL = 256,               /* messages sent singly, then it is decided */
	GATHER_WAITS = GATHER_TRIAL / 32, /* in a trial; more: together */
	GATHER_SPAN = 512 * GATHER_TRIAL, /* messages sent together before a trial */
};

/* How often this thread has had to wait for others so far. */
typedef long gather_waits(void);

struct gather {
	bool together; /* how the next message leaves */
	size_t left;   /* messages until it is decided again */
	long waits;    /* when the trial began */
};

/* Together at first: the worst of a rush may be its beginning. */
void gather_init(struct gather *g);
/* So many messages have left; `waits` is asked where a trial begins and ends. */
void gather_sent(struct gather *g, size_t messages, gather_waits *waits);

#endif
