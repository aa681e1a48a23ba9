/* A chunk of a body whose length nobody knows (RFC 9112, 7.1), as both sides write it. */
#ifndef ONRUSH_HTTP_HTTP_CHUNK_H
#define ONRUSH_HTTP_HTTP_CHUNK_H

#include <stdio.h>

#include "base/buf.h"

/* Appends the data as one chunk; nothing for no data, since that would end the body. */
static inline void
http_add_chunk(struct buf *out, str data)
{
	char size[24];

	if (data.n == 0)
		return;
	snprintf(size, sizeof(size), "%zx\r\n", data.n);
	buf_add_str(out, str_of(size));
	buf_add_str(out, data);
	buf_add_str(out, STR("\r\n"));
}

#endif
