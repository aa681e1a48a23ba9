/*
 * A request on a stream of HTTP/2: from its head to the exchange that answers it.
 *
 *   h2_stream_begin ──> (body) ──> exchange ──> h2_answer.c ──> h2_stream_close
 *
 * A body is collected, or, when its route takes long ones in pieces, waits in `in` for
 * who follows it: at most a window, since more than was used is not asked for.
 */
#include <stdlib.h>

#include "app/log.h"
#include "base/clock.h"
#include "http/h2_impl.h"

enum {
	SPARE_MAX = 256,       /* streams that are kept for the next requests */
	SPARE_BUF_MAX = 16384, /* of each buffer of a spare one */
};

static void deliver(struct h2_stream *s);

/* Fails only without memory. */
static void
must(int result)
{
	ASSERT(result == 0);
}

/* --- life ----------------------------------------------------------------------------
 */

static struct h2_stream *
take(struct h2 *h2, int32_t id)
{
	struct h2_host *host = h2->host;
	struct h2_stream *s = LIST_FIRST(&host->spares);

	if (s != NULL) {
		LIST_REMOVE(s, link);
		host->spare_count--;
	} else {
		s = xcalloc(1, sizeof(*s));
	}
	s->asker.ops = &h2_stream_asker;
	s->h2 = h2;
	s->id = id;
	LIST_INSERT_HEAD(&h2->streams, s, link);
	(void)nghttp2_session_set_stream_user_data(h2->session, id, s);
	return s;
}

void
h2_stream_free(struct h2_stream *s)
{
	buf_fini(&s->in);
	buf_fini(&s->out);
	free(s);
}

void
h2_stream_be_due(struct h2_stream *s)
{
	if (!s->due)
		TAILQ_INSERT_TAIL(&s->h2->due, s, due_link);
	s->due = true;
	conn_h2_later(s->h2->conn);
}

void
h2_stream_tell(struct h2_stream *s)
{
	bool roomy = s->roomy;

	s->roomy = false;
	if (roomy && s->x != NULL)
		exchange_room(s->x);
	else if (s->x != NULL && s->x->flow == FLOW_OPEN)
		deliver(s);
}

void
h2_stream_abandon(struct h2_stream *s)
{
	struct exchange *x = s->x;

	loop_wait_stop(&s->wait);
	s->x = NULL;
	if (x == NULL)
		return;
	x->asker = NULL;
	if (x->state == RQ_QUIET)
		exchange_put(x);
	else if (x->state == RQ_STREAM)
		exchange_gone(x);
	else if (x->flow != FLOW_NONE)
		exchange_flow_end(x, ERR_BAD_REQUEST);
}

static struct buf
emptied(struct buf b)
{
	if (b.cap > SPARE_BUF_MAX)
		buf_fini(&b);
	buf_clear(&b);
	return b;
}

void
h2_stream_close(struct h2_stream *s)
{
	struct h2_host *host = s->h2->host;

	h2_stream_abandon(s);
	/* The rest that nobody will take counts no more against the connection's window.
	 */
	must(nghttp2_session_consume_connection(s->h2->session, buf_size(&s->in)));
	if (s->due)
		TAILQ_REMOVE(&s->h2->due, s, due_link);
	LIST_REMOVE(s, link);
	if (host->spare_count >= SPARE_MAX) {
		h2_stream_free(s);
		return;
	}
	*s = (struct h2_stream){ .in = emptied(s->in), .out = emptied(s->out) };
	LIST_INSERT_HEAD(&host->spares, s, link);
	host->spare_count++;
}

/* --- the request ---------------------------------------------------------------------
 */

void
h2_stream_begin(struct h2 *h2, int32_t id, bool whole)
{
	struct conn *c = h2->conn;
	struct exchange *x = exchange_take(c->httpd);
	struct h2_stream *s = take(h2, id);
	enum err err;

	s->x = x;
	s->arrived = whole;
	exchange_introduce(x, &s->asker, c);
	err = h2_head_end(&h2->head, !whole, x->rq.arena, &x->head);
	if (err != ERR_OK) {
		counter_add(c->httpd->metrics.malformed, 1);
		log_info("malformed request from %s: %s", c->peer, err_info(err)->code);
		exchange_refuse_malformed(x, err);
		return;
	}
	x->rq.path = x->head.path;
	err = exchange_open(x);
	if (err != ERR_OK) {
		exchange_refuse(x, err);
	} else if (whole) {
		exchange_run(x);
	} else {
		loop_wait_start(h2->host->bodies, &s->wait);
		if (x->head.expect_continue)
			h2_stream_ask_for_body(s);
	}
}

