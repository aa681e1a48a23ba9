/*
 * The desk: who has which ticket. One script call for all requests of a loop turn that
 * are about one line.
 */
#ifndef ONRUSH_QUEUE_DESK_H
#define ONRUSH_QUEUE_DESK_H

#include "queue/lines.h"

enum desk_wish {
	DESK_GET = 'g',   /* the user's ticket */
	DESK_TAKE = 't',  /* a new one if the user has none, or has `ticket` */
	DESK_SHOW = 's',  /* a pass with `ticket` was shown */
	DESK_LEAVE = 'l', /* gives `ticket` up */
};

/* One user's wish, in the request's arena. */
struct desk_ask {
	struct line *line; /* borrowed */
	int64_t user_id;
	enum desk_wish wish;
	int64_t ticket; /* 0: none */
	int64_t place;  /* of the ticket; the ticket itself before the opening */
	int64_t result; /* ticket, 0 or -1; see line_script.h */
};

struct desk *desk_new(struct service *s);
void desk_free(struct desk *desk); /* NULL is fine */

/* The place by which the desk knows a ticket. */
int64_t desk_place(const struct line *line, int64_t ticket);

/* Asks. The next step sees rq->err and a->result; ERR_UNAVAILABLE while Redis, or the
 * line in it, is away. */
rq_next
desk_send(struct rq *rq, rq_step *next, struct desk *desk, struct desk_ask *a) MUST_USE;

#endif
