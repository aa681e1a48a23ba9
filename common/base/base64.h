/* base64url without padding (RFC 4648, section 5), strict: one text for each value. */
#ifndef ONRUSH_BASE_BASE64_H
#define ONRUSH_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* How long the text of `size` bytes is, without a NUL. */
static inline size_t
base64_text_size(size_t size)
{
	return size / 3 * 4 + (size % 3 == 0 ? 0 : size % 3 + 1);
}

/* Writes base64_text_size(size) characters to out, no NUL; their count. */
size_t base64_encode(const void *bytes, size_t size, char *out);

/* The reverse into out[max]; false unless `text` is what base64_encode writes for some
 * bytes and these fit. *size is their count. */
bool base64_decode(str text, void *out, size_t max, size_t *size) MUST_USE;

#endif
