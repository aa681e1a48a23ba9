/* onrush wait: returns when everything that is needed answers. */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "onrush/commands.h"
#include "onrush/engines.h"

#define LOOK_US  (2 * CLOCK_US_PER_SEC)
#define PAUSE_US (100 * CLOCK_US_PER_MS)

/* What is waited for, and what was seen of it last. */
struct waiting {
	struct target targets[MAX_TARGETS];
	struct sight sights[MAX_TARGETS];
	size_t count;
};

static int64_t
min_us(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Looks once at those that are missing; gives how many are still. */
static size_t
look_again(struct ctl *ctl, struct waiting *w, int64_t due_us)
{
	size_t missing = 0;

	for (size_t i = 0; i < w->count; i++) {
		int64_t left_us = due_us - clock_mono_us();

		if (w->sights[i].ready)
			continue;
		target_look(ctl, &w->targets[i],
		    left_us > PAUSE_US ? min_us(left_us, LOOK_US) : PAUSE_US,
		    &w->sights[i]);
		missing += !w->sights[i].ready;
	}
	return missing;
}

static void
complain_of_missing(const struct waiting *w)
{
	for (size_t i = 0; i < w->count; i++) {
		const struct target *t = &w->targets[i];

		if (!w->sights[i].ready)
			ctl_complain("%s%s%s is not ready: %s", t->name,
			    t->address != NULL ? " at " : "",
			    t->address != NULL ? t->address : "", w->sights[i].detail);
	}
}

static int
run(struct ctl *ctl)
{
	int64_t began_us = clock_mono_us();
	int64_t due_us = began_us + ctl_int(ctl, "--timeout") * CLOCK_US_PER_SEC;
	struct waiting w = { .count = 0 };
	bool ok = ctl->operand_count > 0 || targets_default(ctl, w.targets, &w.count);

	for (int i = 0; ok && i < ctl->operand_count; i++)
		ok = targets_parse(ctl, ctl->operands[i], w.targets, &w.count);
	if (!ok)
		return CTL_USAGE;
	while (look_again(ctl, &w, due_us) > 0) {
		if (clock_mono_us() + PAUSE_US >= due_us) {
			complain_of_missing(&w);
			return CTL_UNREACHABLE;
		}
		nanosleep(&(struct timespec){ .tv_nsec = PAUSE_US * 1000 }, NULL);
	}
	printf("%zu ready after %.1f s\n", w.count,
	    (double)(clock_mono_us() - began_us) / 1e6);
	return CTL_OK;
}

static const struct ctl_option options[] = {
	{ "--timeout", "SECONDS", "60", 1, 86400, NULL, "When to give up." },
};

const struct ctl_command CMD_WAIT = {
	.name = "wait",
	.operands = "TARGET…",
	.max_operands = MAX_TARGETS,
	.summary = "Wait until everything is ready",
	.text = "A target is postgres, redis, kafka, or [name=]host:port of a program,\n"
		"which is ready when its /readyz answers 200. Without targets:\n"
		"PostgreSQL, Redis (unless ONRUSH_REDIS_URL is empty), Kafka, and the\n"
		"programs of ONRUSH_WAIT. When the time is over it says what is missing\n"
		"and why.\n"
		"\n"
		"  onrush wait postgres redis kafka\n"
		"  onrush wait --timeout 10 gateway=127.0.0.1:8080\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.run = run,
};
