/*
 * Records that must be brought together by a key without holding them all in memory:
 * while there are few they stay there; beyond that they are spread by their key over
 * temporary files (in TMPDIR, else /tmp, removed by the kernel when we end), and each
 * file is brought back and sorted by itself.
 */
#ifndef ONRUSH_ONRUSH_SPILL_H
#define ONRUSH_ONRUSH_SPILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/die.h"

struct spill;

/* At most `memory` bytes stay in memory before files are used. */
struct spill *spill_new(size_t record_size, size_t memory);
void spill_free(struct spill *s); /* NULL is fine */

/* Adds a copy of the record. Records with the same key hash end in the same group call
 * of spill_each. */
void spill_add(struct spill *s, uint64_t key, const void *record);

/*
 * Calls back with sorted runs of records, each record once; those of one key are always
 * in one run. False when a temporary file could not be written or read: then errno says
 * why and nothing may be concluded. Ends the spill: it can only be freed after.
 */
bool spill_each(struct spill *s, int (*compare)(const void *, const void *),
    void (*run)(void *arg, const void *records, size_t count), void *arg) MUST_USE;

#endif
