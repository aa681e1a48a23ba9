/*
 * A list of blocks; pieces are cut from the newest. A piece that does not fit gets a new
 * block, of its own size if it is large; what is left of the one before is not used again
 * until the reset.
 *
 *   arena ─last─> block ─next─> block ─next─> the first block, which reset keeps
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* With AddressSanitizer every piece is a block of its own, so that it sees when one is
 * overrun or used after the reset. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SEPARATE_PIECES
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SEPARATE_PIECES
#endif

enum {
#ifdef SEPARATE_PIECES
	BLOCK_SIZE = 0,
	ALIGN = 1,
#else
	BLOCK_SIZE = 2048,
	ALIGN = alignof(max_align_t),
#endif
};

struct block {
	struct block *next; /* owned; older blocks */
	size_t size, used;  /* of data[] */
	alignas(max_align_t) char data[];
};

struct arena {
	struct block *last; /* owned; the block that is being filled */
};

static struct block *
block_new(size_t size, struct block *next)
{
	struct block *b = xmalloc(sizeof(*b) + size);

	b->next = next;
	b->size = size;
	b->used = 0;
	return b;
}

struct arena *
arena_new(void)
{
	struct arena *a = xcalloc(1, sizeof(*a));

	a->last = block_new(BLOCK_SIZE, NULL);
	return a;
}

void
arena_reset(struct arena *a)
{
	struct block *b;

	while ((b = a->last)->next != NULL) {
		a->last = b->next;
		free(b);
	}
	a->last->used = 0;
}

void
arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	arena_reset(a);
	free(a->last);
	free(a);
}

void *
arena_alloc(struct arena *a, size_t size)
{
	void *p;

	ASSERT(size <= PTRDIFF_MAX); /* room for rounding up */
	size = (size + ALIGN - 1) / ALIGN * ALIGN;
	if (a->last->size - a->last->used < size)
		a->last = block_new(size > BLOCK_SIZE ? size : BLOCK_SIZE, a->last);
	p = a->last->data + a->last->used;
	a->last->used += size;
	return memset(p, 0, size);
}

char *
arena_strdup(struct arena *a, str s)
{
	char *copy = arena_alloc(a, s.n + 1);

	if (s.n > 0)
		memcpy(copy, s.p, s.n);
	return copy;
}

str
arena_str(struct arena *a, str s)
{
	return (str){ arena_strdup(a, s), s.n };
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *text;
	int need;

	va_start(ap, fmt);
	va_copy(again, ap);
	need = vsnprintf(NULL, 0, fmt, ap);
	ASSERT(need >= 0);
	text = arena_alloc(a, (size_t)need + 1);
	vsnprintf(text, (size_t)need + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return text;
}

size_t
arena_footprint(const struct arena *a)
{
	size_t sum = 0;

	for (const struct block *b = a->last; b != NULL; b = b->next)
		sum += sizeof(*b) + b->size;
	return sum;
}
