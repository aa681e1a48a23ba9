/*
 * No function here reads beyond its slice or looks for a NUL; a byte of 0 is a byte like
 * any other. Letters are ASCII, whatever the locale.
 */
#include "base/str.h"

#include <string.h>

str
str_of(const char *s)
{
	return s == NULL ? STR_NULL : (str){ s, strlen(s) };
}

bool
str_eq(str a, str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Not strncasecmp, which takes two slices for equal from a NUL in them on. */
bool
str_eq_nocase(str a, str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (a.p[i] != b.p[i] && lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

bool
str_starts(str s, str prefix)
{
	return s.n >= prefix.n && str_eq((str){ s.p, prefix.n }, prefix);
}

str
str_cut(str s, char sep, str *head)
{
	const char *at = s.n == 0 ? NULL : memchr(s.p, sep, s.n);

	if (at == NULL) {
		*head = s;
		return STR_NULL;
	}
	*head = (str){ s.p, (size_t)(at - s.p) };
	return (str){ at + 1, s.n - head->n - 1 };
}

str
str_trim(str s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

bool
str_to_i64(str s, int64_t min, int64_t max, int64_t *out)
{
	bool negative = s.n > 0 && s.p[0] == '-';
	size_t i = negative ? 1 : 0;
	int64_t value = 0;

	if (i == s.n || (s.p[i] == '0' && s.n > 1))
		return false;
	for (; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		/* Downwards, because INT64_MIN has no positive twin. */
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_sub_overflow(value, s.p[i] - '0', &value))
			return false;
	}
	if (!negative && __builtin_sub_overflow((int64_t)0, value, &value))
		return false;
	if (value < min || value > max)
		return false;
	*out = value;
	return true;
}

/* How long a sequence with this first byte is; 0 if none begins so. */
static size_t
sequence_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2) /* a continuation byte or an overlong form */
		return 0;
	if (first < 0xe0)
		return 2;
	if (first < 0xf0)
		return 3;
	return first < 0xf5 ? 4 : 0; /* beyond U+10FFFF */
}

size_t
str_utf8_length(str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t length = s.n == 0 ? 0 : sequence_length(p[0]);

	if (length == 0 || length > s.n)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || /* overlong */
	    (p[0] == 0xed && p[1] > 0x9f) || /* surrogates */
	    (p[0] == 0xf0 && p[1] < 0x90) || /* overlong */
	    (p[0] == 0xf4 && p[1] > 0x8f))   /* beyond U+10FFFF */
		return 0;
	return length;
}

bool
str_is_utf8(str s)
{
	while (s.n > 0) {
		size_t length = str_utf8_length(s);

		if (length == 0)
			return false;
		s = (str){ s.p + length, s.n - length };
	}
	return true;
}

str
str_decimal(uint64_t value, char digits[STR_DECIMAL_MAX])
{
	size_t at = STR_DECIMAL_MAX;

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	return (str){ digits + at, STR_DECIMAL_MAX - at };
}

void
hex_encode(const void *bytes, size_t size, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = bytes;

	for (size_t i = 0; i < size; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = '\0';
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
hex_decode(str s, void *bytes, size_t size)
{
	unsigned char *out = bytes;

	if (s.n != 2 * size)
		return false;
	for (size_t i = 0; i < size; i++) {
		int high = hex_digit(s.p[2 * i]), low = hex_digit(s.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}
