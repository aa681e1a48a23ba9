/*
 * What the gateway knows of a request before it is forwarded, and the guards that it
 * passes on the way, in this order:
 *
 *   httpd ──> visit_begin ──> [limits] ──> [identity] ──> [pass] ──> [limits per user]
 *                                 │           │            │            │     │
 *                                 └───────────┴── answer ──┴────────────┘     v
 *                                                                     gateway_forward
 *
 * Which guards a route has is decided when its table is made, so that one that it does
 * not need costs it nothing. A guard is a step: it answers, or it notes in the visit what
 * it found and goes on with visit_go_on.
 */
#ifndef ONRUSH_GATEWAY_FORWARD_VISIT_H
#define ONRUSH_GATEWAY_FORWARD_VISIT_H

#include "gateway/routes/route_file.h"
#include "http/rq.h"

struct pass;

/* In the request's arena; rq->ctx whenever a guard begins, and gateway_forward. A guard
 * that needs rq->ctx for itself puts it back before it goes on. */
struct visit {
	const struct route_row *row; /* borrowed from the table, for the request's life */
	rq_step *const *next;        /* borrowed from the row: what is to come */
	int64_t user_id;         /* who asks, as far as that is proven; 0: not known */
	const struct pass *pass; /* in the arena; NULL: none was checked */
	str client;      /* in the arena: the API key's id; empty: it came with none */
	str hop;         /* whom we speak with; borrowed like rq->peer */
	bool proxied;    /* that is a trusted proxy, and rq->peer its client */
	bool identified; /* by a token: who else says who it is must say the same */
};

/* Chooses the steps of a row, whose limits are resolved. When its table is made, before
 * any request. */
void visit_plan(struct route_row *row);

/* The first step of every route that leads to a service. */
rq_step visit_begin;

/* The next guard, or gateway_forward. rq->ctx is the visit. */
rq_next visit_go_on(struct rq *rq) MUST_USE;

#endif
