/*
 * What the files of the HTTP parser share and nobody else includes: character classes
 * and the one scanner of field lines, used for heads and for trailers.
 */
#ifndef ONRUSH_HTTP_HTTP_SCAN_H
#define ONRUSH_HTTP_HTTP_SCAN_H

#include <stdbool.h>

#include "base/str.h"
#include "http/http_parse.h"

/* Sets of characters that a byte may be in. */
enum http_char {
	HTTP_CHAR_VALUE = 1,  /* field-value (RFC 9110, 5.5): VCHAR, obs-text, SP, HTAB */
	HTTP_CHAR_TOKEN = 2,  /* tchar (RFC 9110, 5.6.2) */
	HTTP_CHAR_TARGET = 4, /* "/" and pchar (RFC 3986, 3.3), but no "%" */
	HTTP_CHAR_HOST = 8,   /* unreserved (RFC 3986, 2.3) */
	HTTP_CHAR_HEX = 16,
};

extern const unsigned char http_chars[256];

static inline bool
http_is(char c, enum http_char set)
{
	return (http_chars[(unsigned char)c] & set) != 0;
}

/* Does s consist of one or more characters of this set? */
bool http_is_all(str s, enum http_char set);

/*
 * Scans one field line with its CRLF at *at. DONE: *field is set and *at is behind it.
 * BAD: it is malformed. MORE: it is not all there before `end`.
 */
enum http_parse
http_scan_field(const char **at, const char *end, struct http_header *field);

/* Is this a field that frames or routes a message (lower or upper case)? Such a name may
 * stand neither in Connection nor in a trailer. */
bool http_is_framing_field(str name);

#endif
