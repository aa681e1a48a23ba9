#include "app/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/log.h"
#include "base/str.h"

enum {
	FIRST_SOCKET = 3, /* sd_listen_fds(3) */
};

static int given[MANAGER_SOCKETS]; /* owned; -1: taken */
static int given_count;
static int notify_fd = -1; /* owned, for ever; connected */

static void connect_notify(const char *path);

/* --- what we were given --------------------------------------------------------------
 */

/* The number in the environment, 0 if there is none. */
static int
number_of(const char *name)
{
	const char *text = getenv(name);
	int64_t value;

	if (text == NULL || !str_to_i64(str_of(text), 0, INT32_MAX, &value))
		return 0;
	return (int)value;
}

void
manager_begin(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	int count = number_of("LISTEN_FDS");

	if (number_of("LISTEN_PID") != getpid())
		count = 0;
	for (int fd = FIRST_SOCKET; fd < FIRST_SOCKET + count; fd++) {
		int flags = fcntl(fd, F_GETFL);

		if (flags < 0 || given_count == MANAGER_SOCKETS)
			continue;
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
		given[given_count++] = fd;
	}
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDNAMES");
	if (path != NULL)
		connect_notify(path);
	unsetenv("NOTIFY_SOCKET");
}

int
manager_take_socket(bool (*fits)(int fd, const void *arg), const void *arg)
{
	for (int i = 0; i < given_count; i++) {
		int fd = given[i];

		if (fd < 0 || !fits(fd, arg))
			continue;
		given[i] = -1;
		return fd;
	}
	return -1;
}

/* --- what we say ---------------------------------------------------------------------
 */

/* Now, because later the process may have no right to. A path, or @ and an abstract name.
 */
static void
connect_notify(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t size = strlen(path);

	if (size < 2 || size >= sizeof(sa.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(sa.sun_path, path, size);
	if (path[0] == '@')
		sa.sun_path[0] = '\0';
	notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify_fd < 0)
		return;
	if (connect(notify_fd, (const struct sockaddr *)&sa,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)) == 0)
		return;
	log_warn("cannot speak to NOTIFY_SOCKET=%s: %s", path, strerror(errno));
	close(notify_fd);
	notify_fd = -1;
}

/* Sends the lines, with a descriptor if there is one. */
static void
say(const char *lines, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec part = { .iov_base = (void *)(uintptr_t)lines,
		.iov_len = strlen(lines) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (notify_fd < 0)
		return;
	if (fd >= 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	if (sendmsg(notify_fd, &message, MSG_NOSIGNAL) < 0)
		log_warn("the service manager does not hear \"%s\": %s", lines,
		    strerror(errno));
}

void
manager_say(const char *line)
{
	say(line, -1);
}

/* By which it can be forgotten again: the number of its inode. */
void
manager_socket_name(int fd, char name[MANAGER_NAME_SIZE])
{
	struct stat st = { 0 };

	(void)fstat(fd, &st);
	snprintf(name, MANAGER_NAME_SIZE, "socket-%llu", (unsigned long long)st.st_ino);
}

static void
say_of(const char *what, int fd, bool send_it)
{
	char name[MANAGER_NAME_SIZE], lines[MANAGER_NAME_SIZE + 64];

	manager_socket_name(fd, name);
	snprintf(lines, sizeof(lines), "%s\nFDNAME=%s", what, name);
	say(lines, send_it ? fd : -1);
}

void
manager_keep_socket(int fd)
{
	say_of("FDSTORE=1", fd, true);
}

int
manager_drop_sockets(void)
{
	int dropped = 0;

	for (int i = 0; i < given_count; i++) {
		if (given[i] < 0)
			continue;
		say_of("FDSTOREREMOVE=1", given[i], false);
		close(given[i]);
		dropped++;
	}
	given_count = 0;
	return dropped;
}
