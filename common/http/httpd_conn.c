/*
 * A connection of the server: its one state, receiving, sending and closing. What it
 * waits for in each state is httpd_want.c's, what the bytes mean httpd_read.c's.
 *
 *   (OPEN) ──> IDLE
 *   IDLE ──> HEAD ──> BODY ──> BUSY ──answer──> (WRITE) ──┬──> IDLE
 *     │        │        └─> FLOW ─^ └──> STREAM ────^       └──> LINGER ──> CLOSED
 *     │────────┴──────────────────┘                                ^
 *     └──> H2 ─────────────────────────────────────────────────────┘
 *
 * A request that comes whole goes from IDLE to BUSY, one with a long body by FLOW, from
 * where it may also be answered. Closing is always gentle: we say
 * that we are done, and read until the client has seen it or two seconds are over; a
 * close with unread input would destroy the answer on its way (RFC 9112, 9.6).
 */
#include <stdlib.h>
#include <unistd.h>

#include "app/log.h"
#include "http/h2_impl.h"

enum {
	LINGER_MAX = 1 << 20, /* bytes that are read after the last answer */
	EXCESS_MAX = 64,      /* connections that are told of max_conns at once */
};

static void on_io(void *arg, unsigned ready);
static void on_job(struct loop_job *job);
static void receive(struct conn *c);
static void feed(struct conn *c, str bytes);
static void pass_on(struct conn *c, str bytes);
static void flush(struct conn *c);
static void flush_stream(struct conn *c);
static void on_left(struct sendq_item *item, ssize_t taken, str rest);
static void sent(struct conn *c);
static void destroy(struct conn *c);

/* --- life ----------------------------------------------------------------------------
 */

bool
conn_new(struct httpd *httpd, const struct arrival *arrival)
{
	bool excess = httpd->conn_count >= (size_t)httpd->conf.settings->max_conns;
	bool opens = arrival->tls || arrival->proxied;
	struct conn *c;

	if (arrival->proxied && !opening_is_welcome(httpd, &arrival->from)) {
		close(arrival->fd);
		return false;
	}
	if (excess) {
		counter_add(httpd->metrics.refused_conns, 1);
		log_warn("more connections than ONRUSH_MAX_CONNS: refused one");
	}
	if (excess && (opens || httpd->excess_count >= EXCESS_MAX)) {
		close(arrival->fd);
		return false;
	}
	c = xcalloc(1, sizeof(*c));
	c->asker.ops = &conn_ops;
	c->httpd = httpd;
	c->excess = excess;
	c->proxied = arrival->proxied;
	c->shakes = arrival->tls;
	c->job.run = on_job;
	c->leaving = (struct sendq_item){ .cb = on_left, .fd = arrival->fd };
	c->io = loop_io_new(httpd->worker->loop, arrival->fd, LOOP_REQUESTS, on_io, c);
	wire_init(&c->wire, arrival->fd);
	net_text(&arrival->from, c->peer);
	LIST_INSERT_HEAD(&httpd->conns, c, link);
	*(excess ? &httpd->excess_count : &httpd->conn_count) += 1;
	gauge_add(httpd->metrics.conns, 1);
	conn_enter(c, opens ? CONN_OPEN : CONN_IDLE);
	if (excess)
		conn_refuse(c, ERR_OVERLOAD);
	return true;
}

/* The only place where a connection's state changes. */
void
conn_enter(struct conn *c, enum conn_state state)
{
	struct loop_waits *waits;

	ASSERT(c->state != CONN_CLOSED);
	c->state = state;
	if (state != CONN_IDLE && state != CONN_BUSY && state != CONN_OPEN)
		c->pieces = true;
	conn_want(c);
	waits = conn_patience(c);
	if (waits != NULL)
		loop_wait_start(waits, &c->wait);
	else
		loop_wait_stop(&c->wait);
	conn_pace(c);
	if (state == CONN_CLOSED)
		loop_defer(c->httpd->worker->loop, &c->job);
}

void
conn_close(struct conn *c)
{
	struct exchange *x = c->x;
	enum conn_state state = c->state;

	if (state == CONN_CLOSED)
		return;
	c->x = NULL;
	sendq_hurry(loop_sendq(c->httpd->worker->loop), &c->leaving);
	if (state == CONN_IDLE)
		wire_leave(&c->wire);
	if (state == CONN_OPEN)
		opening_end(c);
	conn_enter(c, CONN_CLOSED);
	if (state == CONN_H2)
		h2_abandon(c->h2);
	if (x == NULL)
		return;
	x->asker = NULL;
	if (state == CONN_BODY)
		exchange_put(x);
	else if (state == CONN_FLOW)
		exchange_flow_end(x, ERR_BAD_REQUEST);
	else if (state == CONN_STREAM)
		exchange_gone(x);
}

