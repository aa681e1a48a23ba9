/* Aligned columns on the terminal, and texts from outside made fit for it. */
#ifndef ONRUSH_ONRUSH_TABLE_H
#define ONRUSH_ONRUSH_TABLE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/die.h"
#include "base/str.h"

enum {
	TABLE_MAX_COLUMNS = 10
};

struct table;

/* `heads` are static texts; a column whose head begins with '>' is aligned to the right
 * (the sign is not printed). Lives in the arena. */
struct table *table_new(struct arena *arena, const char *const *heads, size_t columns);

/* Cells of the next row, from left to right; the texts are copied. */
void table_cell(struct table *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Text from outside: control characters become '?', so that it cannot drive the
 * terminal. */
void table_cell_str(struct table *t, str text);

/* Prints heads and rows on stdout, each line after `indent` spaces. */
void table_print(const struct table *t, int indent);

/* The text with control characters, and all that is not ASCII if it is not UTF-8,
 * replaced; in the arena, NUL-terminated. */
const char *printable(struct arena *arena, str text);

/* "1.2 ms", "3.4 s", in the arena. */
const char *duration_text(struct arena *arena, int64_t us);

#endif
