/*
 * gzip (RFC 1952): bodies that are here whole, and bodies that come in pieces. The only
 * files that know zlib are this module's.
 *
 * One thread's.
 */
#ifndef ONRUSH_HTTP_GZIP_H
#define ONRUSH_HTTP_GZIP_H

#include "base/buf.h"

struct gzip;

enum gzip_use {
	GZIP_ANSWERS, /* one body after the other, while the server lives: 260 KB, fast */
	GZIP_STREAM,  /* one of many at a time: 33 KB */
	GZIP_ONCE,    /* what is kept for ever: 260 KB, as small as can be */
};

enum gzip_end {
	GZIP_FLUSH, /* all that was added can be read now; more comes */
	GZIP_END,   /* it is whole */
};

struct gzip *gzip_new(enum gzip_use use); /* the caller owns it */
void gzip_free(struct gzip *g);           /* NULL is fine */

/* Appends what becomes of the bytes to out. After GZIP_END another body begins. */
void gzip_add(struct gzip *g, str bytes, enum gzip_end end, struct buf *out);

#endif
