/*
 * One piece of memory with a window of unread bytes in it. The window moves to the start
 * when it is empty, or when most of what is before it has been read.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
buf_fini(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ 0 };
}

void
buf_clear(struct buf *b)
{
	b->off = b->len = 0;
}

char *
buf_reserve(struct buf *b, size_t size)
{
	if (b->off == b->len)
		b->off = b->len = 0;
	if (b->p != NULL && b->cap - b->len >= size)
		return b->p + b->len;
	/* Move down only what is at most half of the buffer: each byte is then moved
	 * once per doubling, however small the pieces are that come and go. */
	if (b->off > 0 && b->cap - buf_size(b) >= size && b->off >= b->cap / 2) {
		memmove(b->p, b->p + b->off, buf_size(b));
		b->len -= b->off;
		b->off = 0;
		return b->p + b->len;
	}
	ASSERT(size <= PTRDIFF_MAX / 2 && b->len <= PTRDIFF_MAX / 2);
	while (b->cap - b->len < size)
		b->cap = b->cap == 0 ? 256 : b->cap * 2;
	b->p = xrealloc(b->p, b->cap);
	return b->p + b->len;
}

void
buf_grew(struct buf *b, size_t written)
{
	ASSERT(written <= b->cap - b->len);
	b->len += written;
}

void
buf_add_slowly(struct buf *b, const void *bytes, size_t size)
{
	memcpy(buf_reserve(b, size), bytes, size);
	b->len += size;
}

void
buf_add_i64(struct buf *b, int64_t value)
{
	char digits[STR_DECIMAL_MAX];

	if (value < 0)
		buf_add(b, "-", 1);
	buf_add_str(
	    b, str_decimal(value < 0 ? -(uint64_t)value : (uint64_t)value, digits));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	int need;

	va_start(ap, fmt);
	va_copy(again, ap);
	/* In its own statement: `cap` changes, and arguments have no order. */
	char *out = buf_reserve(b, 128);
	need = vsnprintf(out, b->cap - b->len, fmt, ap);
	ASSERT(need >= 0);
	if ((size_t)need >= b->cap - b->len)
		vsnprintf(buf_reserve(b, (size_t)need + 1), (size_t)need + 1, fmt, again);
	b->len += (size_t)need;
	va_end(again);
	va_end(ap);
}

void
buf_consume(struct buf *b, size_t size)
{
	ASSERT(size <= buf_size(b));
	b->off += size;
	if (b->off == b->len)
		b->off = b->len = 0;
}

/* Has a word of eight bytes one that JSON escapes? Never misses one; what it finds is
 * looked at byte by byte. The tests for a byte below n and for one that is zero:
 * Anderson, "Bit Twiddling Hacks". */
static bool
may_need_escape(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t quotes = word ^ (ones * '"'), slashes = word ^ (ones * '\\');

	return ((((word - ones * 0x20) & ~word) | ((quotes - ones) & ~quotes) |
		    ((slashes - ones) & ~slashes)) &
		   (ones * 0x80)) != 0;
}

static uint64_t
word_at(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* How many bytes at the start of s are the same inside a JSON string. */
static size_t
plain_bytes(str s)
{
	const size_t word = sizeof(uint64_t);
	size_t i = 0;

	while (s.n - i >= word && !may_need_escape(word_at(s.p + i)))
		i += word;
	/* What is left is less than a word: together with bytes that were looked at. */
	if (i > 0 && s.n - i < word && !may_need_escape(word_at(s.p + s.n - word)))
		return s.n;
	while (
	    i < s.n && (unsigned char)s.p[i] >= 0x20 && s.p[i] != '"' && s.p[i] != '\\')
		i++;
	return i;
}

void
buf_add_json_str(struct buf *b, str s)
{
	buf_add(b, "\"", 1);
	while (s.n > 0) {
		size_t plain = plain_bytes(s);

		buf_add(b, s.p, plain);
		s = (str){ s.p + plain, s.n - plain };
		if (s.n == 0)
			break;
		if (s.p[0] == '"' || s.p[0] == '\\')
			buf_add(b, (char[]){ '\\', s.p[0] }, 2);
		else
			buf_printf(b, "\\u%04x", (unsigned char)s.p[0]);
		s = (str){ s.p + 1, s.n - 1 };
	}
	buf_add(b, "\"", 1);
}
