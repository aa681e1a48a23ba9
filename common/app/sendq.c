/*
 * Linux's native asynchronous I/O, of which only this is used: io_submit(2) carries out
 * writes to sockets one after the other before it returns, so that io_getevents(2) never
 * waits. It writes like write(2) and not like send(2) with MSG_NOSIGNAL: programs ignore
 * SIGPIPE (app.h).
 */
#include "app/sendq.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "app/gather.h"
#include "app/log.h"

enum {
	ITEMS = 128,        /* in a turn; loop.c calls back 64 times */
	ROOM = 65536,       /* bytes of all of them */
	MESSAGE_MAX = 8192, /* longer ones are not worth a copy */
};

struct sendq {
	struct loop *loop;   /* borrowed */
	struct loop_job job; /* sends */
	size_t count;
	size_t used;                     /* bytes of `room` */
	struct sendq_item *items[ITEMS]; /* borrowed; NULL: has left the queue */
	str messages[ITEMS];             /* in `room` */
	ssize_t taken[ITEMS];            /* bytes; below 0: -errno */
	char *room;                      /* owned; NULL until the first message */
	struct gather gather;
	aio_context_t aio; /* owned; 0: not there */
	bool alone;        /* there is no aio to be had */
	bool telling;      /* callbacks are under way */
};

static void on_job(struct loop_job *job);
static void submit(struct sendq *q);
static void tell(struct sendq *q);

struct sendq *
sendq_new(struct loop *loop)
{
	struct sendq *q = xcalloc(1, sizeof(*q));

	q->loop = loop;
	q->job.run = on_job;
	gather_init(&q->gather);
	return q;
}

void
sendq_free(struct sendq *q)
{
	if (q == NULL)
		return;
	ASSERT(!q->job.queued);
	if (q->aio != 0)
		syscall(SYS_io_destroy, q->aio);
	free(q->room);
	free(q);
}

bool
sendq_put(struct sendq *q, struct sendq_item *item, str bytes)
{
	ASSERT(!item->queued);
	if (q->telling || q->count == ITEMS || bytes.n > MESSAGE_MAX ||
	    bytes.n > ROOM - q->used)
		return false;
	if (q->room == NULL)
		q->room = xmalloc(ROOM);
	memcpy(q->room + q->used, bytes.p, bytes.n);
	q->messages[q->count] = (str){ q->room + q->used, bytes.n };
	q->used += bytes.n;
	q->items[q->count] = item;
	item->index = q->count++;
	item->queued = true;
	loop_defer(q->loop, &q->job);
	return true;
}

void
sendq_drop(struct sendq *q, struct sendq_item *item)
{
	if (!item->queued)
		return;
	item->queued = false;
	q->items[item->index] = NULL;
}

static ssize_t
send_alone(int fd, str bytes)
{
	ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);

	return n >= 0 ? n : -errno;
}

void
sendq_hurry(struct sendq *q, struct sendq_item *item)
{
	if (item->queued && !q->telling)
		send_alone(item->fd, q->messages[item->index]);
	sendq_drop(q, item);
}

static void
on_job(struct loop_job *job)
{
	struct sendq *q = CONTAINER_OF(job, struct sendq, job);

	submit(q);
	tell(q);
}

static void
tell(struct sendq *q)
{
	q->telling = true;
	for (size_t i = 0; i < q->count; i++) {
		struct sendq_item *item = q->items[i];
		str rest = q->messages[i];
		ssize_t n = q->taken[i];

		if (item == NULL)
			continue;
		item->queued = false;
		if (n == -EAGAIN || n == -EINTR)
			n = 0;
		if (n > 0)
			rest = (str){ rest.p + n, rest.n - (size_t)n };
		item->cb(item, n < 0 ? -1 : n, rest);
	}
	q->telling = false;
	q->count = q->used = 0;
}

/* --- together ------------------------------------------------------------------------
 */

/* Once, when there is something to be sent together. */
static bool
has_aio(struct sendq *q)
{
	if (q->aio != 0 || q->alone)
		return q->aio != 0;
	if (syscall(SYS_io_setup, ITEMS, &q->aio) == 0)
		return true;
	q->aio = 0;
	q->alone = true;
	log_info("io_setup: %s: messages leave one by one, which takes more CPU time",
	    strerror(errno));
	return false;
}

/* Fills `requests` with one for each message; how many there are. */
static size_t
prepare(const struct sendq *q, struct iocb *iocbs, struct iocb **requests)
{
	size_t count = 0;

	for (size_t i = 0; i < q->count; i++) {
		if (q->items[i] == NULL)
			continue;
		iocbs[count] = (struct iocb){
			.aio_data = i,
			.aio_lio_opcode = IOCB_CMD_PWRITE,
			.aio_fildes = (uint32_t)q->items[i]->fd,
			.aio_buf = (uintptr_t)q->messages[i].p,
			.aio_nbytes = q->messages[i].n,
		};
		requests[count] = &iocbs[count];
		count++;
	}
	return count;
}

static void
reap(struct sendq *q, size_t count)
{
	struct io_event events[ITEMS];
	long n =
	    syscall(SYS_io_getevents, q->aio, (long)count, (long)count, events, NULL);

	ASSERT(n == (long)count);
	for (size_t i = 0; i < count; i++)
		q->taken[events[i].data] = (ssize_t)events[i].res;
}

/* Times that others got the processor although this thread had more to do. */
static long
waits(void)
{
	struct rusage usage;

	ASSERT(getrusage(RUSAGE_THREAD, &usage) == 0);
	return usage.ru_nivcsw;
}

static void
submit(struct sendq *q)
{
	struct iocb iocbs[ITEMS], *requests[ITEMS];
	size_t count = prepare(q, iocbs, requests), done = 0;

	while (q->gather.together && count - done > 1 && has_aio(q)) {
		long n =
		    syscall(SYS_io_submit, q->aio, (long)(count - done), requests + done);

		if (n <= 0)
			break;
		reap(q, (size_t)n);
		done += (size_t)n;
	}
	for (; done < count; done++) {
		size_t i = requests[done]->aio_data;

		q->taken[i] = send_alone(q->items[i]->fd, q->messages[i]);
	}
	gather_sent(&q->gather, count, waits);
}