/* The bytes of a body that were given have been used: the client may send as many more.
 */
static void
consume(struct h2_stream *s, size_t n)
{
	must(nghttp2_session_consume(s->h2->session, s->id, n));
}

/* The body is complete, or so much of it is here that the rest is streamed. */
static void
run(struct h2_stream *s)
{
	struct exchange *x = s->x;

	loop_wait_stop(&s->wait);
	x->rq.body = buf_str(&x->body);
	x->rq.start_us = clock_mono_us();
	if (!s->arrived)
		exchange_flow_begin(x);
	exchange_run(x);
}

static void
collect(struct h2_stream *s, str bytes)
{
	struct exchange *x = s->x;
	const struct route *route = x->rq.route;

	consume(s, bytes.n);
	if (bytes.n > route->body_limit - buf_size(&x->body)) {
		loop_wait_stop(&s->wait);
		exchange_refuse(x, ERR_TOO_LARGE);
		return;
	}
	buf_add_str(&x->body, bytes);
	if ((route->flags & ROUTE_STREAM) && buf_size(&x->body) >= HTTPD_BODY_WHOLE)
		run(s);
}

void
h2_stream_body(struct h2_stream *s, str bytes)
{
	struct exchange *x = s->x;

	if (x == NULL || s->answering || x->flow == FLOW_BROKEN) {
		consume(s, bytes.n); /* nobody wants it any more */
	} else if (x->state == RQ_QUIET) {
		collect(s, bytes);
	} else if (bytes.n > x->rq.route->body_limit - x->received - buf_size(&s->in)) {
		consume(s, bytes.n);
		exchange_flow_end(x, ERR_TOO_LARGE);
	} else {
		/* At most a window of it. */
		buf_add_str(&s->in, bytes);
		if (x->flow == FLOW_OPEN)
			h2_stream_be_due(s);
	}
}

void
h2_stream_arrived(struct h2_stream *s)
{
	struct exchange *x = s->x;

	s->arrived = true;
	if (x != NULL && x->state == RQ_QUIET)
		run(s);
	else if (x != NULL && x->flow == FLOW_OPEN)
		h2_stream_be_due(s);
}

/* Gives the follower what came. */
static void
deliver(struct h2_stream *s)
{
	struct buf in = s->in;
	struct exchange *x = s->x;

	s->in = (struct buf){ 0 };
	if (buf_size(&in) > 0) {
		loop_wait_start(s->h2->host->bodies, &s->wait);
		consume(s, buf_size(&in));
		exchange_flow_piece(x, buf_str(&in));
	}
	buf_fini(&in);
	if (s->arrived && s->x == x && x->flow == FLOW_OPEN)
		exchange_flow_end(x, ERR_OK);
}

void
h2_stream_on_flow(struct asker *asker, struct exchange *x)
{
	struct h2_stream *s = CONTAINER_OF(asker, struct h2_stream, asker);

	if (s->answering)
		return;
	if (x->flow != FLOW_OPEN) {
		loop_wait_stop(&s->wait);
		return;
	}
	loop_wait_start(s->h2->host->bodies, &s->wait);
	if (buf_size(&s->in) > 0 || s->arrived)
		h2_stream_be_due(s);
}

void
h2_stream_on_body_wait(struct loop_wait *w)
{
	struct h2_stream *s = CONTAINER_OF(w, struct h2_stream, wait);

	counter_add(s->h2->conn->httpd->metrics.timeout_body, 1);
	if (s->x->state == RQ_QUIET)
		exchange_refuse(s->x, ERR_TIMEOUT_REQUEST);
	else
		exchange_flow_end(s->x, ERR_TIMEOUT_REQUEST);
}
