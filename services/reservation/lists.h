/*
 * What everybody looks at before a sale: the concerts, a concert's dates, a date's free
 * seats, as the JSON text of the answer, per worker. However many look at one list, it is
 * read once in LISTS_FRESH_US; nobody sees one that is older than LISTS_LEASE_US, counted
 * from the moment its query was sent.
 *
 *   young: copied · older: copied, and read again in the background · too old: waits
 */
#ifndef ONRUSH_RESERVATION_LISTS_H
#define ONRUSH_RESERVATION_LISTS_H

#include "base/clock.h"
#include "reservation/service.h"

#define LISTS_FRESH_US (100 * CLOCK_US_PER_MS)
#define LISTS_LEASE_US (200 * CLOCK_US_PER_MS)

enum list_kind {
	LIST_CONCERTS, /* of id LISTS_ALL */
	LIST_DATES,    /* of a concert */
	LIST_SEATS,    /* of a date */
	LIST_KINDS,
};

#define LISTS_ALL INT64_C(0)

struct lists *lists_new(struct service *s);
void lists_free(struct lists *l); /* nothing may be pending; NULL is fine */

/* The answer's data, borrowed until the next loop turn; p == NULL when it has to be read.
 */
str lists_find(struct lists *l, enum list_kind kind, int64_t id);

/* Reads it now. The next step sees rq->err (ERR_OK also when there is no such thing) and
 * finds it with lists_find. `id` must stay where it is until then. */
rq_next lists_read(struct rq *rq, rq_step *next, struct lists *l, enum list_kind kind,
    const int64_t *id) MUST_USE;

#endif
