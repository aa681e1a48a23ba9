/*
 * The strict HTTP/1.1 parser (RFC 9110, RFC 9112), for requests and responses, without
 * I/O or allocation. It accepts only what every other implementation understands the same
 * way; everything ambiguous is refused, because the gateway forwards what it accepts.
 *
 * Refused with 400 unless said otherwise: anything but CRLF line ends; an empty line
 * before the start line; bare CR, LF or NUL; obs-fold; space before the colon; an empty
 * or non-token header name; control characters in a value; more than HTTP_MAX_HEADERS
 * fields or a head over the limit (431); a target over its limit (414); a target that is
 * not an origin-form path (or "*" for OPTIONS), with a fragment, "%00" or bytes outside
 * RFC 3986's set; CONNECT; other than HTTP/1.0 and 1.1 (505); no Host in 1.1, more than
 * one, or one that is not a name or address with maybe a port; Content-Length with
 * Transfer-Encoding; more than one Content-Length, even equal; a Content-Length that is
 * not 1*DIGIT, has a leading zero or exceeds 2^63-1; a Transfer-Encoding other than
 * exactly "chunked" (501 for another known coding under it), twice, or in HTTP/1.0;
 * Connection naming a framing field or what is not a token; Expect other than
 * 100-continue (417); a chunk size that is not 1*HEXDIG of at most 8 digits. Chunk
 * extensions and trailers are read and dropped, within the head limit; a framing field
 * among the trailers is refused. A response is refused (always with ERR_BAD_GATEWAY) for
 * the same, and if it is a 1xx or 204 with a body.
 */
#ifndef ONRUSH_HTTP_HTTP_PARSE_H
#define ONRUSH_HTTP_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum {
	HTTP_MAX_HEADERS = 64,
	HTTP_MAX_HEAD = 16384, /* bytes of start line and fields */
	HTTP_MAX_TARGET = 4096,
};

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_PATCH,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_OTHER, /* a valid token that no route takes */
};

str http_method_name(enum http_method method);

/* It asks for no change (RFC 9110, 9.2.1). */
bool http_method_is_safe(enum http_method method);

struct http_header {
	str name, value; /* value is trimmed */
};

/* How the length of the body is known. */
enum http_framing {
	HTTP_BODY_NONE,
	HTTP_BODY_LENGTH,
	HTTP_BODY_CHUNKED,
	HTTP_BODY_UNTIL_CLOSE, /* responses only */
};

/* A parsed head. All slices point into the bytes that were parsed. */
struct http_head {
	enum http_method method; /* requests */
	str method_text;
	str target, path,
	    query;       /* path and query are parts of target; query without '?' */
	int status;      /* responses */
	int minor;       /* HTTP/1.minor */
	bool keep_alive; /* what the message says about the connection */
	bool expect_continue;
	enum http_framing framing;
	uint64_t content_length;
	size_t head_size; /* bytes up to and with the empty line */
	uint64_t present; /* private: which names there may be, see http_header() */
	size_t header_count;
	struct http_header headers[HTTP_MAX_HEADERS];
};

enum http_parse {
	HTTP_PARSE_MORE, /* not all there yet */
	HTTP_PARSE_DONE,
	HTTP_PARSE_BAD, /* *err says what to answer; the connection must be closed after
			 */
};

/* Parses a request head from the start of `in`. May be called again with more bytes;
 * *scanned (start it with 0) remembers how far the end was looked for. What is malformed
 * is refused as soon as its line is complete. */
enum http_parse
http_parse_request(str in, size_t *scanned, struct http_head *head, enum err *err);

/* The same for a response to a request with this method. Interim 1xx heads are returned
 * like others. */
enum http_parse http_parse_response(str in, size_t *scanned, enum http_method method,
    struct http_head *head, enum err *err);

/* Adds a header to a head that has room for it. */
void http_head_add(struct http_head *head, struct http_header header);

/* A bit for the length and the first letter of a name, in any case. */
static inline uint64_t
http_name_bit(str name)
{
	return UINT64_C(1) << ((name.n * 7 + ((unsigned char)name.p[0] | 0x20)) & 63);
}

str http_header_find(const struct http_head *head, str name); /* looks at each */

/* The first header of this name (any case), trimmed; STR_NULL if there is none. Inline,
 * because a request is asked for two dozen names, most of which it does not have. */
static inline str
http_header(const struct http_head *head, str name)
{
	if ((head->present & http_name_bit(name)) == 0)
		return STR_NULL;
	return http_header_find(head, name);
}

/* Is the token, in any case, in a list such as "gzip, br" (RFC 9110, 5.6.1)? */
bool http_list_has(str list, str token);

/* The incremental decoder of a body, whatever its framing. */
struct http_body {
	enum http_framing framing;
	uint64_t left;      /* of the body or of the current chunk */
	int state;          /* private */
	size_t extra_bytes; /* of extensions and trailers so far */
};

void http_body_init(struct http_body *b, const struct http_head *head);

/*
 * Takes bytes from the start of `in`: *used is how many, *data (a part of in, maybe
 * empty) what of them is content. Call again until *used is 0 or the result is not MORE.
 * DONE: the body is complete, what follows in `in` belongs to the next message. BAD:
 * malformed. A line between chunks is only taken whole: until then keep its beginning in
 * front of what comes (never more than HTTP_MAX_HEAD bytes).
 */
enum http_parse http_body_decode(struct http_body *b, str in, size_t *used, str *data);

/* Percent-decodes into out (at least s.n bytes); false on a bad escape or a NUL. */
bool http_unescape(str s, char *out, str *decoded);

/* Percent-encodes what is not a letter, a digit, '-', '_' or '~' into out, which has room
 * for 3 * s.n bytes; gives the end of what was written. */
char *http_escape(str s, char *out);

#endif
