/*
 * onrush-bench-backend HOST:PORT THREADS: answers every request with the same small JSON,
 * as cheaply as it can be done, so that a load fills the gateway before it and not this.
 * All that it reads of a request is where its head ends; one with a body is not for it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/loop.h"
#include "base/str.h"
#include "http/net.h"

#define BODY "{\"code\":200,\"message\":\"OK\"}"

enum {
	MAX_THREADS = 64,
	BACKLOG = 4096,
	SCRATCH = 65536,
};

static const char answer[] = "HTTP/1.1 200 OK\r\n"
			     "Content-Type: application/json\r\n"
			     "Content-Length: 27\r\n\r\n" BODY;

_Static_assert(sizeof(BODY) - 1 == 27, "the answer names another length");

struct server {
	pthread_t thread;
	struct loop *loop; /* owned */
	int fd;            /* listens */
};

struct conn {
	struct loop *loop;   /* borrowed */
	struct loop_io *io;  /* owned */
	struct loop_job job; /* frees it */
	int fd;
	size_t matched; /* bytes of the empty line that came last */
};

static void
on_gone(struct loop_job *job)
{
	struct conn *c = CONTAINER_OF(job, struct conn, job);

	loop_io_free(c->io);
	close(c->fd);
	free(c);
}

/* How many heads end in these bytes. */
static int
count_ends(struct conn *c, const char *p, size_t n)
{
	static const char end[] = "\r\n\r\n";
	int count = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == end[c->matched])
			c->matched++;
		else
			c->matched = p[i] == '\r';
		if (c->matched < sizeof(end) - 1)
			continue;
		c->matched = 0;
		count++;
	}
	return count;
}

static void
on_request(void *arg, unsigned ready UNUSED)
{
	static _Thread_local char scratch[SCRATCH];
	struct conn *c = arg;
	ssize_t n = recv(c->fd, scratch, sizeof(scratch), 0);
	bool open = n > 0 || (n < 0 && net_again(errno));

	if (n == sizeof(scratch))
		loop_io_want(c->io, LOOP_READ); /* there may be more */
	for (int left = n > 0 ? count_ends(c, scratch, (size_t)n) : 0; left > 0; left--)
		open &= send(c->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) ==
			(ssize_t)sizeof(answer) - 1;
	if (open)
		return;
	loop_io_want(c->io, 0);
	loop_defer(c->loop, &c->job);
}

static void
on_client(void *arg, unsigned ready UNUSED)
{
	struct server *s = arg;
	int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct conn *c;

	if (fd < 0)
		return;
	net_nodelay(fd);
	c = xcalloc(1, sizeof(*c));
	c->loop = s->loop;
	c->fd = fd;
	c->job.run = on_gone;
	c->io = loop_io_new(s->loop, fd, LOOP_REQUESTS, on_request, c);
	loop_io_want(c->io, LOOP_READ | LOOP_EDGE);
}

static void *
serve(void *arg)
{
	struct server *s = arg;
	struct loop_io *io;

	s->loop = loop_new();
	io = loop_io_new(s->loop, s->fd, LOOP_REQUESTS, on_client, s);
	loop_io_want(io, LOOP_READ);
	loop_run(s->loop);
	return NULL;
}

int
main(int argc, char **argv)
{
	static struct server servers[MAX_THREADS];
	struct net_addr address;
	int64_t threads;
	char why[256];

	if (argc != 3 || !str_to_i64(str_of(argv[2]), 1, MAX_THREADS, &threads)) {
		fputs("usage: onrush-bench-backend HOST:PORT THREADS\n", stderr);
		return 2;
	}
	if (net_resolve(argv[1], &address, 1, why, sizeof(why)) == 0) {
		fprintf(stderr, "onrush-bench-backend: %s\n", why);
		return 2;
	}
	for (int64_t i = 0; i < threads; i++) {
		servers[i].fd = net_listen(&address, BACKLOG, i > 0);
		if (servers[i].fd < 0) {
			perror("onrush-bench-backend: it cannot listen");
			return 1;
		}
		ASSERT(pthread_create(&servers[i].thread, NULL, serve, &servers[i]) == 0);
	}
	pthread_join(servers[0].thread, NULL);
	return 0;
}
