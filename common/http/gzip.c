#include "http/gzip.h"

#include <stdlib.h>

#define ZLIB_CONST
#include <zlib.h>

enum {
	GZIP_WRAPPER = 16,  /* added to the window's bits: gzip's header and trailer */
	ROOM = 4096,        /* of output, at least, each time */
	PIECE_MAX = 1 << 30 /* zlib counts bytes in an int */
};

struct gzip {
	z_stream z; /* owns its state */
};

/* What a state costs is (1 << (window + 2)) + (1 << (memory + 9)) bytes. */
static const struct {
	int level, window, memory;
} uses[] = {
	[GZIP_ANSWERS] = { 1, 15, 8 },
	[GZIP_STREAM] = { 1, 12, 5 },
	[GZIP_ONCE] = { 9, 15, 8 },
};

struct gzip *
gzip_new(enum gzip_use use)
{
	struct gzip *g = xcalloc(1, sizeof(*g));

	ASSERT(deflateInit2(&g->z, uses[use].level, Z_DEFLATED,
		   uses[use].window + GZIP_WRAPPER, uses[use].memory,
		   Z_DEFAULT_STRATEGY) == Z_OK);
	return g;
}

void
gzip_free(struct gzip *g)
{
	if (g == NULL)
		return;
	deflateEnd(&g->z);
	free(g);
}

void
gzip_add(struct gzip *g, str bytes, enum gzip_end end, struct buf *out)
{
	int flush = end == GZIP_END ? Z_FINISH : Z_SYNC_FLUSH, result;
	size_t room;

	ASSERT(bytes.n <= PIECE_MAX);
	g->z.next_in = (const unsigned char *)bytes.p;
	g->z.avail_in = (unsigned)bytes.n;
	do {
		room = ROOM + g->z.avail_in / 2;
		g->z.next_out = (unsigned char *)buf_reserve(out, room);
		g->z.avail_out = (unsigned)room;
		result = deflate(&g->z, flush);
		/* Z_BUF_ERROR: there was nothing to do, which is no error. */
		ASSERT(result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR);
		buf_grew(out, room - g->z.avail_out);
	} while (g->z.avail_out == 0);
	if (end == GZIP_END) {
		ASSERT(result == Z_STREAM_END);
		ASSERT(deflateReset(&g->z) == Z_OK);
	}
}
