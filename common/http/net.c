/*
 * Addresses and sockets. SO_REUSEPORT lets the workers of this process share a port, and
 * would let a second process take half of its connections unnoticed. So the first socket
 * of this process for an address is bound without it once, which fails when it is taken.
 * Paths are net_unix.c's.
 */
#include "http/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/str.h"
#include "http/net_unix.h"

enum {
	HOST_SIZE = 256,
	PORT_SIZE = 6,
};

/* Splits "host:port" at the last colon; the brackets of an IPv6 address are dropped. */
static bool
split(const char *address, char host[HOST_SIZE], char port[PORT_SIZE])
{
	const char *colon = strrchr(address, ':');
	str h, p;
	int64_t number;

	if (colon == NULL)
		return false;
	h = (str){ address, (size_t)(colon - address) };
	p = str_of(colon + 1);
	if (h.n >= 2 && h.p[0] == '[' && h.p[h.n - 1] == ']')
		h = (str){ h.p + 1, h.n - 2 };
	if (h.n >= HOST_SIZE || !str_to_i64(p, 0, 65535, &number))
		return false;
	memcpy(host, h.p, h.n);
	host[h.n] = '\0';
	memcpy(port, p.p, p.n + 1);
	return true;
}

size_t
net_resolve(
    const char *address, struct net_addr *out, size_t max, char *err, size_t err_size)
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	char host[HOST_SIZE], port[PORT_SIZE];
	struct addrinfo *list, *ai;
	size_t count = 0;
	int rc;

	if (net_unix_is(address))
		return max > 0 && net_unix_resolve(address, out, err, err_size);
	if (!split(address, host, port)) {
		snprintf(err, err_size, "\"%s\" is not host:port", address);
		return 0;
	}
	rc = getaddrinfo(host[0] == '\0' ? NULL : host, port, &hints, &list);
	if (rc != 0) {
		snprintf(err, err_size, "cannot resolve \"%s\": %s", host,
		    rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
		return 0;
	}
	for (ai = list; ai != NULL && count < max; ai = ai->ai_next) {
		memcpy(&out[count].sa, ai->ai_addr, ai->ai_addrlen);
		out[count++].size = ai->ai_addrlen;
	}
	freeaddrinfo(list);
	return count;
}

bool
net_is_path(const struct net_addr *addr)
{
	return addr->sa.ss_family == AF_UNIX;
}

static int
new_socket(const struct net_addr *addr)
{
	return socket(addr->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Closes fd, keeps errno; the result is what a failed function returns. */
static int
give_up(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
	return -1;
}

/* Binds a socket of its own kind and closes it again: false and errno when the address
 * is taken. */
static bool
is_free(const struct net_addr *addr)
{
	const int on = 1;
	int fd = new_socket(addr);
	bool bound;

	if (fd < 0)
		return false;
	bound = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
		bind(fd, (const struct sockaddr *)&addr->sa, addr->size) == 0;
	give_up(fd);
	return bound;
}

static int
bind_shared(const struct net_addr *addr, int backlog)
{
	const int on = 1;
	int fd = new_socket(addr);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0 ||
	    bind(fd, (const struct sockaddr *)&addr->sa, addr->size) != 0 ||
	    listen(fd, backlog) != 0)
		return give_up(fd);
	return fd;
}

int
net_listen(const struct net_addr *addr, int backlog, bool join)
{
	if (net_is_path(addr))
		return net_unix_listen(addr, backlog);
	return join || is_free(addr) ? bind_shared(addr, backlog) : -1;
}

bool
net_listens_at(int fd, const struct net_addr *addr)
{
	struct net_addr at = { .size = sizeof(at.sa) };
	socklen_t size = sizeof(int);
	int on = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &size) != 0 || on == 0 ||
	    getsockname(fd, (struct sockaddr *)&at.sa, &at.size) != 0 ||
	    at.sa.ss_family != addr->sa.ss_family)
		return false;
	if (net_is_path(&at))
		return net_unix_same(&at, addr);
	return at.size == addr->size && memcmp(&at.sa, &addr->sa, at.size) == 0;
}

bool
net_at_path(int fd)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t size = sizeof(sa);

	return getsockname(fd, (struct sockaddr *)&sa, &size) == 0 &&
	       sa.ss_family == AF_UNIX;
}

int
net_connect(const struct net_addr *addr)
{
	int fd = new_socket(addr);

	if (fd < 0)
		return -1;
	net_nodelay(fd);
	if (connect(fd, (const struct sockaddr *)&addr->sa, addr->size) != 0 &&
	    errno != EINPROGRESS)
		return give_up(fd);
	return fd;
}

int
net_connect_error(int fd)
{
	int error = 0;
	socklen_t size = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

void
net_nodelay(int fd)
{
	const int on = 1;

	/* It fails only on a socket that has been reset, which the next call tells. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void
net_text(const struct sockaddr_storage *sa, char out[NET_TEXT_SIZE])
{
	const struct sockaddr_in *in4 = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;
	const char *text = NULL;

	if (sa->ss_family == AF_INET)
		text = inet_ntop(AF_INET, &in4->sin_addr, out, NET_TEXT_SIZE);
	else if (sa->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		text =
		    inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], out, NET_TEXT_SIZE);
	else if (sa->ss_family == AF_INET6)
		text = inet_ntop(AF_INET6, &in6->sin6_addr, out, NET_TEXT_SIZE);
	else if (sa->ss_family == AF_UNIX)
		text = memcpy(out, "unix", sizeof("unix"));
	if (text == NULL)
		snprintf(out, NET_TEXT_SIZE, "?");
}

size_t
net_unsent(int fd)
{
	int n;

	return ioctl(fd, SIOCOUTQ, &n) == 0 && n > 0 ? (size_t)n : 0;
}

int
net_port(int fd)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t size = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &size) != 0)
		return 0;
	/* The port is at the same place in both families. */
	return ntohs(((const struct sockaddr_in *)(const void *)&sa)->sin_port);
}

void
net_set_port(struct net_addr *addr, int port)
{
	((struct sockaddr_in *)(void *)&addr->sa)->sin_port = htons((uint16_t)port);
}

bool
net_again(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}
