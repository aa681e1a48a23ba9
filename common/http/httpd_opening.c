/*
 * What comes on a connection before its first request: the PROXY header of a balancer,
 * then the TLS handshake, each if it is asked for.
 *
 *   accepted ──> CONN_OPEN: header ──> handshake ──> CONN_IDLE
 *
 * A handshake costs what ten to fifty requests cost, and whoever likes can make us do it.
 * So a turn of the loop does handshakes for SHAKE_US at most: a connection whose turn did
 * not come is still readable and comes again in the next, after the requests of those who
 * are in. And at most SHAKES_MAX are under way: then the oldest, which has had the most
 * time, makes room. One deadline bounds all of it.
 */
#include "app/log.h"
#include "base/clock.h"
#include "http/httpd_impl.h"
#include "http/proxy_protocol.h"

enum {
	SHAKE_US = 1000,   /* of a turn */
	SHAKES_MAX = 2048, /* each with some 30 KB */
};

_Static_assert(
    (int)CONN_SCRATCH >= (int)WIRE_READ_MIN, "the scratch takes what TLS gives");

void
opening_init(struct httpd *httpd)
{
	static const char name[] = "onrush_http_tls_handshakes_total";
	static const char help[] = "TLS handshakes that have ended well.";
	static const char lost[] = "onrush_http_tls_failures_total";
	static const char lost_help[] = "TLS handshakes that have not ended well.";
	struct opening *o = &httpd->opening;

	TAILQ_INIT(&o->shaking);
	o->strangers = counter_new("onrush_http_proxy_refused_total",
	    "Connections that did not come as a balancer's do.", "why=\"sender\"");
	o->headless = counter_new("onrush_http_proxy_refused_total",
	    "Connections that did not come as a balancer's do.", "why=\"header\"");
	if (httpd->conf.opening == NULL)
		return;
	o->waits = loop_waits_new(
	    httpd->worker->loop, httpd->conf.opening->timeout_us, conn_on_wait);
	o->shaken[0][0] = counter_new(name, help, "version=\"1.2\",resumed=\"false\"");
	o->shaken[0][1] = counter_new(name, help, "version=\"1.2\",resumed=\"true\"");
	o->shaken[1][0] = counter_new(name, help, "version=\"1.3\",resumed=\"false\"");
	o->shaken[1][1] = counter_new(name, help, "version=\"1.3\",resumed=\"true\"");
	o->left = counter_new(lost, lost_help, "why=\"left\"");
	o->refused = counter_new(lost, lost_help, "why=\"refused\"");
	o->crowded = counter_new(lost, lost_help, "why=\"crowded\"");
	o->late = counter_new(lost, lost_help, "why=\"timeout\"");
	o->silent = counter_new(
	    "onrush_http_timeouts_total", "Waits that ran out.", "what=\"open\"");
}

void
opening_fini(struct httpd *httpd)
{
	loop_waits_free(httpd->opening.waits);
	tls_put(httpd->opening.tls);
}

void
httpd_set_tls(struct httpd *httpd, struct tls *tls)
{
	struct tls *before = httpd->opening.tls;

	httpd->opening.tls = tls_take(tls);
	tls_put(before);
}

/* --- the PROXY header ----------------------------------------------------------------
 */

bool
opening_is_welcome(const struct httpd *httpd, const struct sockaddr_storage *from)
{
	char peer[NET_TEXT_SIZE];

	net_text(from, peer);
	if (httpd->conf.opening->is_balancer(peer))
		return true;
	counter_add(httpd->opening.strangers, 1);
	log_info("%s is not in ONRUSH_PROXY_PROTOCOL: refused its connection", peer);
	return false;
}

static void
take_source(struct conn *c, const struct proxy_header *header)
{
	c->proxied = false;
	c->secure = header->secure;
	if (header->has_source)
		net_text(&header->source, c->peer);
	buf_consume(&c->in, header->size);
	if (c->shakes)
		return;
	conn_enter(c, CONN_IDLE);
	loop_defer(c->httpd->worker->loop, &c->job); /* takes what came behind it */
}

