/*
 * The server of one worker: its listening socket, accepting, draining and its end.
 *
 * httpd_free may come while requests are under way (a drain that was cut short). Their
 * I/O still holds pointers to them, so the server's memory stays until the last rq_resume
 * has come; nothing runs any more and nothing is sent.
 */
#include "http/httpd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/log.h"
#include "base/clock.h"
#include "http/httpd_impl.h"

enum {
	BACKLOG = 4096,
	ACCEPT_MAX = 128,    /* in one turn, so that others get theirs */
	PAUSE_US = 100000,   /* without descriptors */
	LINGER_US = 2000000, /* after the last answer */
	DRAIN_US = 250000,   /* an idle connection is kept while draining: for a request
			      * that is on its way */
};

static bool start_listening(struct httpd *httpd);
static void stop_listening(struct httpd *httpd);
static void on_accept(void *arg, unsigned ready);
static void on_pause(void *arg);
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
	LIST_INIT(&httpd->conns);
	LIST_INIT(&httpd->live);
	LIST_INIT(&httpd->spares);
	httpd->told_job.run = on_told;
	if (!start_listening(httpd)) {
		free(httpd);
		return NULL;
	}
	httpd->pause = loop_timer_new(w->loop, on_pause, httpd);
	httpd->heads = loop_waits_new(w->loop, settings->head_timeout_us, conn_on_wait);
	httpd->bodies = loop_waits_new(w->loop, settings->body_timeout_us, conn_on_wait);
	httpd->idles = loop_waits_new(w->loop, settings->idle_timeout_us, conn_on_wait);
	httpd->writes = loop_waits_new(w->loop, settings->write_timeout_us, conn_on_wait);
	httpd->lingers = loop_waits_new(w->loop, LINGER_US, conn_on_wait);
	httpd->drains = loop_waits_new(w->loop, DRAIN_US, conn_on_wait);
	httpd->scratch = xmalloc(CONN_SCRATCH);
	register_metrics(&httpd->metrics);
	routes_init(httpd);
	log_start(httpd);
	return httpd;
}

/* --- listening -----------------------------------------------------------------------
 */

static bool
start_listening(struct httpd *httpd)
{
	const char *address = httpd->conf.settings->listen;
	struct net_addr addr;
	char why[256];

	if (net_resolve(address, &addr, 1, why, sizeof(why)) == 0) {
		log_error("cannot listen on ONRUSH_LISTEN=%s: %s", address, why);
		return false;
	}
	httpd->fd = net_listen(&addr, BACKLOG);
	if (httpd->fd < 0) {
		log_error(
		    "cannot listen on ONRUSH_LISTEN=%s: %s", address, strerror(errno));
		return false;
	}
	httpd->accept_io = loop_io_new(httpd->worker->loop, httpd->fd, on_accept, httpd);
	loop_io_want(httpd->accept_io, LOOP_READ);
	return true;
}

static void
stop_listening(struct httpd *httpd)
{
	if (httpd->fd < 0)
		return;
	loop_timer_stop(httpd->pause);
	loop_io_free(httpd->accept_io);
	httpd->accept_io = NULL;
	close(httpd->fd);
	httpd->fd = -1;
}

/* Without descriptors or memory for a connection, accepting again at once would spin. */
static void
pause_accepting(struct httpd *httpd)
{
	log_error("cannot accept connections, trying again soon: %s", strerror(errno));
	loop_io_want(httpd->accept_io, 0);
	loop_timer_set(httpd->pause, PAUSE_US);
}

static void
on_pause(void *arg)
{
	struct httpd *httpd = arg;

	loop_io_want(httpd->accept_io, LOOP_READ);
}

/* Accepts at most `max`. */
static void
accept_some(struct httpd *httpd, int max)
{
	struct sockaddr_storage sa;
	socklen_t size;
	int fd;

	for (int i = 0; i < max; i++) {
		size = sizeof(sa);
		fd = accept4(httpd->fd, (struct sockaddr *)&sa, &size,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			conn_new(httpd, fd, &sa);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			 errno == ENOMEM)
			pause_accepting(httpd);
		if (fd < 0 && errno != ECONNABORTED)
			return;
	}
}

static void
on_accept(void *arg, unsigned ready UNUSED)
{
	accept_some(arg, ACCEPT_MAX);
}

int
httpd_port(const struct httpd *httpd)
{
	return net_port(httpd->fd);
}

/* --- the end -------------------------------------------------------------------------
 */

void
httpd_drain(struct httpd *httpd)
{
	struct conn *c;

	if (httpd->draining)
		return;
	/* Those that were accepted by the kernel would be reset by the close. */
	accept_some(httpd, BACKLOG);
	httpd->draining = true;
	stop_listening(httpd);
	LIST_FOREACH (c, &httpd->conns, link) {
		if (c->state == CONN_IDLE)
			conn_enter(c, CONN_IDLE); /* its patience is shorter now */
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
	stop_listening(httpd);
	httpd->draining = httpd->told = true;
	LIST_FOREACH (c, &httpd->conns, link)
		conn_close(c);
	for (x = LIST_FIRST(&httpd->live); x != NULL; x = next) {
		next = LIST_NEXT(x, link);
		exchange_abandon(x);
	}
	exchange_free_spares(httpd);
	loop_timer_free(httpd->pause);
	loop_waits_free(httpd->heads);
	loop_waits_free(httpd->bodies);
	loop_waits_free(httpd->idles);
	loop_waits_free(httpd->writes);
	loop_waits_free(httpd->lingers);
	loop_waits_free(httpd->drains);
	routes_fini(httpd);
	httpd->log_job.run(&httpd->log_job);
	httpd->ended = true;
	httpd_settle(httpd);
}

/* Told once, from the loop, when the last has gone. */
void
httpd_settle(struct httpd *httpd)
{
	if (!httpd->draining || !LIST_EMPTY(&httpd->conns) || httpd->under_way > 0)
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
	free(httpd);
}
