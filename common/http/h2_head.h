/*
 * Request heads of HTTP/2 (RFC 9113, 8.2 and 8.3), field by field as they are decoded. A
 * complete head is written down as HTTP/1.1 would and read by the one strict parser, so
 * that both versions refuse the same and what a request means does not depend on how it
 * came. Pure: no I/O, and nothing of frames.
 *
 *   :method :path :authority, fields ──> h2_head_field ──> h2_head_end ──> http_head
 */
#ifndef ONRUSH_HTTP_H2_HEAD_H
#define ONRUSH_HTTP_H2_HEAD_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "http/http_parse.h"

/* All zero is an empty one. */
struct h2_head {
	struct buf method, path, authority; /* of the pseudo-header fields */
	struct buf fields;                  /* "name: value" lines */
	struct buf cookie;                  /* all crumbs (RFC 9113, 8.2.3) */
	bool named;                         /* :authority came */
	enum err err;                       /* the first that was wrong */
};

void h2_head_clear(struct h2_head *h); /* for the next head */
void h2_head_fini(struct h2_head *h);  /* frees; it is empty then */

/* Takes the next field. After one that is wrong the rest is not looked at. */
void h2_head_field(struct h2_head *h, str name, str value);

/*
 * After the last field. `body`: more than the head comes. ERR_OK: *head is set, all of it
 * in the arena; its framing is NONE, LENGTH, or CHUNKED for a body of unknown length.
 * Else what to answer, and *head is not set.
 */
enum err h2_head_end(const struct h2_head *h, bool body, struct arena *arena,
    struct http_head *head) MUST_USE;

/* May this be a field of a message's trailers? */
bool h2_head_is_trailer(str name, str value);

#endif
