/*
 * Messages that leave together, at the end of the loop's turn, with one system call.
 *
 * A send(2) of its own wakes whoever waits for the message, who may get the processor
 * before send returns: with many connections there is a switch of processes for every few
 * messages (docs/decisions/011-sends.md). io_submit(2) takes writes to many sockets and
 * ends before anybody else runs. Where it is not to be had (a sandbox, another kernel),
 * or brings nothing (gather.h), the messages leave one by one, at the end of the turn all
 * the same.
 *
 * Not for bytes that wait for a slow reader, nor for what a socket may only get part of:
 * such a connection sends by itself.
 */
#ifndef ONRUSH_APP_SENDQ_H
#define ONRUSH_APP_SENDQ_H

#include <stdbool.h>
#include <sys/types.h>

#include "app/loop.h"
#include "base/str.h"

struct sendq;
struct sendq_item;

/*
 * What became of a message: the socket took so many bytes of it, `rest` is the others
 * (borrowed for the call), or -1: the connection is broken. Called at the end of the
 * turn, with nothing else on the stack; may free the item.
 */
typedef void sendq_cb(struct sendq_item *item, ssize_t taken, str rest);

/* Part of a connection, which sets the first two; at most one message of it waits. */
struct sendq_item {
	sendq_cb *cb;
	int fd;      /* a connected, non-blocking stream socket; borrowed */
	bool queued; /* its message waits; the rest is the queue's */
	size_t index;
};

/* The caller owns it. */
struct sendq *sendq_new(struct loop *loop);
/* After every item has gone. NULL is fine. */
void sendq_free(struct sendq *q);

/* Copies a message; the item must not be queued. False: there is no room for it now, it
 * is to be sent directly. */
bool sendq_put(struct sendq *q, struct sendq_item *item, str bytes) MUST_USE;

/* Before the connection goes; both do nothing to an item that is not queued, and its
 * callback is not called. */
void sendq_drop(struct sendq *q, struct sendq_item *item); /* the message is not sent */
void
sendq_hurry(struct sendq *q, struct sendq_item *item); /* sends what a socket takes */

#endif