static void
on_job(struct loop_job *job)
{
	struct conn *c = CONTAINER_OF(job, struct conn, job);

	switch (c->state) {
	case CONN_CLOSED: destroy(c); break;
	case CONN_STREAM:
		flush_stream(c);
		if (c->state == CONN_STREAM && buf_size(&c->in) > 0)
			pass_on(c, STR_NULL);
		break;
	case CONN_WRITE: flush(c); break;
	case CONN_H2: conn_h2_flush(c); break;
	case CONN_IDLE:
	case CONN_HEAD:
	case CONN_BODY:
	case CONN_FLOW:
	case CONN_BUSY:
	case CONN_LINGER: feed(c, STR_NULL); break;
	case CONN_NEW:
	case CONN_OPEN: UNREACHABLE();
	}
}

static void
destroy(struct conn *c)
{
	struct httpd *httpd = c->httpd;

	LIST_REMOVE(c, link);
	*(c->excess ? &httpd->excess_count : &httpd->conn_count) -= 1;
	gauge_add(httpd->metrics.conns, -1);
	loop_io_free(c->io);
	wire_fini(&c->wire);
	h2_free(c->h2);
	buf_fini(&c->in);
	buf_fini(&c->out);
	free(c);
	share_forget(httpd);
}

void
conn_on_wait(struct loop_wait *w)
{
	struct conn *c = CONTAINER_OF(w, struct conn, wait);
	struct httpd_metrics *m = &c->httpd->metrics;

	switch (c->state) {
	case CONN_OPEN: opening_timed_out(c); break;
	case CONN_HEAD: counter_add(m->timeout_head, 1); break;
	case CONN_BODY:
	case CONN_FLOW: counter_add(m->timeout_body, 1); break;
	case CONN_WRITE:
	case CONN_STREAM: counter_add(m->timeout_write, 1); break;
	case CONN_H2: conn_h2_on_wait(c); return;
	case CONN_IDLE:
	case CONN_LINGER: break;
	case CONN_NEW:
	case CONN_BUSY:
	case CONN_CLOSED: UNREACHABLE();
	}
	conn_cut(c);
}

/* --- receiving -----------------------------------------------------------------------
 */

static void
on_io(void *arg, unsigned ready)
{
	struct conn *c = arg;

	if (c->state == CONN_OPEN) {
		opening_continue(c);
		return;
	}
	if (ready & LOOP_READ)
		receive(c);
	if (!(ready & LOOP_WRITE))
		return;
	if (c->state == CONN_STREAM)
		flush_stream(c);
	else if (c->state == CONN_H2)
		conn_h2_flush(c);
	else
		flush(c);
}

static void
receive(struct conn *c)
{
	ssize_t n = wire_read(&c->wire, c->httpd->scratch, CONN_SCRATCH);

	if (n == CONN_SCRATCH) { /* there may be more */
		c->pieces = true;
		conn_want(c);
	}
	conn_received(c, n);
}

void
conn_received(struct conn *c, ssize_t n)
{
	const char *scratch = c->httpd->scratch;

	if (n < 0) {
		if (n == WIRE_BROKEN)
			conn_close(c);
		return;
	}
	c->eof = n == 0;
	c->received += (uint64_t)n;
	switch (c->state) {
	case CONN_IDLE:
	case CONN_HEAD:
	case CONN_BODY:
	case CONN_FLOW: feed(c, (str){ scratch, (size_t)n }); break;
	case CONN_BUSY:
		buf_add(&c->in, scratch, (size_t)n);
		conn_want(c);
		break;
	case CONN_STREAM:
		if (c->eof) {
			conn_close(c); /* nobody is there to read on */
			return;
		}
		pass_on(c, (str){ scratch, (size_t)n });
		break;
	case CONN_H2:
		if (c->eof)
			conn_close(c); /* nobody is there to read on */
		else
			conn_h2_take(c, (str){ scratch, (size_t)n });
		break;
	case CONN_LINGER:
		c->lingered += (size_t)n;
		if (c->eof || c->lingered > LINGER_MAX)
			conn_close(c);
		break;
	case CONN_NEW:
	case CONN_OPEN:
	case CONN_WRITE:
	case CONN_CLOSED: break;
	}
}

/* While an answer streams: what was kept and `bytes` behind it go through the tunnel; if
 * it is none they are kept for later. */
