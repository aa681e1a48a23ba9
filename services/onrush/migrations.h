/*
 * Migration files as they lie in DIR/SERVICE/migrations/NUMBER_NAME.sql, in
 * dbmate's format: what stands between the lines `-- migrate:up` and `-- migrate:down` is
 * run. A file's version is "SERVICE/NUMBER_NAME". Reads files only.
 */
#ifndef ONRUSH_ONRUSH_MIGRATIONS_H
#define ONRUSH_ONRUSH_MIGRATIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/str.h"

enum {
	MIGRATION_SHA_SIZE = 65 /* hex with the NUL */
};

/* All texts live in the arena. */
struct migration {
	const char *version;
	const char *up;
	char sha256[MIGRATION_SHA_SIZE]; /* of the whole file */
};

struct migrations {
	struct migration *list; /* by version; owned by the arena */
	size_t count;
};

/* Reads them all. False with a sentence in *why (in the arena) when a file cannot be
 * read or is not in the format, when two have one number, or when there are none. */
bool migrations_load(struct arena *arena, const char *dir, struct migrations *out,
    const char **why) MUST_USE;

/* The part to be run of a file's text, in the arena; NULL with a sentence in *why. */
const char *migration_up(struct arena *arena, str text, const char **why) MUST_USE;

#endif
