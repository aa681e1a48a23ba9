/* See feed.h. The descriptor is an eventfd, non-blocking on both ends: a blocking one
 * would stop librdkafka's threads. */
#include "bus/feed.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/die.h"

enum {
	FEED_TURN_MAX = 256
};

struct feed {
	rd_kafka_queue_t *queue; /* borrowed until the next feed_attach */
	struct loop_io *io;      /* owned */
	feed_cb *on_event;
	void *arg; /* borrowed */
	int fd;    /* owned */
};

static const uint64_t one = 1;

static void
on_readable(void *arg, unsigned ready UNUSED)
{
	struct feed *f = arg;
	rd_kafka_event_t *event;
	uint64_t count;
	int taken = 0;

	/* First the descriptor, then the queue: an event that comes in between is seen
	 * now and wakes us once more for nothing, but none is missed. */
	if (read(f->fd, &count, sizeof(count)) < 0)
		return;
	while (f->queue != NULL && (event = rd_kafka_queue_poll(f->queue, 0)) != NULL) {
		f->on_event(f->arg, event);
		rd_kafka_event_destroy(event);
		if (++taken == FEED_TURN_MAX) {
			feed_kick(f);
			break;
		}
	}
	f->on_event(f->arg, NULL);
}

struct feed *
feed_new(struct loop *loop, feed_cb *on_event, void *arg)
{
	struct feed *f = xcalloc(1, sizeof(*f));

	f->on_event = on_event;
	f->arg = arg;
	f->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ASSERT(f->fd >= 0);
	f->io = loop_io_new(loop, f->fd, LOOP_ANSWERS, on_readable, f);
	loop_io_want(f->io, LOOP_READ);
	return f;
}

void
feed_attach(struct feed *f, rd_kafka_queue_t *queue)
{
	if (f->queue != NULL)
		rd_kafka_queue_io_event_enable(f->queue, -1, NULL, 0);
	f->queue = queue;
	if (queue != NULL) {
		rd_kafka_queue_io_event_enable(queue, f->fd, &one, sizeof(one));
		feed_kick(f); /* for what was in the queue before */
	}
}

void
feed_kick(struct feed *f)
{
	/* The only failure is a counter that is full, and then it is readable. */
	if (write(f->fd, &one, sizeof(one)) < 0)
		return;
}

void
feed_free(struct feed *f)
{
	if (f == NULL)
		return;
	feed_attach(f, NULL);
	loop_io_free(f->io);
	close(f->fd);
	free(f);
}
