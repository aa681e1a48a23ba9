/*
 * Answers as HTTP/1.1 writes them (RFC 9112): the connection as an exchange's asker. A
 * whole answer is made in a buffer of the worker and leaves in one write; a connection
 * keeps only what its client did not take at once. Pieces of an answer gather in the
 * connection's own buffer and leave at the end of the turn.
 */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "http/http_chunk.h"
#include "http/httpd_impl.h"

enum {
	HEAD_MAX = 512,     /* of a head without the parts that are counted */
	OUT_KEEP = 1 << 20, /* of the worker's buffer between two answers */
};

/* --- the head ------------------------------------------------------------------------
 */

static str
reason(int status)
{
	switch (status) {
	case 101: return STR("Switching Protocols");
	case 200: return STR("OK");
	case 201: return STR("Created");
	case 202: return STR("Accepted");
	case 204: return STR("No Content");
	case 301: return STR("Moved Permanently");
	case 302: return STR("Found");
	case 303: return STR("See Other");
	case 304: return STR("Not Modified");
	case 307: return STR("Temporary Redirect");
	case 400: return STR("Bad Request");
	case 401: return STR("Unauthorized");
	case 403: return STR("Forbidden");
	case 404: return STR("Not Found");
	case 405: return STR("Method Not Allowed");
	case 408: return STR("Request Timeout");
	case 409: return STR("Conflict");
	case 413: return STR("Content Too Large");
	case 414: return STR("URI Too Long");
	case 415: return STR("Unsupported Media Type");
	case 417: return STR("Expectation Failed");
	case 422: return STR("Unprocessable Content");
	case 429: return STR("Too Many Requests");
	case 431: return STR("Request Header Fields Too Large");
	case 500: return STR("Internal Server Error");
	case 501: return STR("Not Implemented");
	case 502: return STR("Bad Gateway");
	case 503: return STR("Service Unavailable");
	case 504: return STR("Gateway Timeout");
	case 505: return STR("HTTP Version Not Supported");
	default: return STR(""); /* a reason may be empty (RFC 9112, 4) */
	}
}

