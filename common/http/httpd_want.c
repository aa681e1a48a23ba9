/* What a connection of the server waits for in each state, and how long. */
#include "http/h2_impl.h"

enum {
	IN_MAX = 65536, /* pipelined bytes that are kept while one is served */
};

/* While an answer streams: to see the client leave, or what it has for a tunnel. */
static bool
reads_on(const struct conn *c)
{
	switch (c->x->flow) {
	case FLOW_NONE: return buf_size(&c->in) < IN_MAX;
	case FLOW_OPEN: return true;
	case FLOW_CLOSED:
	case FLOW_PAUSED:
	case FLOW_BROKEN: break;
	}
	return false;
}

static unsigned
wanted(const struct conn *c)
{
	switch (c->state) {
	case CONN_OPEN: return wire_is_blocked(&c->wire) ? LOOP_WRITE : LOOP_READ;
	case CONN_IDLE:
	case CONN_HEAD:
	case CONN_BODY:
	case CONN_LINGER: return c->eof ? 0 : LOOP_READ;
	case CONN_FLOW: return c->x->flow == FLOW_OPEN ? LOOP_READ : 0;
	case CONN_BUSY: return c->eof || buf_size(&c->in) >= IN_MAX ? 0 : LOOP_READ;
	case CONN_WRITE: return LOOP_WRITE;
	case CONN_STREAM:
		return (reads_on(c) ? LOOP_READ : 0) |
		       (buf_size(&c->out) > 0 ? LOOP_WRITE : 0);
	case CONN_H2: return conn_h2_wanted(c);
	case CONN_NEW:
	case CONN_CLOSED: break;
	}
	return 0;
}

/* A connection whose requests come whole, and whose answers leave whole, needs no second
 * look. All else is simpler with one, and what TLS has read the kernel does not know. */
static bool
comes_whole(const struct conn *c)
{
	return !c->pieces && c->wire.tls == NULL &&
	       (c->state == CONN_IDLE || c->state == CONN_BUSY);
}

void
conn_want(struct conn *c)
{
	unsigned mask = wanted(c);

	loop_io_want(
	    c->io, mask == LOOP_READ && comes_whole(c) ? mask | LOOP_EDGE : mask);
}

struct loop_waits *
conn_patience(const struct conn *c)
{
	struct httpd *httpd = c->httpd;

	switch (c->state) {
	case CONN_OPEN: return httpd->draining ? httpd->drains : httpd->opening.waits;
	case CONN_IDLE: return httpd->draining ? httpd->drains : httpd->idles;
	case CONN_HEAD: return httpd->heads;
	case CONN_BODY: return httpd->bodies;
	case CONN_FLOW: return c->x->flow == FLOW_OPEN ? httpd->bodies : NULL;
	case CONN_WRITE: return httpd->writes;
	case CONN_STREAM: return buf_size(&c->out) > 0 ? httpd->writes : NULL;
	case CONN_H2: return conn_h2_patience(c);
	case CONN_LINGER: return httpd->lingers;
	case CONN_BUSY: /* the request has its own deadline */
	case CONN_NEW:
	case CONN_CLOSED: break;
	}
	return NULL;
}
