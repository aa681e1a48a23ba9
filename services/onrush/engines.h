/*
 * Looks whether a system answers: PostgreSQL, Redis, Kafka, or a program's /readyz. Used
 * by `wait`, `probe` and `status`.
 */
#ifndef ONRUSH_ONRUSH_ENGINES_H
#define ONRUSH_ONRUSH_ENGINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "onrush/ctl.h"

enum target_kind {
	TARGET_POSTGRES,
	TARGET_REDIS,
	TARGET_KAFKA,
	TARGET_PROGRAM,
};

/* Texts live in the arena or are static. */
struct target {
	enum target_kind kind;
	const char *name;    /* "postgres", or the program's */
	const char *address; /* of a program, host:port; otherwise NULL */
};

/* What a look gave. */
struct sight {
	bool answered; /* something was there */
	bool ready;    /* and it is ready */
	int64_t took_us;
	const char *detail; /* a few words: its version, or what is wrong; in the arena */
};

enum {
	MAX_TARGETS = 64
};

/*
 * Adds what `text` names to targets[*count]: "postgres", "redis", "kafka", or programs as
 * [name=]host:port; separated by commas or spaces. False after a complaint.
 */
bool targets_parse(
    struct ctl *ctl, const char *text, struct target *targets, size_t *count) MUST_USE;

/* Engines that the settings name, then the programs of ONRUSH_WAIT. */
bool targets_default(struct ctl *ctl, struct target *targets, size_t *count) MUST_USE;

void target_look(
    struct ctl *ctl, const struct target *t, int64_t timeout_us, struct sight *sight);

#endif
