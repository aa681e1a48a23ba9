/* The bytes of a client connection: those of its socket. */
#include "http/wire.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/net.h"

void
wire_init(struct wire *w, int fd)
{
	net_nodelay(fd);
	w->fd = fd;
}

static ssize_t
failure(void)
{
	return net_again(errno) ? WIRE_AGAIN : WIRE_BROKEN;
}

ssize_t
wire_read(struct wire *w, char *out, size_t size)
{
	ssize_t n = recv(w->fd, out, size, 0);

	return n >= 0 ? n : failure();
}

ssize_t
wire_write(struct wire *w, str bytes)
{
	ssize_t n = send(w->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

	return n >= 0 ? n : failure();
}

int
wire_finish(struct wire *w)
{
	return shutdown(w->fd, SHUT_WR) == 0 ? 0 : WIRE_BROKEN;
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
	close(w->fd);
}
