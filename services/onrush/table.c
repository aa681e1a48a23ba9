/*
 * Columns are as wide as their widest cell, measured in terminal columns: a code point
 * of the wide East Asian blocks takes two.
 */
#include "onrush/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct row {
	const char *cells[TABLE_MAX_COLUMNS]; /* owned by the arena */
	struct row *next;                     /* owned by the arena */
};

struct table {
	struct arena *arena;      /* borrowed */
	const char *const *heads; /* borrowed, static */
	size_t columns, filled;   /* filled: cells of the last row */
	struct row *first, *last; /* owned by the arena */
};

struct table *
table_new(struct arena *arena, const char *const *heads, size_t columns)
{
	struct table *t = ARENA_NEW(arena, struct table);

	ASSERT(columns <= TABLE_MAX_COLUMNS);
	t->arena = arena;
	t->heads = heads;
	t->columns = columns;
	t->filled = columns;
	return t;
}

static void
add(struct table *t, const char *text)
{
	if (t->filled == t->columns) {
		struct row *row = ARENA_NEW(t->arena, struct row);

		if (t->last == NULL)
			t->first = row;
		else
			t->last->next = row;
		t->last = row;
		t->filled = 0;
	}
	t->last->cells[t->filled++] = text;
}

void
table_cell(struct table *t, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	add(t, arena_strdup(t->arena, str_of(text)));
}

void
table_cell_str(struct table *t, str text)
{
	add(t, printable(t->arena, text));
}

/* Terminal columns of the character whose first byte this is; 0 for the bytes after. */
static size_t
width_at(const char *p)
{
	unsigned char c = (unsigned char)p[0];

	if ((c & 0xc0) == 0x80)
		return 0;
	/* U+1100 (Hangul) and on are E1 84 and above; up to U+2E7F (E2 BA) few are
	 * wide. */
	return c >= 0xe3 || (c == 0xe1 && (unsigned char)p[1] == 0x84) ? 2 : 1;
}

static size_t
width(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += width_at(text);
	return n;
}

static void
pad(size_t n)
{
	while (n-- > 0)
		putchar(' ');
}

static void
print_row(const struct table *t, const char *const *cells, const size_t *widths)
{
	for (size_t i = 0; i < t->columns; i++) {
		bool right = t->heads[i][0] == '>';
		const char *text = cells[i] == NULL ? "" : cells[i];
		size_t gap;

		text += text == t->heads[i] && right;
		gap = widths[i] - width(text);
		if (right)
			pad(gap);
		fputs(text, stdout);
		if (i + 1 == t->columns)
			break;
		pad((right ? 0 : gap) + 2);
	}
	putchar('\n');
}

void
table_print(const struct table *t, int indent)
{
	size_t widths[TABLE_MAX_COLUMNS];

	for (size_t i = 0; i < t->columns; i++) {
		widths[i] = width(t->heads[i] + (t->heads[i][0] == '>'));
		for (const struct row *r = t->first; r != NULL; r = r->next)
			if (r->cells[i] != NULL && width(r->cells[i]) > widths[i])
				widths[i] = width(r->cells[i]);
	}
	pad((size_t)indent);
	print_row(t, t->heads, widths);
	for (const struct row *r = t->first; r != NULL; r = r->next) {
		pad((size_t)indent);
		print_row(t, r->cells, widths);
	}
}

/* C1 control characters are C2 80 to C2 9F in UTF-8. */
static bool
is_c1(const char *p)
{
	return (unsigned char)p[0] == 0xc2 && (unsigned char)p[1] >= 0x80 &&
	       (unsigned char)p[1] < 0xa0;
}

const char *
printable(struct arena *arena, str text)
{
	char *copy = arena_strdup(arena, text);
	bool utf8 = str_is_utf8(text);

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)copy[i];

		if (utf8 && is_c1(copy + i))
			copy[i] = copy[i + 1] = '?';
		else if (c < 0x20 || c == 0x7f || (!utf8 && c >= 0x80))
			copy[i] = '?';
	}
	return copy;
}

const char *
duration_text(struct arena *arena, int64_t us)
{
	if (us < 1000)
		return arena_printf(arena, "%lld µs", (long long)us);
	if (us < 1000000)
		return arena_printf(arena, "%.1f ms", (double)us / 1e3);
	return arena_printf(arena, "%.1f s", (double)us / 1e6);
}
