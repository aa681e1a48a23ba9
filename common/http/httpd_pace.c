/*
 * Cutting clients that are too slow, by the credit of pace_rules.h. It runs while the
 * client has to send a request or to take an answer, and not while it waits for us; it is
 * full again with each request. A tick is how often it is looked at, so that a connection
 * that is never kept waiting costs nothing.
 *
 * What a client has taken is what it has acknowledged: the kernel's own buffer may hold
 * megabytes, and would look like a fast client and then like one that stands still.
 */
#include "http/httpd_impl.h"
#include "http/pace_rules.h"

enum {
	TICKS = 10, /* in the grace */
};

void
paces_init(struct httpd *httpd)
{
	const struct httpd_settings *settings = httpd->conf.settings;
	struct httpd_metrics *m = &httpd->metrics;
	static const char name[] = "onrush_http_slow_total";
	static const char help[] =
	    "Connections that were cut since they were slower than ONRUSH_MIN_RATE.";

	m->slow_head = counter_new(name, help, "what=\"head\"");
	m->slow_body = counter_new(name, help, "what=\"body\"");
	m->slow_write = counter_new(name, help, "what=\"write\"");
	if (settings->min_rate > 0)
		httpd->paces = loop_waits_new(httpd->worker->loop,
		    settings->min_rate_grace_us / TICKS, conn_on_pace);
}

static bool
is_writing(const struct conn *c)
{
	return c->state == CONN_WRITE || c->state == CONN_STREAM;
}

/* Is it the client who has to do something? */
static bool
is_its_turn(const struct conn *c)
{
	switch (c->state) {
	case CONN_HEAD:
	case CONN_BODY:
	case CONN_WRITE: return true;
	case CONN_FLOW: return c->x->flow == FLOW_OPEN;
	case CONN_STREAM: return buf_size(&c->out) > 0;
	case CONN_NEW:
	case CONN_OPEN: /* the handshake has a time-out of its own */
	case CONN_IDLE:
	case CONN_BUSY:
	case CONN_LINGER:
	case CONN_H2: /* its streams are slow one by one, and have time-outs */
	case CONN_CLOSED: break;
	}
	return false;
}

void
conn_pace(struct conn *c)
{
	struct httpd *httpd = c->httpd;
	struct pace *pace = &c->pace;
	bool running = pace->wait.waits != NULL;

	if (httpd->paces == NULL)
		return;
	if (c->state == CONN_IDLE)
		pace->credit_us = httpd->conf.settings->min_rate_grace_us;
	if (!is_its_turn(c)) {
		loop_wait_stop(&pace->wait);
	} else if (!running || pace->writing != is_writing(c)) {
		pace->writing = is_writing(c);
		pace->known = false;
		loop_wait_start(httpd->paces, &pace->wait);
	}
}

/* Bytes that the client has moved, from some moment on. */
static uint64_t
moved(const struct conn *c)
{
	uint64_t unsent;

	if (!c->pace.writing)
		return c->received;
	unsent = net_unsent(c->wire.fd);
	return c->sent > unsent ? c->sent - unsent : 0;
}

/* Brings the credit up to date; false: it is used up. */
static bool
is_in_time(struct conn *c)
{
	const struct httpd_settings *settings = c->httpd->conf.settings;
	const struct pace_limits limits = {
		.rate = settings->min_rate,
		.grace_us = settings->min_rate_grace_us,
	};
	struct pace *pace = &c->pace;
	int64_t now_us = loop_now_us(c->httpd->worker->loop);
	uint64_t now_moved = moved(c);

	if (pace->known)
		pace->credit_us = pace_spend(pace->credit_us, now_us - pace->at_us,
		    now_moved > pace->moved ? now_moved - pace->moved : 0, &limits);
	pace->known = true;
	pace->at_us = now_us;
	pace->moved = now_moved;
	return pace->credit_us > 0;
}

void
conn_on_pace(struct loop_wait *w)
{
	struct conn *c = CONTAINER_OF(w, struct conn, pace.wait);
	struct httpd_metrics *m = &c->httpd->metrics;

	if (is_in_time(c)) {
		loop_wait_start(c->httpd->paces, &c->pace.wait);
		return;
	}
	counter_add(c->pace.writing         ? m->slow_write
		    : c->state == CONN_HEAD ? m->slow_head
					    : m->slow_body,
	    1);
	conn_cut(c);
}

void
conn_cut(struct conn *c)
{
	switch (c->state) {
	case CONN_HEAD:
	case CONN_BODY: conn_refuse(c, ERR_TIMEOUT_REQUEST); break;
	case CONN_FLOW: exchange_flow_end(c->x, ERR_TIMEOUT_REQUEST); break;
	case CONN_WRITE:
	case CONN_STREAM:
		wire_reset(&c->wire); /* else the kernel would go on in our place */
		conn_close(c);
		break;
	case CONN_OPEN:
	case CONN_IDLE:
	case CONN_LINGER: conn_close(c); break;
	case CONN_NEW:
	case CONN_BUSY:
	case CONN_H2:
	case CONN_CLOSED: UNREACHABLE();
	}
}
