/*
 * One connection of the HTTP client. A response that comes in one piece is used where it
 * was read, without a copy; one in pieces gathers in the connection. Whatever is not a
 * clean response closes the connection: bytes nobody asked for, bytes after the response,
 * a response before the request had left, "Connection: close".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/httpc_impl.h"

enum {
	KEEP_MAX = 16384, /* of each buffer, between two requests */
};

static void on_io(void *arg, unsigned ready);
static void on_job(struct loop_job *job);
static void on_left(struct sendq_item *item, ssize_t taken, str rest);
static void flush(struct peer *p);
static void receive(struct peer *p);
static void feed(struct peer *p, str bytes);
static void stream(struct peer *p);
static void want(struct peer *p);
static void respond(struct peer *p, str body, bool clean);

/* --- life ----------------------------------------------------------------------------
 */

bool
peer_connect(struct httpc *c)
{
	int fd = net_connect(&c->addrs[c->addr]);
	struct peer *p;

	if (fd < 0)
		return false;
	p = xcalloc(1, sizeof(*p));
	p->client = c;
	p->fd = fd;
	p->state = PEER_CONNECTING;
	p->job.run = on_job;
	p->leaving = (struct sendq_item){ .cb = on_left, .fd = fd };
	p->io = loop_io_new(c->loop, fd, LOOP_ANSWERS, on_io, p);
	LIST_INSERT_HEAD(&c->others, p, link);
	c->conn_count++;
	c->connecting_count++;
	c->peer_count++;
	loop_io_want(p->io, LOOP_WRITE);
	loop_wait_start(c->connect_waits, &p->wait);
	return true;
}

/* The only place where a connection's state changes, with the lists and counts that
 * depend on it. */
static void
enter(struct peer *p, enum peer_state state)
{
	struct httpc *c = p->client;

	ASSERT(p->state != PEER_CLOSED);
	loop_wait_stop(&p->wait);
	LIST_REMOVE(p, link);
	c->connecting_count -= p->state == PEER_CONNECTING;
	c->idle_count -= p->state == PEER_IDLE;
	httpc_await(p, state == PEER_BUSY);
	p->state = state;
	switch (state) {
	case PEER_IDLE:
		LIST_INSERT_HEAD(&c->idle, p, link);
		c->idle_count++;
		loop_wait_start(c->idle_waits, &p->wait);
		want(p);
		break;
	case PEER_BUSY: LIST_INSERT_HEAD(&c->others, p, link); break;
	case PEER_CLOSED:
		*(p->tunnel ? &c->tunnel_count : &c->conn_count) -= 1;
		loop_io_want(p->io, 0);
		sendq_drop(loop_sendq(c->loop), &p->leaving);
		loop_defer(c->loop, &p->job);
		break;
	case PEER_CONNECTING: UNREACHABLE();
	}
}

static void
trim(struct buf *b)
{
	if (b->cap > KEEP_MAX)
		buf_fini(b);
	else
		buf_clear(b);
}

void
peer_idle(struct peer *p)
{
	trim(&p->out);
	trim(&p->in);
	trim(&p->head);
	trim(&p->body);
	p->scanned = 0;
	p->sent_any = p->heard = p->has_head = p->streams = p->paused = false;
	p->starved = false;
	enter(p, PEER_IDLE);
}

void
peer_close(struct peer *p)
{
	p->call = NULL;
	enter(p, PEER_CLOSED);
}

static void
on_job(struct loop_job *job)
{
	struct peer *p = CONTAINER_OF(job, struct peer, job);
	struct httpc *c = p->client;

	if (p->state != PEER_CLOSED) {
		upload_ask(p);
		return;
	}
	loop_io_free(p->io);
	close(p->fd);
	buf_fini(&p->out);
	buf_fini(&p->in);
	buf_fini(&p->head);
	buf_fini(&p->body);
	free(p);
	c->peer_count--;
	httpc_settle(c);
}

void
peer_on_wait(struct loop_wait *w)
{
	struct peer *p = CONTAINER_OF(w, struct peer, wait);
	bool connecting = p->state == PEER_CONNECTING;

	peer_close(p);
	if (connecting)
		httpc_not_connected(p->client, ETIMEDOUT);
}

static void
on_connect(struct peer *p)
{
	int error = net_connect_error(p->fd);

	if (error == 0) {
		httpc_connected(p);
		return;
	}
	peer_close(p);
	httpc_not_connected(p->client, error);
}

static void
on_io(void *arg, unsigned ready)
{
	struct peer *p = arg;

	switch (p->state) {
	case PEER_CONNECTING: on_connect(p); break;
	case PEER_IDLE: peer_close(p); break; /* the end, or bytes nobody asked for */
	case PEER_BUSY:
		if (ready & LOOP_WRITE)
			flush(p);
		else
			receive(p);
		break;
	case PEER_CLOSED: break;
	}
}

/* What is waited for while it is idle or busy. */
static void
want(struct peer *p)
{
	unsigned mask =
	    (p->paused ? 0 : LOOP_READ) | (buf_size(&p->out) > 0 ? LOOP_WRITE : 0);

	loop_io_want(p->io, mask == LOOP_READ && !p->pieces ? mask | LOOP_EDGE : mask);
}

/* From now on epoll looks twice, which a connection with short messages does not need. */
static void
comes_in_pieces(struct peer *p)
{
	p->pieces = true;
	want(p);
}

void
peer_pause(struct peer *p, bool paused)
{
	p->paused = paused;
	want(p);
}

