/*
 * A load: one thread that asks over many connections, in a closed loop (the next request
 * when the last one was answered) or an open one (at a rate, whatever the answers do; a
 * request's time then begins when it was due, so that waiting for a free connection
 * counts).
 *
 *   load ──> conn[] ──> socket
 *    ├─ plan   what to ask: shared by all threads, immutable; load_ask.c makes requests
 * of it └─ tally  what came of it
 */
#ifndef ONRUSH_BENCH_LOAD_H
#define ONRUSH_BENCH_LOAD_H

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/hist.h"
#include "base/str.h"
#include "http/net.h"

enum {
	LOAD_CODES = 16,     /* different error codes that are told apart */
	LOAD_CODE_SIZE = 40, /* bytes of one, with the NUL */
};

/* In the path and the body, {user} stands for a number that grows with each request, and
 * begins again after `user_count` of them; {seat} for one of `seat_count` numbers, which
 * follow each other as if they were drawn. */
struct load_plan {
	struct net_addr address;
	const char *host, *method, *path;
	const char *body;          /* NULL: none */
	const char *authorization; /* NULL: none */
	const str *passes;         /* borrowed; of each user; NULL: none */
	int connections;           /* of one thread */
	double rate;               /* per second, of one thread; 0: closed loop */
	int64_t warmup_us, run_us;
	int64_t max_requests;           /* of one thread; 0: until the time is over */
	_Atomic int64_t *users;         /* borrowed: how many have asked */
	int64_t first_user, user_count; /* count 0: it never ends */
	int64_t first_seat, seat_count; /* count 0: the path and the body name none */
	FILE *record; /* borrowed; NULL: none. One JSON line for each coupon */
};

struct load_tally {
	/* Answered within the measured time. */
	int64_t requests;
	int64_t statuses[600]; /* by HTTP status */
	struct {
		char code[LOAD_CODE_SIZE];
		int64_t count;
	} codes[LOAD_CODES];       /* by `error` */
	struct hist latency;       /* µs; of all but refusals */
	struct hist refusals;      /* µs; of answers with status 503 */
	int64_t first_us, last_us; /* monotonic: the measured time */
	/* At any time, warm-up included. */
	int64_t answers; /* whatever they were */
	int64_t granted; /* answers with status 200 */
	int64_t lost;    /* connections that broke with a request under way */
	int64_t refused; /* connects that failed */
	int64_t unsent;  /* that were due but never sent */
};

/* Runs to its end; blocks. */
void load_run(const struct load_plan *plan, struct load_tally *tally);

/* Appends the next request to `out` and gives its {user}; `body` is for its own use. */
int64_t load_ask(const struct load_plan *plan, struct buf *out, struct buf *body);

/* Adds b to a. */
void tally_merge(struct load_tally *a, const struct load_tally *b);

/* One answer within the measured time; `code` is its error's. */
void tally_answer(struct load_tally *t, int status, str code, int64_t took_us);

/* A line of JSON on stdout, a line for people on stderr. */
void tally_print(const struct load_tally *t);

#endif
