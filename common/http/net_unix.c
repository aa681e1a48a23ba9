#include "http/net_unix.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

#define PREFIX "unix:"

bool
net_unix_is(const char *address)
{
	return strncmp(address, PREFIX, sizeof(PREFIX) - 1) == 0;
}

bool
net_unix_resolve(const char *address, struct net_addr *out, char *err, size_t err_size)
{
	const char *path = address + sizeof(PREFIX) - 1;
	struct sockaddr_un *un = (void *)&out->sa;
	size_t size = strlen(path) + 1;

	*out = (struct net_addr){ .size = sizeof(*un) };
	if (path[0] != '/' || size > sizeof(un->sun_path)) {
		snprintf(err, err_size,
		    "\"%s\" is not " PREFIX " and an absolute path of at most %zu bytes",
		    address, sizeof(un->sun_path) - 1);
		return false;
	}
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, size);
	return true;
}

/* A socket that nobody listens at any more: the last who did was killed. */
static bool
is_left_over(const struct sockaddr_un *un)
{
	struct stat st;
	bool refused;
	int fd;

	/* Connecting to what is no socket is refused, too. */
	if (lstat(un->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	refused = connect(fd, (const struct sockaddr *)un, sizeof(*un)) != 0 &&
		  errno == ECONNREFUSED;
	close(fd);
	return refused;
}

static bool
bind_path(int fd, const struct sockaddr_un *un)
{
	if (bind(fd, (const struct sockaddr *)un, sizeof(*un)) == 0)
		return true;
	if (errno != EADDRINUSE)
		return false;
	if (!is_left_over(un)) {
		errno = EADDRINUSE;
		return false;
	}
	return unlink(un->sun_path) == 0 &&
	       bind(fd, (const struct sockaddr *)un, sizeof(*un)) == 0;
}

int
net_unix_listen(const struct net_addr *addr, int backlog)
{
	const struct sockaddr_un *un = (const void *)&addr->sa;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), saved;

	if (fd < 0 || (bind_path(fd, un) && listen(fd, backlog) == 0))
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

bool
net_unix_same(const struct net_addr *a, const struct net_addr *b)
{
	const struct sockaddr_un *x = (const void *)&a->sa, *y = (const void *)&b->sa;

	return strcmp(x->sun_path, y->sun_path) == 0;
}
