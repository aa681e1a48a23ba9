/*
 * A growable byte buffer: bytes are appended at the end and consumed at the start. It has
 * no limit of its own: whoever fills it from outside checks buf_size() first. All zero is
 * an empty buffer.
 */
#ifndef ONRUSH_BASE_BUF_H
#define ONRUSH_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/die.h"
#include "base/str.h"

struct buf {
	char *p;         /* owned */
	size_t off, len; /* the unread bytes are p[off .. len) */
	size_t cap;
};

void buf_fini(struct buf *b);  /* frees the bytes; b is empty and usable again */
void buf_clear(struct buf *b); /* forgets the content, keeps the memory */

static inline size_t
buf_size(const struct buf *b)
{
	return b->len - b->off;
}

static inline str
buf_str(const struct buf *b)
{
	return b->p == NULL ? STR_NULL : (str){ b->p + b->off, b->len - b->off };
}

/* Room for `size` more bytes at the end; write there, then buf_grew(b, written). */
char *buf_reserve(struct buf *b, size_t size);
void buf_grew(struct buf *b, size_t written);

void buf_add_slowly(struct buf *b, const void *bytes, size_t size); /* makes room */

/* Inline, because most pieces are a few bytes for which there is room. */
static inline void
buf_add(struct buf *b, const void *bytes, size_t size)
{
	if (size == 0)
		return;
	if (b->cap - b->len < size || b->off == b->len) {
		buf_add_slowly(b, bytes, size);
		return;
	}
	memcpy(b->p + b->len, bytes, size);
	b->len += size;
}

static inline void
buf_add_str(struct buf *b, str s)
{
	buf_add(b, s.p, s.n);
}

void buf_add_i64(struct buf *b, int64_t value);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Drops `size` unread bytes from the start. */
void buf_consume(struct buf *b, size_t size);

/* Appends s as a JSON string in quotes (RFC 8259); s must be UTF-8. */
void buf_add_json_str(struct buf *b, str s);

#endif
