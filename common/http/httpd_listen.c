/*
 * Listening, with sockets of sockets.h, and accepting. At a port each worker has a socket
 * of its own, a path is one socket for all of them; who gets a connection is decided
 * once it is accepted (httpd_share.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/log.h"
#include "http/httpd_impl.h"
#include "http/sockets.h"

enum {
	ACCEPT_MAX = 128,   /* in one turn, so that others get theirs */
	ACCEPT_LAST = 4096, /* before listening ends */
	ADDRESSES = 3,      /* of one server */
	PAUSE_US = 100000,  /* without descriptors */
};

/* What a server listens at. */
struct address {
	const char *setting, *text; /* borrowed */
	bool tls;
};

static void on_accept(void *arg, unsigned ready);
static void on_pause(void *arg);

static void
add_listener(struct httpd *httpd, int fd, bool tls)
{
	struct listener *l = xcalloc(1, sizeof(*l));
	const struct httpd_opening *opening = httpd->conf.opening;
	struct loop *loop = httpd->worker->loop;

	l->httpd = httpd;
	l->fd = fd;
	l->tls = tls;
	l->proxied = opening != NULL && opening->is_balancer != NULL && !net_at_path(fd);
	l->io = loop_io_new(loop, fd, LOOP_REQUESTS, on_accept, l);
	l->pause = loop_timer_new(loop, on_pause, l);
	loop_io_want(l->io, LOOP_READ);
	TAILQ_INSERT_TAIL(&httpd->listeners, l, link);
}

static bool
open_one(struct httpd *httpd, const struct address *at)
{
	const struct worker *w = httpd->worker;
	bool alone = httpd->conf.alone;
	int fds[SOCKETS_SHARE];
	size_t count = sockets_take(at->setting, at->text, alone ? 0 : w->index,
	    alone ? 1 : app_workers(w->app), fds);

	for (size_t i = 0; i < count; i++)
		add_listener(httpd, fds[i], at->tls);
	return count > 0;
}

/* Fills `out`; how many there are. */
static size_t
list_addresses(const struct httpd_settings *settings, const struct httpd_opening *opening,
    struct address out[ADDRESSES])
{
	size_t count = 0;

	out[count++] = (struct address){ "ONRUSH_LISTEN", settings->listen, false };
	if (settings->listen_too[0] != '\0')
		out[count++] =
		    (struct address){ "ONRUSH_LISTEN_TOO", settings->listen_too, false };
	if (opening != NULL && opening->tls_listen[0] != '\0')
		out[count++] =
		    (struct address){ "ONRUSH_TLS_LISTEN", opening->tls_listen, true };
	return count;
}

bool
httpd_listen(const struct httpd_settings *settings, const struct httpd_opening *opening,
    int workers)
{
	struct address all[ADDRESSES];
	size_t count = list_addresses(settings, opening, all);
	bool ok = true;

	for (size_t i = 0; i < count && ok; i++)
		ok = sockets_open(all[i].setting, all[i].text, workers);
	return ok;
}

bool
listeners_open(struct httpd *httpd)
{
	struct address all[ADDRESSES];
	size_t count = list_addresses(httpd->conf.settings, httpd->conf.opening, all);
	bool ok = true;

	if (httpd->conf.listen_setting != NULL)
		all[0].setting = httpd->conf.listen_setting;
	for (size_t i = 0; i < count && ok; i++)
		ok = open_one(httpd, &all[i]);
	return ok;
}

void
listeners_close(struct httpd *httpd)
{
	struct listener *l;

	while ((l = TAILQ_FIRST(&httpd->listeners)) != NULL) {
		TAILQ_REMOVE(&httpd->listeners, l, link);
		loop_timer_free(l->pause);
		loop_io_free(l->io);
		close(l->fd);
		free(l);
	}
}

/* Without descriptors or memory for a connection, accepting again at once would spin. */
static void
pause_accepting(struct listener *l)
{
	log_error("cannot accept connections, trying again soon: %s", strerror(errno));
	loop_io_want(l->io, 0);
	loop_timer_set(l->pause, PAUSE_US);
}

static void
on_pause(void *arg)
{
	struct listener *l = arg;

	loop_io_want(l->io, LOOP_READ);
}

/* Accepts at most `max`. */
static void
accept_some(struct listener *l, int max)
{
	struct arrival a = { .tls = l->tls, .proxied = l->proxied };
	socklen_t size;

	for (int i = 0; i < max; i++) {
		size = sizeof(a.from);
		a.fd = accept4(l->fd, (struct sockaddr *)&a.from, &size,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (a.fd >= 0)
			share_deal(l->httpd, &a);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			 errno == ENOMEM)
			pause_accepting(l);
		if (a.fd < 0 && errno != ECONNABORTED)
			return;
	}
}

static void
on_accept(void *arg, unsigned ready UNUSED)
{
	struct listener *l = arg;

	accept_some(l, ACCEPT_MAX);
}

/* Those that were accepted by the kernel would be reset by the close. */
void
listeners_drain(struct httpd *httpd)
{
	struct listener *l;

	TAILQ_FOREACH (l, &httpd->listeners, link)
		accept_some(l, ACCEPT_LAST);
	listeners_close(httpd);
}

int
httpd_port(const struct httpd *httpd)
{
	return net_port(TAILQ_FIRST(&httpd->listeners)->fd);
}
