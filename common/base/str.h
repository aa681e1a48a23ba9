/*
 * Slices of bytes (pointer and length), never NUL-terminated by promise, and strict
 * conversions from text that came from outside. A str borrows what it points to.
 */
#ifndef ONRUSH_BASE_STR_H
#define ONRUSH_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/die.h"

typedef struct {
	const char *p; /* borrowed */
	size_t n;
} str;

#define STR(literal) ((str){ (literal), sizeof(literal) - 1 })
/* The same as the initialiser of something static. */
#define STR_INIT(literal)                                                                \
	{                                                                                \
		(literal), sizeof(literal) - 1                                           \
	}
#define STR_NULL ((str){ NULL, 0 })
/* For printf("%.*s", STR_ARG(s)). */
#define STR_ARG(s) (int)(s).n, (s).p

/* A slice of a NUL-terminated string; NULL gives the empty slice. */
str str_of(const char *s);

bool str_eq(str a, str b);
bool str_eq_nocase(str a, str b); /* ASCII only */
bool str_starts(str s, str prefix);

/* Splits s at the first `sep`: *head is what is before it, the result what is after.
 * Without a `sep`, *head is all of s and the result is empty with p == NULL. */
str str_cut(str s, char sep, str *head);

/* s without spaces and tabs at both ends. */
str str_trim(str s);

/*
 * A decimal integer: an optional minus, then digits without a leading zero (but "0"),
 * nothing else, within min..max. False leaves *out alone.
 */
bool str_to_i64(str s, int64_t min, int64_t max, int64_t *out) MUST_USE;

enum {
	STR_DECIMAL_MAX = 20, /* digits of a uint64_t */
};
/* The digits of `value`, at the end of digits[], which the result borrows. */
str str_decimal(uint64_t value, char digits[STR_DECIMAL_MAX]);

/* Well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, up to U+10FFFF). */
bool str_is_utf8(str s);
/* The size of the well-formed character that s begins with; 0 if it begins with none. */
size_t str_utf8_length(str s);

/* Lower-case hex of `size` bytes into out[2 * size + 1], NUL-terminated. */
void hex_encode(const void *bytes, size_t size, char *out);
/* The reverse; false unless s is exactly 2 * size hex digits. */
bool hex_decode(str s, void *bytes, size_t size) MUST_USE;

#endif
