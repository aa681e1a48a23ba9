#include "app/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/log.h"
#include "app/manager.h"
#include "base/clock.h"
#include "base/str.h"

#define READY_US (60 * CLOCK_US_PER_SEC)

enum {
	FIRST_SOCKET = 3,  /* sd_listen_fds(3) */
	MESSAGE_MAX = 512, /* bytes of what a copy says */
	NEXT_ENDED = 200,  /* why a copy cannot be started, as an exit status */
};

static const char option[] = "--hold";

/* A socket that is kept for the next copy. */
struct kept {
	char name[MANAGER_NAME_SIZE];
	int fd; /* owned; closed by exec */
};

struct hold {
	char **argv;          /* borrowed; without --hold, argv[0] is the program */
	char notify_name[64]; /* NOTIFY_SOCKET of the copies */
	int notify_fd, signal_fd;
	pid_t current; /* 0: has ended */
	pid_t next;    /* is being started; 0: none */
	int64_t next_until_us;
	bool stopping;
	int status; /* of the process that was current last */
	struct kept kept[MANAGER_SOCKETS];
	size_t kept_count;
};

static void hold_init(struct hold *h, char **argv);
static pid_t start_copy(const struct hold *h);
static void take_over(struct hold *h);
static void await_event(struct hold *h);
static void on_signal(struct hold *h, int signo);
static void on_message(struct hold *h);
static void on_ready(struct hold *h, pid_t pid);
static void reap(struct hold *h);

bool
hold_is_wanted(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], option) == 0)
			return true;
	return false;
}

int
hold_run(const char *name, char **argv)
{
	static struct hold hold;

	log_init(name, LOG_INFO);
	hold_init(&hold, argv);
	hold.current = start_copy(&hold);
	hold.status = 1; /* unless there is one */
	/* Copies that were replaced may outlive the current one: their last requests. */
	do {
		await_event(&hold);
		reap(&hold);
	} while (hold.current != 0 || waitpid(-1, NULL, WNOHANG) == 0);
	return hold.status;
}

/* --- the process ---------------------------------------------------------------------
 */

static void
our_signals(sigset_t *set)
{
	static const int ours[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR2, SIGCHLD };

	sigemptyset(set);
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		sigaddset(set, ours[i]);
}

/* A name that nobody else has, in the abstract namespace: no file is left behind. */
static void
open_notify(struct hold *h)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	const int on = 1;
	uint64_t random;
	size_t size;

	ASSERT(getrandom(&random, sizeof(random), 0) == (ssize_t)sizeof(random));
	snprintf(h->notify_name, sizeof(h->notify_name), "@onrush-hold-%d-%016llx",
	    (int)getpid(), (unsigned long long)random);
	size = strlen(h->notify_name);
	memcpy(sa.sun_path + 1, h->notify_name + 1, size - 1);
	h->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (h->notify_fd < 0 ||
	    setsockopt(h->notify_fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0 ||
	    bind(h->notify_fd, (const struct sockaddr *)&sa,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)) != 0)
		die("cannot hold sockets: %s", strerror(errno));
}

static void
hold_init(struct hold *h, char **argv)
{
	struct rlimit files;
	sigset_t set;
	char **to = argv;

	for (char **from = argv; *from != NULL; from++)
		if (from == argv || strcmp(*from, option) != 0)
			*to++ = *from;
	*to = NULL;
	h->argv = argv;
	our_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	h->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	ASSERT(h->signal_fd >= 0);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	open_notify(h);
	manager_begin();
	take_over(h);
}

/* --- copies --------------------------------------------------------------------------
 */

static void
set_number(const char *name, long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", value);
	setenv(name, text, 1);
}

/* In the child: the sockets from 3 on, and nothing else of the holder's. */
static void
become_copy(const struct hold *h, pid_t holder)
{
	int fds[MANAGER_SOCKETS];
	sigset_t none;

	/* First all out of the way of each other's new places. */
	for (size_t i = 0; i < h->kept_count; i++) {
		fds[i] =
		    fcntl(h->kept[i].fd, F_DUPFD_CLOEXEC, FIRST_SOCKET + MANAGER_SOCKETS);
		if (fds[i] < 0)
			_exit(NEXT_ENDED);
	}
	for (size_t i = 0; i < h->kept_count; i++)
		if (dup2(fds[i], FIRST_SOCKET + (int)i) < 0)
			_exit(NEXT_ENDED);
	set_number("LISTEN_FDS", (long)h->kept_count);
	set_number("LISTEN_PID", getpid());
	setenv("NOTIFY_SOCKET", h->notify_name, 1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Nobody would ever end it, were the holder killed. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != holder)
		_exit(NEXT_ENDED);
	execvp(h->argv[0], h->argv);
	log_error("cannot start %s: %s", h->argv[0], strerror(errno));
	_exit(NEXT_ENDED);
}

/* Starts a copy; 0, with an error logged, when that is not possible. */
static pid_t
start_copy(const struct hold *h)
{
	pid_t holder = getpid(), pid = fork();

	if (pid == 0)
		become_copy(h, holder);
	if (pid < 0)
		log_error("cannot start a copy of the program: %s", strerror(errno));
	return pid > 0 ? pid : 0;
}

static void
start_next(struct hold *h)
{
	if (h->stopping)
		return;
	if (h->next != 0) {
		log_warn("SIGUSR2: a new copy is being started already");
		return;
	}
	h->next = start_copy(h);
	h->next_until_us = clock_mono_us() + READY_US;
	if (h->next != 0)
		log_info(
		    "process %d is to replace process %d", (int)h->next, (int)h->current);
}

