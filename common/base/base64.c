#include "base/base64.h"

#include <stdint.h>
#include <string.h>

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t
base64_encode(const void *bytes, size_t size, char *out)
{
	const uint8_t *p = bytes;
	char *start = out;
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < size; i++) {
		bits = bits << 8 | p[i];
		for (have += 8; have >= 6; have -= 6)
			*out++ = digits[bits >> (have - 6) & 63];
	}
	if (have > 0)
		*out++ = digits[bits << (6 - have) & 63];
	return (size_t)(out - start);
}

/* The digit's value; 64 if it is none. */
static unsigned
value_of(char c)
{
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? 64 : (unsigned)(at - digits);
}

bool
base64_decode(str text, void *out, size_t max, size_t *size)
{
	uint8_t *p = out;
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	if (text.n % 4 == 1)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		unsigned value = value_of(text.p[i]);

		if (value == 64)
			return false;
		bits = bits << 6 | value;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (n == max)
			return false;
		p[n++] = (uint8_t)(bits >> have);
	}
	*size = n;
	/* Bits that belong to no byte must be zero: there is one text for each value. */
	return (bits & ((1U << have) - 1)) == 0;
}
