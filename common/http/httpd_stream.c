/*
 * Answers in pieces. A piece goes into the connection's buffer, and what gathered there
 * in one turn leaves with one write; so nothing of a connection's fate is told before
 * rq_stream_write has returned.
 *
 *   RUNNING ──rq_stream──> STREAM ──┬── rq_stream_end ──> the rest is sent, the next
 *                                   │                      request may come
 *                                   └── the client leaves ──> gone
 *
 * At most CONN_STREAM_HIGH and one piece wait in a buffer, whatever the answer's size.
 */
#include <stdio.h>

#include "base/clock.h"
#include "http/httpd_impl.h"

static const rq_next next_token;

rq_next
rq_stream(struct rq *rq, int status, str content_type, int64_t length,
    const struct rq_stream_ops *ops)
{
	struct exchange *x = exchange_of(rq);
	struct conn *c = x->conn;
	bool body = x->head.method != HTTP_HEAD;

	ASSERT(x->state == RQ_RUNNING && status >= 200 && status != 204 && status != 304);
	x->state = RQ_STREAM;
	x->stream = ops;
	x->status = status;
	x->chunked = length < 0 && x->head.minor > 0;
	route_count(x, status, clock_mono_us() - rq->start_us);
	exchange_uncount(x);
	if (c != NULL) {
		answer_head(x, status, content_type, length, &c->out, &c->last);
		conn_send_later(c, body ? CONN_STREAM : CONN_WRITE);
	}
	if (c == NULL || !body) {
		x->conn = NULL;
		loop_defer(rq->worker->loop, &x->job); /* tells that it is gone */
	}
	return next_token;
}

bool
rq_stream_write(struct rq *rq, str bytes)
{
	struct exchange *x = exchange_of(rq);
	struct conn *c = x->conn;
	char size[24];

	ASSERT(x->state == RQ_STREAM);
	if (c == NULL || bytes.n == 0)
		return true;
	x->streamed += bytes.n;
	if (x->chunked) {
		snprintf(size, sizeof(size), "%zx\r\n", bytes.n);
		buf_add_str(&c->out, str_of(size));
	}
	buf_add_str(&c->out, bytes);
	if (x->chunked)
		buf_add_str(&c->out, STR("\r\n"));
	conn_send_later(c, CONN_STREAM);
	x->full = buf_size(&c->out) > CONN_STREAM_HIGH;
	return !x->full;
}

/* Unsent bytes are thrown away by the close that follows, and the client gets an error.
 */
static void
reset(struct conn *c)
{
	c->x = NULL;
	wire_reset(&c->wire);
	conn_close(c);
}

static void
end(struct exchange *x, enum err err)
{
	log_answer(x, x->status, err, clock_mono_us() - x->rq.start_us, x->streamed);
	x->state = RQ_ANSWERED;
	x->conn = NULL;
	if (!x->in_step && !x->job.queued)
		exchange_put(x);
}

void
rq_stream_end(struct rq *rq, bool whole)
{
	struct exchange *x = exchange_of(rq);
	struct conn *c = x->conn;

	ASSERT(x->state == RQ_STREAM);
	if (c != NULL && whole) {
		if (x->chunked)
			buf_add_str(&c->out, STR("0\r\n\r\n"));
		c->last |= x->httpd->draining;
		conn_send_later(c, CONN_WRITE);
	} else if (c != NULL) {
		reset(c);
	}
	end(x, whole ? ERR_OK : ERR_BAD_GATEWAY);
}

void
exchange_gone(struct exchange *x)
{
	ASSERT(x->state == RQ_STREAM && !x->in_step);
	x->stream->gone(&x->rq);
	end(x, ERR_OK);
}

void
exchange_room(struct exchange *x)
{
	x->full = false;
	x->stream->room(&x->rq);
}

void
streams_drain(struct httpd *httpd)
{
	struct exchange *x, *next;

	for (x = LIST_FIRST(&httpd->live); x != NULL; x = next) {
		next = LIST_NEXT(x, link);
		if (x->state == RQ_STREAM && x->stream->drain != NULL)
			x->stream->drain(&x->rq);
	}
}