static void
pass_on(struct conn *c, str bytes)
{
	bool open = c->x->flow == FLOW_OPEN;

	if (open && buf_size(&c->in) == 0) {
		exchange_flow_piece(c->x, bytes);
		return;
	}
	buf_add_str(&c->in, bytes);
	if (open) {
		exchange_flow_piece(c->x, buf_str(&c->in));
		buf_fini(&c->in);
	} else {
		conn_want(c);
	}
}

/* Takes what was kept and `bytes` behind it; keeps what cannot be taken now. */
static void
feed(struct conn *c, str bytes)
{
	bool kept = buf_size(&c->in) > 0;
	size_t used;

	if (kept)
		buf_add_str(&c->in, bytes);
	used = conn_take(c, kept ? buf_str(&c->in) : bytes);
	if (kept)
		buf_consume(&c->in, used);
	else
		buf_add(&c->in, bytes.p + used, bytes.n - used);
	if (buf_size(&c->in) == 0)
		buf_fini(&c->in);
	if (c->eof && (c->state == CONN_IDLE || c->state == CONN_HEAD ||
			  c->state == CONN_BODY || c->state == CONN_FLOW))
		conn_close(c);
}

/* --- sending -------------------------------------------------------------------------
 */

size_t
conn_send(struct conn *c, str bytes)
{
	ssize_t n = wire_write(&c->wire, bytes);

	if (n < 0) {
		if (n == WIRE_BROKEN)
			conn_close(c);
		return 0;
	}
	c->sent += (uint64_t)n;
	return (size_t)n;
}

/* Of an answer that was given to be sent, `rest` was not. */
static void
tried(struct conn *c, str rest)
{
	if (rest.n == 0) {
		sent(c);
	} else {
		buf_add_str(&c->out, rest);
		conn_enter(c, CONN_WRITE);
	}
}

static void
on_left(struct sendq_item *item, ssize_t taken, str rest)
{
	struct conn *c = CONTAINER_OF(item, struct conn, leaving);

	if (taken < 0) {
		conn_close(c);
		return;
	}
	c->sent += (uint64_t)taken;
	tried(c, rest);
}

void
conn_answer(struct conn *c, str bytes, bool last)
{
	struct sendq *q = loop_sendq(c->httpd->worker->loop);
	size_t n;

	c->x = NULL;
	c->last = last;
	if (c->state == CONN_BUSY && c->wire.tls == NULL &&
	    sendq_put(q, &c->leaving, bytes))
		return;
	n = conn_send(c, bytes);
	if (c->state != CONN_CLOSED)
		tried(c, (str){ bytes.p + n, bytes.n - n });
}

static void
flush(struct conn *c)
{
	if (c->state != CONN_WRITE)
		return;
	buf_consume(&c->out, conn_send(c, buf_str(&c->out)));
	if (c->state == CONN_WRITE && buf_size(&c->out) == 0)
		sent(c);
}

void
conn_send_later(struct conn *c, enum conn_state state)
{
	if (c->state != state) {
		if (state == CONN_WRITE)
			c->x = NULL;
		conn_enter(c, state);
	}
	loop_defer(c->httpd->worker->loop, &c->job);
}

/* A client has the write timeout for each time that it is asked to take what waits, so
 * one that takes nearly nothing is cut, however long the answer. */
static void
flush_stream(struct conn *c)
{
	size_t left;

	buf_consume(&c->out, conn_send(c, buf_str(&c->out)));
	if (c->state != CONN_STREAM)
		return;
	left = buf_size(&c->out);
	if (left == 0 || c->wait.waits == NULL || (c->full && left <= CONN_STREAM_LOW))
		conn_enter(c, CONN_STREAM);
	else
		conn_want(c);
	if (c->full && left <= CONN_STREAM_LOW) {
		c->full = false;
		exchange_room(c->x);
	}
}

/* Says that nothing more comes; what says so may have to wait like an answer. */
static void
finish(struct conn *c)
{
	switch (wire_finish(&c->wire)) {
	case 0:
		if (c->eof)
			conn_close(c);
		else
			conn_enter(c, CONN_LINGER);
		break;
	case WIRE_AGAIN:
		if (c->state != CONN_WRITE)
			conn_enter(c, CONN_WRITE);
		break;
	default: conn_close(c);
	}
}

void
conn_finish(struct conn *c)
{
	if (c->h2 != NULL)
		h2_abandon(c->h2);
	c->last = true;
	sent(c);
}

/* The answer has left. */
static void
sent(struct conn *c)
{
	buf_fini(&c->out);
	if (!c->last) {
		conn_enter(c, CONN_IDLE);
		if (!c->taking && (buf_size(&c->in) > 0 || c->eof))
			loop_defer(c->httpd->worker->loop, &c->job);
	} else {
		finish(c);
	}
}
