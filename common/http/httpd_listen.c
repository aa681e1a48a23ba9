/*
 * Listening and accepting. A port is shared by the workers through SO_REUSEPORT: the
 * kernel deals connections out. A path is one socket for all of them: each takes one
 * connection in a turn, so that a burst of them does not all go to the worker that wakes
 * first.
 */
#include <errno.h>
#include <string.h>

#include "app/log.h"
#include "http/httpd_impl.h"

enum {
	BACKLOG = 4096,
	ACCEPT_MAX = 128,  /* in one turn, so that others get theirs */
	PAUSE_US = 100000, /* without descriptors */
};

static void on_accept(void *arg, unsigned ready);
static void on_pause(void *arg);

static bool
open_one(struct httpd *httpd, const char *setting, const char *address, bool tls)
{
	struct listener *l = &httpd->listeners[httpd->listener_count];
	struct loop *loop = httpd->worker->loop;
	struct net_addr addr;
	char why[256];

	ASSERT(httpd->listener_count < LISTENERS_MAX);
	if (net_resolve(address, &addr, 1, why, sizeof(why)) == 0) {
		log_error("cannot listen on %s=%s: %s", setting, address, why);
		return false;
	}
	l->fd = net_listen(&addr, BACKLOG);
	if (l->fd < 0) {
		log_error(
		    "cannot listen on %s=%s: %s", setting, address, strerror(errno));
		return false;
	}
	l->httpd = httpd;
	l->tls = tls;
	l->most = net_is_path(&addr) ? 1 : ACCEPT_MAX;
	l->io = loop_io_new(loop, l->fd, on_accept, l);
	l->pause = loop_timer_new(loop, on_pause, l);
	loop_io_want(l->io, LOOP_READ);
	httpd->listener_count++;
	return true;
}

bool
listeners_open(struct httpd *httpd)
{
	const struct httpd_settings *settings = httpd->conf.settings;
	const struct httpd_opening *opening = httpd->conf.opening;
	const char *tls = opening == NULL ? "" : opening->tls_listen;

	return open_one(httpd, "ONRUSH_LISTEN", settings->listen, false) &&
	       (settings->listen_too[0] == '\0' ||
		   open_one(httpd, "ONRUSH_LISTEN_TOO", settings->listen_too, false)) &&
	       (tls[0] == '\0' || open_one(httpd, "ONRUSH_TLS_LISTEN", tls, true));
}

void
listeners_close(struct httpd *httpd)
{
	while (httpd->listener_count > 0) {
		struct listener *l = &httpd->listeners[--httpd->listener_count];

		loop_timer_free(l->pause);
		loop_io_free(l->io);
		net_unlisten(l->fd);
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
	struct sockaddr_storage sa;
	socklen_t size;
	int fd;

	for (int i = 0; i < max; i++) {
		size = sizeof(sa);
		fd = accept4(
		    l->fd, (struct sockaddr *)&sa, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			conn_new(l, fd, &sa);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			 errno == ENOMEM)
			pause_accepting(l);
		if (fd < 0 && errno != ECONNABORTED)
			return;
	}
}

static void
on_accept(void *arg, unsigned ready UNUSED)
{
	struct listener *l = arg;

	accept_some(l, l->most);
}

/* Those that were accepted by the kernel would be reset by the close. */
void
listeners_drain(struct httpd *httpd)
{
	for (size_t i = 0; i < httpd->listener_count; i++)
		accept_some(&httpd->listeners[i], BACKLOG);
	listeners_close(httpd);
}

int
httpd_port(const struct httpd *httpd)
{
	return net_port(httpd->listeners[0].fd);
}
