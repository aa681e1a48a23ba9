/*
 * The server of one worker: its parts, draining and its end.
 *
 * httpd_free may come while requests are under way (a drain that was cut short). Their
 * I/O still holds pointers to them, so the server's memory stays until the last rq_resume
 * has come; nothing runs any more and nothing is sent.
 */
#include "http/httpd.h"

#include <stdlib.h>

#include "app/log.h"
#include "base/clock.h"
#include "http/h2_impl.h"

enum {
	LINGER_US = 2000000, /* after the last answer */
	DRAIN_US = 250000,   /* an idle connection is kept while draining: for a request
			      * that is on its way */
};

static void on_told(struct loop_job *job);
static void release(struct httpd *httpd);

static void
register_metrics(struct httpd_metrics *m)
{
	m->conns = gauge_new("onrush_http_connections", "Open client connections.", NULL);
	m->requests = gauge_new("onrush_http_requests_under_way",
	    "Requests whose steps are under way.", NULL);
	m->refused_conns = counter_new("onrush_http_refused_total",
	    "Connections and requests beyond a bound.", "what=\"connection\"");
	m->refused_requests = counter_new("onrush_http_refused_total",
	    "Connections and requests beyond a bound.", "what=\"request\"");
	m->malformed = counter_new(
	    "onrush_http_malformed_total", "Requests that could not be parsed.", NULL);
	m->timeout_head = counter_new(
	    "onrush_http_timeouts_total", "Waits that ran out.", "what=\"head\"");
	m->timeout_body = counter_new(
	    "onrush_http_timeouts_total", "Waits that ran out.", "what=\"body\"");
	m->timeout_write = counter_new(
	    "onrush_http_timeouts_total", "Waits that ran out.", "what=\"write\"");
	m->timeout_deadline = counter_new(
	    "onrush_http_timeouts_total", "Waits that ran out.", "what=\"deadline\"");
}

struct httpd *
httpd_new(struct worker *w, const struct httpd_conf *conf)
{
	const struct httpd_settings *settings = conf->settings;
	struct httpd *httpd = xcalloc(1, sizeof(*httpd));

	httpd->worker = w;
	httpd->conf = *conf;
	TAILQ_INIT(&httpd->listeners);
	LIST_INIT(&httpd->conns);
	LIST_INIT(&httpd->live);
	LIST_INIT(&httpd->spares);
	httpd->told_job.run = on_told;
	if (!listeners_open(httpd)) {
		listeners_close(httpd);
		free(httpd);
		return NULL;
	}
	httpd->heads = loop_waits_new(w->loop, settings->head_timeout_us, conn_on_wait);
	httpd->bodies = loop_waits_new(w->loop, settings->body_timeout_us, conn_on_wait);
	httpd->idles = loop_waits_new(w->loop, settings->idle_timeout_us, conn_on_wait);
	httpd->writes = loop_waits_new(w->loop, settings->write_timeout_us, conn_on_wait);
	httpd->lingers = loop_waits_new(w->loop, LINGER_US, conn_on_wait);
	httpd->drains = loop_waits_new(w->loop, DRAIN_US, conn_on_wait);
	httpd->scratch = xmalloc(CONN_SCRATCH);
	opening_init(httpd);
	register_metrics(&httpd->metrics);
	paces_init(httpd);
	if (conf->opening != NULL && conf->opening->http2)
		httpd->h2 = h2_host_new(httpd);
	routes_init(httpd);
	log_start(httpd);
	share_join(httpd);
	return httpd;
}

/* --- the end -------------------------------------------------------------------------
 */

void
httpd_drain(struct httpd *httpd)
{
	struct conn *c;

	if (httpd->draining)
		return;
	share_leave(httpd);
	listeners_drain(httpd);
	httpd->draining = true;
	LIST_FOREACH (c, &httpd->conns, link) {
		if (c->state == CONN_IDLE || c->state == CONN_OPEN)
			conn_enter(c, c->state); /* its patience is shorter now */
		else if (c->state == CONN_H2)
			conn_h2_drain(c);
	}
	streams_drain(httpd);
	httpd_settle(httpd);
}

void
httpd_free(struct httpd *httpd)
{
	struct conn *c;
	struct exchange *x, *next;

	if (httpd == NULL)
		return;
	share_leave(httpd);
	listeners_close(httpd);
	httpd->draining = httpd->told = true;
	LIST_FOREACH (c, &httpd->conns, link)
		conn_close(c);
	for (x = LIST_FIRST(&httpd->live); x != NULL; x = next) {
		next = LIST_NEXT(x, link);
		exchange_abandon(x);
	}
	exchange_free_spares(httpd);
	loop_waits_free(httpd->heads);
	loop_waits_free(httpd->bodies);
	loop_waits_free(httpd->idles);
	loop_waits_free(httpd->writes);
	loop_waits_free(httpd->lingers);
	loop_waits_free(httpd->drains);
	loop_waits_free(httpd->paces);
	opening_fini(httpd);
	routes_fini(httpd);
	httpd->log_job.run(&httpd->log_job);
	httpd->ended = true;
	httpd_settle(httpd);
}

/* Told once, from the loop, when the last has gone. */
void
httpd_settle(struct httpd *httpd)
{
	if (!httpd->draining || atomic_load(&httpd->load) > 0 || httpd->under_way > 0)
		return;
	if (!httpd->told)
		loop_defer(httpd->worker->loop, &httpd->told_job);
	httpd->told = true;
	if (httpd->ended && LIST_EMPTY(&httpd->live) && !httpd->told_job.queued &&
	    !httpd->log_job.queued)
		release(httpd);
}

static void
on_told(struct loop_job *job)
{
	struct httpd *httpd = CONTAINER_OF(job, struct httpd, told_job);

	if (httpd->ended)
		httpd_settle(httpd);
	else if (httpd->conf.drained != NULL)
		httpd->conf.drained(httpd->worker);
	else
		worker_drained(httpd->worker);
}

static void
release(struct httpd *httpd)
{
	free(httpd->scratch);
	buf_fini(&httpd->out);
	buf_fini(&httpd->text);
	buf_fini(&httpd->log);
	h2_host_free(httpd->h2);
	free(httpd);
}

void
httpd_load(const struct httpd *httpd, size_t *conns, size_t *requests)
{
	*conns = httpd->conn_count;
	*requests = httpd->under_way;
}
