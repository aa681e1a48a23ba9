/*
 * The streams of one worker: people who wait and are told when something changes, instead
 * of asking. Each is a streamed answer; one timer looks at all of them.
 */
#ifndef ONRUSH_QUEUE_EVENTS_H
#define ONRUSH_QUEUE_EVENTS_H

#include "queue/desk.h"

struct events;

struct events *events_new(struct service *s);
void events_free(struct events *events); /* no stream is left; NULL is fine */

/* False: there are as many streams as there may be. */
bool events_have_room(const struct events *events);

/* Answers with a stream about the ticket of `a`, which is borrowed from the request. */
rq_next
events_begin(struct rq *rq, struct events *events, const struct desk_ask *a) MUST_USE;

#endif
