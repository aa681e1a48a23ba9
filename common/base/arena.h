/*
 * Memory that is freed all at once: a request takes what it needs from its arena and
 * nobody frees a piece. Blocks are kept over arena_reset(), so that a recycled arena
 * does not go to malloc again. Not for several threads at once.
 */
#ifndef ONRUSH_BASE_ARENA_H
#define ONRUSH_BASE_ARENA_H

#include <stddef.h>

#include "base/die.h"
#include "base/str.h"

struct arena;

struct arena *arena_new(void);    /* the caller owns it */
void arena_free(struct arena *a); /* NULL is fine */

/* Gives everything back; keeps the first block. */
void arena_reset(struct arena *a);

/* Zeroed memory, aligned for any type, valid until arena_reset or arena_free. */
void *arena_alloc(struct arena *a, size_t size) MUST_USE;
#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))

/* Copies, NUL-terminated. */
char *arena_strdup(struct arena *a, str s);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
str arena_str(struct arena *a, str s);

/* Bytes that are held from malloc: what tests and metrics look at. */
size_t arena_footprint(const struct arena *a);

#endif
