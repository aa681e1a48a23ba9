/*
 * Compressing the answers of services for clients that take gzip.
 *
 *   answer ──compress_choose──> as it is
 *                            ├─> whole: the worker's one state, into its one buffer
 *                            └─> in pieces: a state of its own, flushed with every piece
 *
 * Memory is bounded: one state for whole answers and at most COMPRESS_STREAMS others per
 * worker; beyond, answers in pieces go as they are.
 *
 * Whoever can make a client send what he likes and sees how long the encrypted answers
 * are can guess a secret that stands in the same answer (BREACH). So answers that have a
 * secret, such as a pass, belong to routes with "compress": false.
 */
#ifndef ONRUSH_GATEWAY_EDGE_COMPRESS_H
#define ONRUSH_GATEWAY_EDGE_COMPRESS_H

#include "app/conf.h"
#include "http/gzip.h"
#include "http/rq.h"

enum {
	COMPRESS_STREAMS = 64,
};

/* Put COMPRESS_CONF_ITEMS in the program's table. */
struct compress_settings {
	bool on;
	int64_t min_bytes;
};

#define COMPRESS_CONF_ITEMS(type, member)                                                \
	{ "ONRUSH_COMPRESS", CONF_BOOL, offsetof(type, member.on), "off", 0, 0,          \
		"Whether answers that are text are compressed (gzip) for clients that "  \
		"take it." },                                                            \
	{                                                                                \
		"ONRUSH_COMPRESS_MIN", CONF_BYTES, offsetof(type, member.min_bytes),     \
		    "1K", 64, 1 << 20, "Answers that are smaller are never compressed."  \
	}

struct compress;

/* What one worker has; owned by the caller; NULL when it is off. */
struct compress *compress_new(const struct compress_settings *settings);
void compress_free(struct compress *c); /* after the server; NULL is fine */

enum compress_how {
	COMPRESS_NOT,
	COMPRESS_WHOLE,
	COMPRESS_PIECES,
};

/* How the answer in rq->http is to be sent; marks what is sent accordingly (Vary,
 * Content-Encoding). `allowed`: the route's word. */
enum compress_how compress_choose(struct compress *c, struct rq *rq, bool allowed);

/* What is sent in place of a whole body; borrowed until the next call. */
str compress_whole(struct compress *c, str body);

/* After COMPRESS_PIECES: the answer's own state, which compress_stream_end takes back. */
struct gzip *compress_stream_begin(struct compress *c);
/* What is sent in place of a piece; borrowed until the next call. */
str compress_piece(struct compress *c, struct gzip *g, str piece, enum gzip_end end);
void compress_stream_end(struct compress *c, struct gzip *g); /* NULL is fine */

#endif
