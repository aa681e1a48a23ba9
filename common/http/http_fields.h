/*
 * What the fields of a head say about the message: its host, framing and connection.
 * Part of the HTTP parser; nobody else includes this.
 */
#ifndef ONRUSH_HTTP_HTTP_FIELDS_H
#define ONRUSH_HTTP_HTTP_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "http/http_parse.h"

/* What was seen so far; all zero is a head without fields. */
struct http_fields {
	bool host, length, chunked;
	bool close, keep_alive; /* options of Connection */
	bool expect_continue;
	uint64_t content_length;
};

/* Takes one more field into account. ERR_OK, or why the message must be refused. */
enum err http_fields_note(struct http_fields *f, const struct http_header *field);

/* After the last field: sets framing, content_length, keep_alive and expect_continue of
 * the head, whose minor and (for a response) status are known. */
enum err http_fields_end_request(const struct http_fields *f, struct http_head *head);
enum err http_fields_end_response(
    const struct http_fields *f, enum http_method method, struct http_head *head);

#endif
