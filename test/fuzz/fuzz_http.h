/*
 * What the HTTP fuzz targets share: properties that hold for every input. A broken one
 * is an ASSERT, which libFuzzer reports with the input.
 */
#ifndef ONRUSH_FUZZ_HTTP_H
#define ONRUSH_FUZZ_HTTP_H

#include <string.h>

#include "base/buf.h"
#include "http/http_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The slice lies in the head and has no byte that could end a line or a string. */
static inline void
check_slice(str in, const struct http_head *head, str s)
{
	ASSERT(s.p >= in.p && s.p + s.n <= in.p + head->head_size);
	for (size_t i = 0; i < s.n; i++)
		ASSERT(s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] != '\0');
}

static inline void
check_head(str in, const struct http_head *head)
{
	ASSERT(head->head_size <= in.n && head->head_size <= HTTP_MAX_HEAD);
	ASSERT(memcmp(in.p + head->head_size - 4, "\r\n\r\n", 4) == 0);
	ASSERT(head->header_count <= HTTP_MAX_HEADERS);
	for (size_t i = 0; i < head->header_count; i++) {
		ASSERT(head->headers[i].name.n > 0);
		check_slice(in, head, head->headers[i].name);
		check_slice(in, head, head->headers[i].value);
	}
}

/* Two heads mean the same. */
static inline void
check_same(const struct http_head *a, const struct http_head *b)
{
	ASSERT(a->method == b->method && a->status == b->status);
	ASSERT(str_eq(a->method_text, b->method_text));
	ASSERT(str_eq(a->path, b->path) && str_eq(a->query, b->query));
	ASSERT(a->minor == b->minor && a->keep_alive == b->keep_alive);
	ASSERT(a->framing == b->framing && a->content_length == b->content_length);
	ASSERT(a->expect_continue == b->expect_continue);
	ASSERT(a->header_count == b->header_count);
	for (size_t i = 0; i < a->header_count; i++) {
		ASSERT(str_eq(a->headers[i].name, b->headers[i].name));
		ASSERT(str_eq(a->headers[i].value, b->headers[i].value));
	}
}

/* The fields as the gateway would write them again. */
static inline void
write_fields(struct buf *out, const struct http_head *head)
{
	for (size_t i = 0; i < head->header_count; i++) {
		buf_add_str(out, head->headers[i].name);
		buf_add_str(out, STR(": "));
		buf_add_str(out, head->headers[i].value);
		buf_add_str(out, STR("\r\n"));
	}
	buf_add_str(out, STR("\r\n"));
}

/* Decodes a body that arrives in pieces of this size; the content is added to out. */
static inline enum http_parse
decode_body(
    const struct http_head *head, str in, size_t piece, struct buf *out, size_t *taken)
{
	enum http_parse result = HTTP_PARSE_MORE;
	size_t end = 0, used;
	struct http_body b;
	str data;

	*taken = 0;
	http_body_init(&b, head);
	do {
		end = in.n - end > piece ? end + piece : in.n;
		do {
			str now = { in.p + *taken, end - *taken };

			result = http_body_decode(&b, now, &used, &data);
			ASSERT(used <= now.n && data.n <= used);
			ASSERT(data.n == 0 ||
			       (data.p >= now.p && data.p + data.n <= now.p + used));
			buf_add_str(out, data);
			*taken += used;
		} while (result == HTTP_PARSE_MORE && used > 0);
	} while (result == HTTP_PARSE_MORE && end < in.n);
	return result;
}

/* What follows the head is decoded alike, however it arrives. */
static inline void
check_body(const struct http_head *head, str in)
{
	str rest = { in.p + head->head_size, in.n - head->head_size };
	struct buf whole = { 0 }, pieces = { 0 };
	enum http_parse result, again;
	size_t taken, taken_again;

	buf_reserve(&whole, 1);
	buf_reserve(&pieces, 1);
	result = decode_body(head, rest, rest.n + 1, &whole, &taken);
	again = decode_body(head, rest, 1 + rest.n % 7, &pieces, &taken_again);
	ASSERT(result == again);
	if (result != HTTP_PARSE_BAD) {
		ASSERT(taken == taken_again);
		ASSERT(str_eq(buf_str(&whole), buf_str(&pieces)));
	}
	buf_fini(&whole);
	buf_fini(&pieces);
}

#endif