static void
read_header(struct conn *c)
{
	struct proxy_header header;
	ssize_t n = wire_read(&c->wire, c->httpd->scratch, CONN_SCRATCH);

	if (n == WIRE_AGAIN)
		return;
	if (n > 0)
		buf_add(&c->in, c->httpd->scratch, (size_t)n);
	switch (n > 0 ? proxy_parse(buf_str(&c->in), &header) : PROXY_BAD) {
	case PROXY_MORE: break;
	case PROXY_DONE: take_source(c, &header); break;
	case PROXY_BAD:
		counter_add(c->httpd->opening.headless, 1);
		log_info("no PROXY header from %s: closed its connection", c->peer);
		conn_close(c);
		break;
	}
}

/* --- the handshake -------------------------------------------------------------------
 */

static bool
is_affordable(struct httpd *httpd)
{
	struct opening *o = &httpd->opening;
	int64_t turn_us = loop_now_us(httpd->worker->loop);

	if (o->turn_us != turn_us)
		o->spent_us = 0;
	o->turn_us = turn_us;
	return o->spent_us < SHAKE_US;
}

static void
begin(struct conn *c)
{
	struct opening *o = &c->httpd->opening;

	if (o->shaking_count >= SHAKES_MAX) {
		counter_add(o->crowded, 1);
		conn_close(TAILQ_FIRST(&o->shaking));
	}
	wire_start_tls(&c->wire, o->tls, buf_str(&c->in));
	buf_fini(&c->in);
	TAILQ_INSERT_TAIL(&o->shaking, c, shaking);
	o->shaking_count++;
}

void
opening_end(struct conn *c)
{
	struct opening *o = &c->httpd->opening;

	if (c->wire.tls == NULL)
		return;
	TAILQ_REMOVE(&o->shaking, c, shaking);
	o->shaking_count--;
}

/* The handshake is over; n is what reading behind it gave. */
static void
opened(struct conn *c, ssize_t n)
{
	const struct tls_conn *tls = c->wire.tls;

	counter_add(
	    c->httpd->opening.shaken[tls_conn_is_13(tls)][tls_conn_resumed(tls)], 1);
	opening_end(c);
	c->secure = true;
	if (tls_conn_h2(tls))
		conn_h2_begin(c);
	else
		conn_enter(c, CONN_IDLE);
	conn_received(c, n);
}

static void
shake(struct conn *c)
{
	struct httpd *httpd = c->httpd;
	struct opening *o = &httpd->opening;
	int64_t start_us = clock_mono_us();
	ssize_t n;

	if (c->wire.tls == NULL)
		begin(c);
	n = wire_read(&c->wire, httpd->scratch, CONN_SCRATCH);
	o->spent_us += clock_mono_us() - start_us;
	if (wire_is_open(&c->wire)) {
		opened(c, n);
	} else if (n == WIRE_AGAIN) {
		conn_want(c);
	} else {
		counter_add(n == 0 ? o->left : o->refused, 1);
		log_debug("no TLS handshake with %s: %s", c->peer,
		    n == 0 ? "it left" : tls_conn_why(c->wire.tls));
		conn_close(c);
	}
}

/* --- all of it -----------------------------------------------------------------------
 */

void
opening_continue(struct conn *c)
{
	bool had_header = !c->proxied;

	if (c->proxied)
		read_header(c);
	/* What came behind a header is here already, and does not come again. */
	if (c->state == CONN_OPEN && !c->proxied &&
	    (!had_header || is_affordable(c->httpd)))
		shake(c);
}

void
opening_timed_out(struct conn *c)
{
	struct opening *o = &c->httpd->opening;

	counter_add(c->wire.tls == NULL ? o->silent : o->late, 1);
}
