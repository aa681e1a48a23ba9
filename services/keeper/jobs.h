/* The keeper's loop: jobs of a table, each at its period, one after the other. */
#ifndef ONRUSH_KEEPER_JOBS_H
#define ONRUSH_KEEPER_JOBS_H

#include <stddef.h>

#include "keeper/keeper.h"

/* One run: a bounded piece of work. ERR_OK, or an error that keeper_fail has noted; then
 * it comes again after its period, at least a second. */
typedef enum err job_run(struct keeper *k);

struct job {
	const char *name;
	int64_t period_us;
	job_run *run;

	/* The loop's own: */
	int64_t due_us;                  /* monotonic */
	bool failing;                    /* the last run failed */
	struct counter *runs, *failures; /* owned by metrics */
};

/* Registers the jobs' metrics: before the workers start. */
void jobs_register(struct job *jobs, size_t count);

/*
 * Does the jobs while `leads` (asked before each run) is true, until the program stops.
 * `ended` (may be NULL) is called when the lead is lost.
 */
void jobs_loop(struct app *app, struct keeper *k, struct job *jobs, size_t count,
    bool (*leads)(struct keeper *k), void (*ended)(void));

/* The main thread's jobs: in payments.c … */
job_run payments_relay, payments_expire;
/* … in facts.c … */
job_run facts_relay, facts_relay_published;
/* … in seats.c … */
job_run seats_settle, seats_expire;
/* … and in coupons.c. */
job_run coupons_tell, coupons_give_back;
/* The second thread's: in rankings.c … */
job_run rankings_restore, rankings_refresh;
/* … in care.c … */
job_run care_purge;
/* … and in checks.c. */
job_run checks_ages, checks_run;

/* Metrics of the jobs: before the workers start. */
void payments_register(void);
void facts_register(void);
void coupons_register(void);
void seats_register(void);
void checks_register(void);
/* What was found belongs to the copy that leads. */
void checks_forget(void);

#endif