/* The new copy listens: the old one may go. */
static void
replace_current(struct hold *h)
{
	log_info("process %d has replaced process %d, which ends what it is doing",
	    (int)h->next, (int)h->current);
	if (h->current != 0)
		kill(h->current, SIGTERM);
	h->current = h->next;
	h->next = 0;
}

/* --- what happens --------------------------------------------------------------------
 */

static void
await_event(struct hold *h)
{
	struct pollfd fds[] = {
		{ .fd = h->signal_fd, .events = POLLIN },
		{ .fd = h->notify_fd, .events = POLLIN },
	};
	struct signalfd_siginfo info;
	int timeout_ms = -1;

	if (h->next != 0) {
		int64_t left_us = h->next_until_us - clock_mono_us();

		timeout_ms = left_us < 0 ? 0 : (int)(left_us / CLOCK_US_PER_MS) + 1;
	}
	poll(fds, ARRAY_LEN(fds), timeout_ms);
	on_message(h);
	while (read(h->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		on_signal(h, (int)info.ssi_signo);
	if (h->next != 0 && clock_mono_us() >= h->next_until_us) {
		log_error("the new copy, process %d, is not ready after %d seconds: "
			  "killed; the old one goes on",
		    (int)h->next, (int)(READY_US / CLOCK_US_PER_SEC));
		kill(h->next, SIGKILL);
		h->next_until_us = INT64_MAX; /* until it is reaped */
	}
}

static void
on_signal(struct hold *h, int signo)
{
	switch (signo) {
	case SIGCHLD: break; /* reap follows */
	case SIGUSR2: start_next(h); break;
	case SIGHUP:
		if (h->current != 0)
			kill(h->current, SIGHUP);
		break;
	case SIGTERM:
	case SIGINT:
		h->stopping = true;
		manager_say("STOPPING=1");
		if (h->next != 0)
			kill(h->next, SIGKILL);
		if (h->current != 0)
			kill(h->current, signo);
		break;
	default: UNREACHABLE();
	}
}

/* Takes the status of those that have ended. */
static void
reap(struct hold *h)
{
	int how;
	pid_t pid;

	while ((pid = waitpid(-1, &how, WNOHANG)) > 0) {
		int status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);

		if (pid == h->next) {
			h->next = 0;
			if (!h->stopping)
				log_error("the new copy, process %d, ended with status "
					  "%d before it was ready; the old one goes on",
				    (int)pid, status);
		} else if (pid == h->current) {
			h->current = 0;
			h->status = status;
			/* Whoever restarts us is the one to say what comes next. */
			if (h->next != 0)
				kill(h->next, SIGKILL);
			h->stopping = true;
		}
	}
}

/* --- what a copy says ----------------------------------------------------------------
 */

/* A message, its sender and a descriptor that came along. */
struct message {
	char text[MESSAGE_MAX + 1];
	pid_t pid; /* 0: not known */
	int fd;    /* owned; -1: none */
};

static bool
receive(const struct hold *h, struct message *m)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec part = { .iov_base = m->text, .iov_len = MESSAGE_MAX };
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t size = recvmsg(h->notify_fd, &header, MSG_CMSG_CLOEXEC);

	m->pid = 0;
	m->fd = -1;
	if (size < 0)
		return false;
	m->text[size] = '\0';
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c != NULL;
	     c = CMSG_NXTHDR(&header, c)) {
		struct ucred sender;

		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS)
			memcpy(&m->fd, CMSG_DATA(c), sizeof(m->fd));
		if (c->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&sender, CMSG_DATA(c), sizeof(sender));
			m->pid = sender.pid;
		}
	}
	return true;
}

static void
keep(struct hold *h, int fd, str name)
{
	struct kept *kept;

	if (fd < 0 || name.n == 0 || name.n >= MANAGER_NAME_SIZE ||
	    h->kept_count == MANAGER_SOCKETS) {
		if (fd >= 0)
			close(fd);
		return;
	}
	kept = &h->kept[h->kept_count++];
	kept->fd = fd;
	memcpy(kept->name, name.p, name.n);
	kept->name[name.n] = '\0';
}

static bool
is_any(int fd UNUSED, const void *arg UNUSED)
{
	return true;
}

/* Those that we were given ourselves. */
static void
take_over(struct hold *h)
{
	char name[MANAGER_NAME_SIZE];
	int fd;

	while ((fd = manager_take_socket(is_any, NULL)) >= 0) {
		manager_socket_name(fd, name);
		keep(h, fd, str_of(name));
	}
}

static void
forget(struct hold *h, str name)
{
	for (size_t i = 0; i < h->kept_count; i++) {
		if (!str_eq(str_of(h->kept[i].name), name))
			continue;
		close(h->kept[i].fd);
		h->kept[i] = h->kept[--h->kept_count];
		return;
	}
}

static void
on_message(struct hold *h)
{
	struct message m;

	while (receive(h, &m)) {
		str rest = str_of(m.text), line, name = STR_NULL;
		bool ready = false, store = false, remove = false;

		while (rest.n > 0) {
			rest = str_cut(rest, '\n', &line);
			ready |= str_eq(line, STR("READY=1"));
			store |= str_eq(line, STR("FDSTORE=1"));
			remove |= str_eq(line, STR("FDSTOREREMOVE=1"));
			if (str_starts(line, STR("FDNAME=")))
				name = (str){ line.p + 7, line.n - 7 };
		}
		if (m.pid == 0 || (m.pid != h->current && m.pid != h->next))
			store = ready = remove = false;
		if (store)
			keep(h, m.fd, name);
		else if (m.fd >= 0)
			close(m.fd);
		if (remove)
			forget(h, name);
		if (ready)
			on_ready(h, m.pid);
	}
}

static void
on_ready(struct hold *h, pid_t pid)
{
	if (pid == h->next)
		replace_current(h);
	manager_say("READY=1");
}
