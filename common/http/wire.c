/* The bytes of a client connection: those of its socket, or what TLS makes of them. */
#include "http/wire.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/net.h"

void
wire_init(struct wire *w, int fd)
{
	net_nodelay(fd);
	*w = (struct wire){ .fd = fd };
}

void
wire_start_tls(struct wire *w, struct tls *tls, str early)
{
	ASSERT(w->tls == NULL);
	w->tls = tls_conn_new(tls, w->fd, early);
}

bool
wire_is_open(const struct wire *w)
{
	return w->tls == NULL || tls_conn_open(w->tls);
}

bool
wire_is_blocked(const struct wire *w)
{
	return w->tls != NULL && tls_conn_blocked(w->tls);
}

static ssize_t
failure(void)
{
	return net_again(errno) ? WIRE_AGAIN : WIRE_BROKEN;
}

ssize_t
wire_read(struct wire *w, char *out, size_t size)
{
	ssize_t n;

	if (w->tls != NULL)
		return tls_conn_read(w->tls, out, size);
	n = recv(w->fd, out, size, 0);
	return n >= 0 ? n : failure();
}

ssize_t
wire_write(struct wire *w, str bytes)
{
	ssize_t n;

	if (w->tls != NULL)
		return tls_conn_write(w->tls, bytes);
	n = send(w->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
	return n >= 0 ? n : failure();
}

int
wire_finish(struct wire *w)
{
	int rc = w->tls == NULL ? 0 : tls_conn_finish(w->tls);

	if (rc != 0)
		return rc;
	return shutdown(w->fd, SHUT_WR) == 0 ? 0 : WIRE_BROKEN;
}

void
wire_leave(struct wire *w)
{
	if (w->tls != NULL && tls_conn_open(w->tls))
		tls_conn_finish(w->tls);
}

void
wire_reset(struct wire *w)
{
	const struct linger now = { .l_onoff = 1 };

	/* It fails only on a socket that has been reset already. */
	(void)setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

void
wire_fini(struct wire *w)
{
	tls_conn_free(w->tls);
	close(w->fd);
}
