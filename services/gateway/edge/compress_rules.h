/*
 * Whether an answer is compressed: what the client takes (RFC 9110, 12.5.3), and what is
 * worth it. Pure.
 */
#ifndef ONRUSH_GATEWAY_EDGE_COMPRESS_RULES_H
#define ONRUSH_GATEWAY_EDGE_COMPRESS_RULES_H

#include "http/http_parse.h"

/* Does an Accept-Encoding field take gzip, and not like the plain text better? */
bool compress_accepts_gzip(str field);

/* Text that gets smaller. Events are not among it: their streams are many, last for long
 * and say little, so that the memory would be worth more than the bytes. */
bool compress_is_text(str content_type);

/* May this answer of a service be sent compressed to a client that takes it? Not what is
 * encoded already, is a part of something, or must not be transformed. */
bool compress_fits(const struct http_head *answer);

/* The tag of an answer whose bytes were changed: weak (RFC 9110, 8.8.1). Into out, which
 * has room for tag.n + 2 bytes. */
str compress_weak_tag(str tag, char *out);

#endif
