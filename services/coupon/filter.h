/*
 * The filter in Redis: one script for all requests of a loop turn and campaign. It may
 * only refuse what PostgreSQL (or the operator's switch) has decided; it never grants.
 * Redis away or slow means "don't know", and the request goes on.
 */
#ifndef ONRUSH_COUPON_FILTER_H
#define ONRUSH_COUPON_FILTER_H

#include "coupon/service.h"

enum filter_verdict {
	FILTER_PASS,      /* or nobody knows */
	FILTER_ISSUED,    /* the user has all that one may have */
	FILTER_SOLD_OUT,  /* as of the campaign's version that we know */
	FILTER_CLOSED,    /* the operator's switch says so */
	FILTER_IN_FLIGHT, /* another request of this user is being decided */
};

/* What the filter is asked, and what it says. Lives in the request's arena. */
struct filter_query {
	const struct campaign *campaign; /* a copy in the request's arena */
	int64_t user_id;
	enum filter_verdict verdict;
};

struct filter *filter_new(struct service *s);
void filter_free(struct filter *f); /* NULL is fine */

/* Asks. The next step reads q->verdict. */
rq_next filter_ask(
    struct rq *rq, rq_step *next, struct filter *f, struct filter_query *q) MUST_USE;

/* The request is decided, or will not be: its user's next one is looked at anew. */
void filter_land(struct filter *f, const struct campaign *c, int64_t user_id);

/* The operator changed the state: moves the switch. */
void filter_set_switch(struct filter *f, const struct campaign *c);

#endif