/* The lines that all answers share, made once per second. */
static str
date_lines(struct httpd *httpd)
{
	int64_t now_us = loop_now_us(httpd->worker->loop), wall_us;
	struct tm tm;
	time_t sec;

	if (now_us >= httpd->date_until_us) {
		wall_us = clock_wall_us();
		sec = (time_t)(wall_us / CLOCK_US_PER_SEC);
		gmtime_r(&sec, &tm);
		httpd->date_size = strftime(httpd->date, sizeof(httpd->date),
		    "\r\nServer: onrush\r\nDate: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
		httpd->date_until_us =
		    now_us + CLOCK_US_PER_SEC - wall_us % CLOCK_US_PER_SEC;
	}
	return (str){ httpd->date, httpd->date_size };
}

str
answer_date(struct httpd *httpd)
{
	str lines = date_lines(httpd);
	size_t before = sizeof("\r\nServer: onrush\r\nDate: ") - 1;

	return (str){ lines.p + before, lines.n - before - 2 };
}

/* Appends at p, where there is room; the new end. */
static char *
put(char *p, str s)
{
	memcpy(p, s.p, s.n);
	return p + s.n;
}

static char *
put_number(char *p, size_t value)
{
	char digits[STR_DECIMAL_MAX];

	return put(p, str_decimal(value, digits));
}

/* How the body ends: by its length, by a last chunk, or (HTTP/1.0) with the connection.
 */
static char *
put_framing(char *p, const struct exchange *x, int64_t length)
{
	if (length < 0)
		return x->head.minor == 0 ? p
					  : put(p, STR("Transfer-Encoding: chunked\r\n"));
	p = put(p, STR("Content-Length: "));
	p = put_number(p, (size_t)length);
	return put(p, STR("\r\n"));
}

static char *
put_head(char *p, struct exchange *x, const struct answer *answer, bool last)
{
	p = put(p, STR("HTTP/1.1 "));
	p = put_number(p, (size_t)answer->status);
	*p++ = ' ';
	p = put(p, reason(answer->status));
	p = put(p, date_lines(x->httpd));
	if (status_has_body(answer->status)) {
		if (answer->type.n > 0) {
			p = put(p, STR("Content-Type: "));
			p = put(p, answer->type);
			p = put(p, STR("\r\n"));
		}
		p = put_framing(p, x, answer->length);
	}
	p = put(p, STR("X-Request-Id: "));
	p = put(p, x->rq.id);
	if (answer->status == 101) {
		p = put(p, STR("\r\nConnection: Upgrade\r\nUpgrade: "));
		p = put(p, answer->protocol);
		p = put(p, STR("\r\n"));
	} else if (last)
		p = put(p, STR("\r\nConnection: close\r\n"));
	else if (x->head.minor == 0)
		p = put(p, STR("\r\nConnection: keep-alive\r\n"));
	else
		p = put(p, STR("\r\n"));
	if (buf_size(&x->headers) > 0)
		p = put(p, buf_str(&x->headers));
	return put(p, STR("\r\n"));
}

static size_t
head_room(const struct exchange *x, const struct answer *answer)
{
	return HEAD_MAX + x->rq.id.n + buf_size(&x->headers) + answer->type.n +
	       answer->protocol.n;
}

/* Does the connection close after this answer? */
static bool
is_last(const struct exchange *x, const struct answer *answer)
{
	return !x->head.keep_alive || x->close_after || x->flow != FLOW_NONE ||
	       x->httpd->draining || (answer->length < 0 && x->head.minor == 0);
}

/* --- the whole answer ----------------------------------------------------------------
 */

/* Makes it in the worker's buffer. */
static str
compose(struct exchange *x, const struct answer *answer, bool last)
{
	struct buf *out = &x->httpd->out;
	char *start, *p;

	if (out->cap > OUT_KEEP)
		buf_fini(out);
	buf_clear(out);
	start = buf_reserve(out, head_room(x, answer) + (size_t)answer->length);
	p = put_head(start, x, answer, last);
	if (x->head.method != HTTP_HEAD && status_has_body(answer->status))
		for (size_t i = 0; i < answer->count; i++)
			p = answer->parts[i].n > 0 ? put(p, answer->parts[i]) : p;
	buf_grew(out, (size_t)(p - start));
	return buf_str(out);
}

static size_t
send_answer(struct asker *asker, struct exchange *x, const struct answer *answer)
{
	struct conn *c = CONTAINER_OF(asker, struct conn, asker);
	bool last = is_last(x, answer);
	str bytes = compose(x, answer, last);

	conn_answer(c, bytes, last);
	return bytes.n;
}

/* --- pieces --------------------------------------------------------------------------
 */

static void
send_head(struct asker *asker, struct exchange *x, const struct answer *answer)
{
	struct conn *c = CONTAINER_OF(asker, struct conn, asker);
	char *start = buf_reserve(&c->out, head_room(x, answer));

	c->last = is_last(x, answer);
	c->chunked = answer->length < 0 && x->head.minor > 0;
	c->full = false;
	buf_grew(&c->out, (size_t)(put_head(start, x, answer, c->last) - start));
	conn_send_later(c, x->head.method == HTTP_HEAD ? CONN_WRITE : CONN_STREAM);
}

static bool
send_piece(struct asker *asker, str bytes)
{
	struct conn *c = CONTAINER_OF(asker, struct conn, asker);

	if (c->chunked)
		http_add_chunk(&c->out, bytes);
	else
		buf_add_str(&c->out, bytes);
	conn_send_later(c, CONN_STREAM);
	c->full = buf_size(&c->out) > CONN_STREAM_HIGH;
	return !c->full;
}

/* Unsent bytes are thrown away and the client gets an error. */
static void
reset(struct conn *c)
{
	c->x = NULL;
	wire_reset(&c->wire);
	conn_close(c);
}

static void
send_end(struct asker *asker, bool whole)
{
	struct conn *c = CONTAINER_OF(asker, struct conn, asker);

	if (!whole) {
		reset(c);
		return;
	}
	if (c->chunked)
		buf_add_str(&c->out, STR("0\r\n\r\n"));
	c->last |= c->httpd->draining;
	conn_send_later(c, CONN_WRITE);
}

/* --- the request's body --------------------------------------------------------------
 */

void
conn_continue(struct conn *c)
{
	str bytes = STR("HTTP/1.1 100 Continue\r\n\r\n");

	/* All before it has been sent; what takes no 25 bytes then is broken. */
	if (conn_send(c, bytes) < bytes.n)
		conn_close(c);
}

void
conn_on_flow(struct asker *asker, struct exchange *x)
{
	struct conn *c = CONTAINER_OF(asker, struct conn, asker);

	if (c->state == CONN_STREAM)
		conn_want(c); /* a tunnel */
	else
		conn_enter(c, x->flow == FLOW_NONE ? CONN_BUSY : CONN_FLOW);
	if (x->flow == FLOW_OPEN && buf_size(&c->in) > 0)
		loop_defer(c->httpd->worker->loop, &c->job);
}

const struct asker_ops conn_ops = { send_answer, send_head, send_piece, conn_on_flow,
	send_end };
