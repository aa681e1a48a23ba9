/*
 * Replies over Kafka, on the loop. An instance reads one partition of the reply topic,
 * from its end on, without a group; several instances may share a partition, so each
 * record's key names the instance it is for and the others skip it.
 */
#ifndef ONRUSH_BUS_INBOX_H
#define ONRUSH_BUS_INBOX_H

#include "app/loop.h"
#include "base/str.h"

struct inbox;

struct inbox_conf {
	const char *brokers, *client_id;
	const char *topic;    /* "onrush.replies" */
	const char *instance; /* unique per worker and start of the process */
	/* Called on the loop for each record whose key is the instance. The value is
	 * borrowed until it returns. */
	void (*on_reply)(void *arg, str value);
	void *arg;
};

/* Chooses the partition by the instance's hash, finds its end and starts reading there.
 * NULL with an error logged when the settings are refused. */
struct inbox *inbox_new(struct loop *loop, const struct inbox_conf *conf);
void inbox_free(struct inbox *in); /* NULL is fine */

/* The partition that replies must be sent to; -1 until the position is known: requests
 * that want a reply must wait for that. From any thread. */
int32_t inbox_partition(const struct inbox *in);

#endif
