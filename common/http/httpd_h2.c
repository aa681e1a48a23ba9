/*
 * A connection while it speaks HTTP/2: moves bytes between its wire and its session, and
 * decides how long each may take. It ends as every connection does (httpd_conn.c).
 */
#include "http/h2_impl.h"

const str conn_h2_preface = STR_INIT(NGHTTP2_CLIENT_MAGIC);

void
conn_h2_begin(struct conn *c)
{
	c->h2 = h2_new(c);
	conn_enter(c, CONN_H2);
	conn_h2_later(c);
}

void
conn_h2_drain(struct conn *c)
{
	h2_drain(c->h2);
	conn_h2_later(c);
}

void
conn_h2_later(struct conn *c)
{
	loop_defer(c->httpd->worker->loop, &c->job);
}

unsigned
conn_h2_wanted(const struct conn *c)
{
	size_t waiting = buf_size(&c->out);

	/* Who does not read what we say is not listened to. */
	return (waiting < H2_OUT_HIGH ? LOOP_READ : 0) |
	       (waiting > 0 || h2_has_more(c->h2) ? LOOP_WRITE : 0);
}

struct loop_waits *
conn_h2_patience(const struct conn *c)
{
	struct httpd *httpd = c->httpd;

	if (buf_size(&c->out) > 0)
		return httpd->writes;
	if (c->h2->in_head)
		return httpd->heads;
	if (!h2_is_idle(c->h2) || c->h2->leaving == H2_NOTICED)
		return NULL; /* each request has its own */
	return httpd->draining ? httpd->drains : httpd->idles;
}

void
conn_h2_take(struct conn *c, str bytes)
{
	if (!h2_take(c->h2, bytes)) {
		conn_close(c);
		return;
	}
	/* Each head has its own time, and idle time starts again after a request, even
	 * one that came and went; other frames start nothing. */
	if (c->h2->begun && c->wait.waits != c->httpd->writes)
		loop_wait_stop(&c->wait);
	c->h2->begun = false;
	conn_h2_later(c);
}

/* What the client must take within the write time-out, again and again. */
static void
watch(struct conn *c, size_t taken)
{
	struct loop_waits *waits = conn_h2_patience(c);
	size_t *owed = &c->h2->owed;
	bool again = waits != c->wait.waits;

	if (waits == c->httpd->writes && taken >= *owed)
		again = true;
	if (waits == NULL)
		loop_wait_stop(&c->wait);
	else if (again)
		loop_wait_start(waits, &c->wait);
	*owed = again ? buf_size(&c->out) : *owed - taken;
	conn_want(c);
}

void
conn_h2_flush(struct conn *c)
{
	size_t taken = 0;

	h2_fill(c->h2, &c->out);
	if (buf_size(&c->out) > 0)
		taken = conn_send(c, buf_str(&c->out));
	if (c->state != CONN_H2)
		return;
	buf_consume(&c->out, taken);
	if (buf_size(&c->out) == 0 && h2_is_over(c->h2))
		conn_finish(c);
	else
		watch(c, taken);
}

void
conn_h2_on_wait(struct conn *c)
{
	struct httpd_metrics *m = &c->httpd->metrics;

	if (buf_size(&c->out) > 0) {
		counter_add(m->timeout_write, 1);
		conn_close(c);
		return;
	}
	if (c->h2->in_head)
		counter_add(m->timeout_head, 1);
	h2_end(c->h2, NGHTTP2_NO_ERROR);
	conn_h2_later(c);
}
