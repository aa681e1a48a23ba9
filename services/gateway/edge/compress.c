#include "gateway/edge/compress.h"

#include <stdlib.h>

#include "gateway/edge/compress_rules.h"
#include "http/httpc.h"

enum {
	OUT_KEEP = 1 << 18, /* of the buffer between two answers */
};

struct compress {
	const struct compress_settings *settings; /* borrowed */
	struct gzip *gzip;                        /* owned; of whole answers */
	struct buf out;                           /* of the last one, or piece */
	size_t streams;                           /* under way */
};

struct compress *
compress_new(const struct compress_settings *settings)
{
	struct compress *c;

	if (!settings->on)
		return NULL;
	c = xcalloc(1, sizeof(*c));
	c->settings = settings;
	c->gzip = gzip_new(GZIP_ANSWERS);
	return c;
}

void
compress_free(struct compress *c)
{
	if (c == NULL)
		return;
	gzip_free(c->gzip);
	buf_fini(&c->out);
	free(c);
}

/* --- which ---------------------------------------------------------------------------
 */

static bool
is_worth_it(const struct compress *c, const struct httpc_response *answer)
{
	const struct http_head *head = answer->head;
	uint64_t size = answer->more == NULL                ? answer->body.n
			: head->framing == HTTP_BODY_LENGTH ? head->content_length
							    : UINT64_MAX;

	return size >= (uint64_t)c->settings->min_bytes && compress_fits(head);
}

enum compress_how
compress_choose(struct compress *c, struct rq *rq, bool allowed)
{
	bool whole = rq->http->more == NULL;

	if (c == NULL || !allowed || !is_worth_it(c, rq->http))
		return COMPRESS_NOT;
	/* Caches must know, also from answers that are not compressed. */
	rq_header(rq, STR("Vary"), STR("Accept-Encoding"));
	if (!compress_accepts_gzip(http_header(rq->head, STR("accept-encoding"))) ||
	    (!whole && c->streams == COMPRESS_STREAMS))
		return COMPRESS_NOT;
	rq_header(rq, STR("Content-Encoding"), STR("gzip"));
	return whole ? COMPRESS_WHOLE : COMPRESS_PIECES;
}

/* --- bytes ---------------------------------------------------------------------------
 */

str
compress_piece(struct compress *c, struct gzip *g, str piece, enum gzip_end end)
{
	if (c->out.cap > OUT_KEEP)
		buf_fini(&c->out);
	buf_clear(&c->out);
	gzip_add(g, piece, end, &c->out);
	return buf_str(&c->out);
}

str
compress_whole(struct compress *c, str body)
{
	return compress_piece(c, c->gzip, body, GZIP_END);
}

struct gzip *
compress_stream_begin(struct compress *c)
{
	ASSERT(c->streams < COMPRESS_STREAMS);
	c->streams++;
	return gzip_new(GZIP_STREAM);
}

void
compress_stream_end(struct compress *c, struct gzip *g)
{
	if (g == NULL)
		return;
	c->streams--;
	gzip_free(g);
}
