/* Requests as the client writes them: head and body, or the first of it, in one piece. */
#include <string.h>

#include "http/http_chunk.h"
#include "http/httpc_impl.h"

enum {
	/* Of a request's head, without what varies; the framing too. */
	HEAD_FIXED = 128,
};

static char *
put(char *p, str s)
{
	return s.n > 0 ? mempcpy(p, s.p, s.n) : p;
}

/* Enough for the whole request. */
static size_t
room_for(const struct httpc_request *rq)
{
	size_t size = HEAD_FIXED + rq->target.n + rq->host.n + rq->body.n;

	for (size_t i = 0; i < rq->header_count; i++)
		size += rq->headers[i].name.n + rq->headers[i].value.n + 4;
	return size;
}

str
httpc_compose(struct buf *out, const struct httpc_request *rq)
{
	bool chunked = rq->source != NULL && rq->body.p != NULL && rq->length < 0;
	char *start, *p;

	ASSERT(rq->method != HTTP_OTHER);
	buf_clear(out);
	start = buf_reserve(out, room_for(rq));
	p = put(start, http_method_name(rq->method));
	*p++ = ' ';
	p = put(p, rq->target);
	p = put(p, STR(" HTTP/1.1\r\nHost: "));
	p = put(p, rq->host);
	p = put(p, STR("\r\n"));
	for (size_t i = 0; i < rq->header_count; i++) {
		p = put(p, rq->headers[i].name);
		p = put(p, STR(": "));
		p = put(p, rq->headers[i].value);
		p = put(p, STR("\r\n"));
	}
	buf_grew(out, (size_t)(p - start));
	if (rq->upgrade.n > 0) {
		buf_add_str(out, STR("Connection: Upgrade\r\nUpgrade: "));
		buf_add_str(out, rq->upgrade);
		buf_add_str(out, STR("\r\n"));
	}
	if (chunked) {
		buf_add_str(out, STR("Transfer-Encoding: chunked\r\n"));
	} else if (rq->body.p != NULL) {
		buf_add_str(out, STR("Content-Length: "));
		buf_add_i64(out, rq->source != NULL ? rq->length : (int64_t)rq->body.n);
		buf_add_str(out, STR("\r\n"));
	}
	buf_add_str(out, STR("\r\n"));
	if (chunked)
		http_add_chunk(out, rq->body);
	else
		buf_add_str(out, rq->body);
	return buf_str(out);
}
