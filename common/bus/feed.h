/*
 * A librdkafka queue on the loop; private to this folder.
 *
 *   librdkafka's threads ──event──> queue ──first one──> eventfd ──> loop ──> on_event
 *
 * librdkafka writes to the descriptor only when an event comes that finds the queue
 * served, so each wake-up takes events until there are none. After FEED_TURN_MAX of them
 * the rest waits for the next turn of the loop: others want to run too.
 */
#ifndef ONRUSH_BUS_FEED_H
#define ONRUSH_BUS_FEED_H

#include <librdkafka/rdkafka.h>

#include "app/loop.h"

struct feed;

/* Called for each event, which is borrowed, and with NULL once at the end of a wake-up.
 * It must not free the feed. */
typedef void feed_cb(void *arg, rd_kafka_event_t *event);

struct feed *feed_new(struct loop *loop, feed_cb *on_event, void *arg);
void feed_free(struct feed *f); /* after its queue has gone; NULL is fine */

/* Serves this queue, which is borrowed, from now on; NULL serves none. Not inside the
 * callback for an event. */
void feed_attach(struct feed *f, rd_kafka_queue_t *queue);

/* Causes a wake-up. From any thread. */
void feed_kick(struct feed *f);

#endif
