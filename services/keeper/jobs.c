#include "keeper/jobs.h"

#include <stdio.h>
#include <time.h>

#include "app/log.h"

#define FOLLOW_US  (500 * CLOCK_US_PER_MS) /* between two attempts to lead */
#define NAP_US     (50 * CLOCK_US_PER_MS)  /* how late a stop may be noticed */
#define BACKOFF_US CLOCK_US_PER_SEC        /* at least, after a failure */

void
jobs_register(struct job *jobs, size_t count)
{
	char labels[64];

	for (size_t i = 0; i < count; i++) {
		snprintf(labels, sizeof(labels), "job=\"%s\"", jobs[i].name);
		jobs[i].runs = counter_new(
		    "onrush_keeper_runs_total", "Runs of a job that ended well.", labels);
		jobs[i].failures = counter_new("onrush_keeper_failures_total",
		    "Runs of a job that failed and come again.", labels);
	}
}

/* Sleeps until then, or until the program is to stop. */
static void
sleep_until(struct app *app, int64_t due_us)
{
	int64_t left_us;

	while (!app_stopping(app) && (left_us = due_us - clock_mono_us()) > 0) {
		struct timespec nap = { 0 };

		if (left_us > NAP_US)
			left_us = NAP_US;
		nap.tv_nsec = (long)(left_us * 1000);
		nanosleep(&nap, NULL);
	}
}

static struct job *
next_due(struct job *jobs, size_t count)
{
	struct job *next = &jobs[0];

	for (size_t i = 1; i < count; i++)
		if (jobs[i].due_us < next->due_us)
			next = &jobs[i];
	return next;
}

static void
run(struct keeper *k, struct job *job)
{
	int64_t wait_us = job->period_us;
	enum err err;

	arena_reset(k->arena);
	k->why = "";
	k->more = false;
	err = job->run(k);
	if (err != ERR_OK) {
		counter_add(job->failures, 1);
		if (!job->failing)
			log_warn("%s: %s: %s", job->name, err_info(err)->code, k->why);
		if (wait_us < BACKOFF_US)
			wait_us = BACKOFF_US;
	} else {
		counter_add(job->runs, 1);
		if (job->failing)
			log_info("%s: goes on", job->name);
	}
	job->failing = err != ERR_OK;
	/* A job with more to do lets the others that are due go first. */
	job->due_us = clock_mono_us() + (err == ERR_OK && k->more ? 0 : wait_us);
}

void
jobs_loop(struct app *app, struct keeper *k, struct job *jobs, size_t count,
    bool (*leads)(struct keeper *k), void (*ended)(void))
{
	bool led = false;

	while (!app_stopping(app)) {
		bool lead = leads(k);
		struct job *job = next_due(jobs, count);

		if (led && !lead && ended != NULL)
			ended();
		led = lead;
		if (!lead)
			sleep_until(app, clock_mono_us() + FOLLOW_US);
		else if (job->due_us > clock_mono_us())
			sleep_until(app, job->due_us);
		else
			run(k, job);
	}
}
