#include "http/net_unix.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

#define PREFIX "unix:"

/* The path that this process listens on: one, as every program has one server. */
static struct {
	pthread_mutex_t mutex;
	struct sockaddr_un at;
	int fd;     /* owned; what the workers have copies of; -1: none */
	int copies; /* that have not been given up */
} ours = { .mutex = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

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

/* Makes the socket that the workers get copies of. */
static bool
open_socket(const struct sockaddr_un *un, int backlog)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), saved;

	if (fd >= 0 && bind_path(fd, un) && listen(fd, backlog) == 0) {
		ours.at = *un;
		ours.fd = fd;
		return true;
	}
	saved = errno;
	if (fd >= 0)
		close(fd);
	errno = saved;
	return false;
}

int
net_unix_listen(const struct net_addr *addr, int backlog)
{
	const struct sockaddr_un *un = (const void *)&addr->sa;
	int fd = -1;

	pthread_mutex_lock(&ours.mutex);
	if (ours.fd >= 0 && strcmp(ours.at.sun_path, un->sun_path) != 0)
		errno = EADDRINUSE;
	else if (ours.fd >= 0 || open_socket(un, backlog))
		fd = fcntl(ours.fd, F_DUPFD_CLOEXEC, 0);
	if (fd >= 0)
		ours.copies++;
	pthread_mutex_unlock(&ours.mutex);
	return fd;
}

void
net_unix_unlisten(int fd)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t size = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &size) != 0 ||
	    sa.ss_family != AF_UNIX)
		return;
	pthread_mutex_lock(&ours.mutex);
	if (--ours.copies == 0) {
		close(ours.fd);
		ours.fd = -1;
	}
	pthread_mutex_unlock(&ours.mutex);
}