void
peer_tunnel(struct peer *p)
{
	struct httpc *c = p->client;

	p->tunnel = true;
	c->conn_count--;
	c->tunnel_count++;
	loop_defer(c->loop, &c->pump_job); /* another may take its place */
}

/* --- sending -------------------------------------------------------------------------
 */

/* How many bytes the socket took; -1 when it is broken. */
static ssize_t
send_some(struct peer *p, str bytes)
{
	ssize_t n = send(p->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

	if (n < 0 && net_again(errno))
		return 0;
	p->sent_any |= n > 0;
	return n;
}

/* Of a request that was given to be sent, `rest` was not. */
static void
tried(struct peer *p, str rest)
{
	if (rest.n == 0)
		return;
	buf_add_str(&p->out, rest);
	comes_in_pieces(p);
}

static void
on_left(struct sendq_item *item, ssize_t taken, str rest)
{
	struct peer *p = CONTAINER_OF(item, struct peer, leaving);

	if (taken < 0) {
		httpc_broken(p);
		return;
	}
	p->sent_any |= taken > 0;
	tried(p, rest);
}

void
peer_send(struct peer *p, struct call *call)
{
	str bytes = httpc_compose(&p->client->out, &call->request);
	ssize_t n;

	ASSERT(p->state == PEER_IDLE);
	enter(p, PEER_BUSY);
	p->call = call;
	if (call->request.source == NULL &&
	    sendq_put(loop_sendq(p->client->loop), &p->leaving, bytes))
		return;
	n = send_some(p, bytes);
	if (n < 0) {
		httpc_broken(p);
		return;
	}
	tried(p, (str){ bytes.p + n, bytes.n - (size_t)n });
	if (call->request.source != NULL && call->request.upgrade.n == 0)
		upload_begin(p);
}

/* A server may answer and close without reading all: what it sent is still read. */
static void
go_deaf(struct peer *p)
{
	p->deaf = true;
	buf_clear(&p->out);
	want(p);
}

bool
peer_write(struct peer *p, str bytes)
{
	ssize_t n = 0;

	if (p->deaf)
		return false;
	if (buf_size(&p->out) == 0)
		n = send_some(p, bytes);
	if (n < 0) {
		go_deaf(p);
		return false;
	}
	if ((size_t)n < bytes.n) {
		buf_add(&p->out, bytes.p + n, bytes.n - (size_t)n);
		comes_in_pieces(p);
	}
	return buf_size(&p->out) == 0;
}

static void
flush(struct peer *p)
{
	ssize_t n = send_some(p, buf_str(&p->out));

	if (n < 0) {
		go_deaf(p);
		return;
	}
	buf_consume(&p->out, (size_t)n);
	if (buf_size(&p->out) == 0)
		want(p);
	if (n > 0 && p->starved)
		upload_sent(p);
}

/* --- receiving -----------------------------------------------------------------------
 */

static void
receive(struct peer *p)
{
	char *scratch = p->client->scratch;
	ssize_t n = recv(p->fd, scratch, HTTPC_SCRATCH, 0);

	if (n < 0 && net_again(errno))
		return;
	if (n == HTTPC_SCRATCH)
		comes_in_pieces(p); /* there may be more */
	if (p->leaving.queued) {
		httpc_broken(p); /* not an answer: its request has not left */
	} else if (n > 0) {
		p->heard = true;
		feed(p, (str){ scratch, (size_t)n });
	} else if (n == 0 && p->has_head && p->decoder.framing == HTTP_BODY_UNTIL_CLOSE) {
		respond(p, buf_str(&p->body), false);
	} else {
		httpc_broken(p);
	}
}

/* Takes what was kept and `bytes` behind it; keeps what cannot be taken yet. */
static void
feed(struct peer *p, str bytes)
{
	bool kept = buf_size(&p->in) > 0;
	str rest, body = STR_NULL;

	if (kept) {
		buf_add_str(&p->in, bytes);
		bytes = buf_str(&p->in);
	}
	rest = bytes;
	switch (peer_parse(p, &rest, &body)) {
	case HTTP_PARSE_BAD: httpc_broken(p); break;
	case HTTP_PARSE_DONE: respond(p, body, rest.n == 0); break;
	case HTTP_PARSE_MORE:
		if (kept)
			buf_consume(&p->in, bytes.n - rest.n);
		else
			buf_add_str(&p->in, rest);
		comes_in_pieces(p);
		stream(p);
		break;
	}
}

/* The body goes on: gives away what came of it. */
static void
stream(struct peer *p)
{
	struct httpc_response response = {
		.head = &p->client->head,
		.body = buf_str(&p->body),
		.sent_us = p->call->sent_us,
		.more = p->call,
	};
	bool open;

	if (!peer_is_streamed(p))
		return;
	if (p->streams) {
		open = httpc_piece(p, response.body);
	} else {
		peer_restore_head(p);
		p->streams = true;
		p->keep_alive = p->client->head.keep_alive;
		if (response.head->status == 101)
			peer_tunnel(p);
		open = httpc_streams(p, &response);
	}
	if (open)
		trim(&p->body);
}

/* `clean`: nothing came after the response. */
static void
respond(struct peer *p, str body, bool clean)
{
	struct http_head *head = &p->client->head;
	struct httpc_response response = {
		.head = head,
		.body = body,
		.sent_us = p->call->sent_us,
	};

	if (p->streams) {
		if (!httpc_piece(p, body))
			return;
		clean &= p->keep_alive;
	} else {
		if (p->has_head)
			peer_restore_head(p);
		clean &= head->keep_alive;
	}
	p->used = true;
	clean &= !p->uploads && !p->deaf && buf_size(&p->out) == 0;
	httpc_answered(p, &response, clean);
}
