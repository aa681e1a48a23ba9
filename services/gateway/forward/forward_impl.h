/*
 * What the files of forwarding share and nobody else includes.
 *
 *   forward.c       a request rebuilt, its answer rebuilt
 *   forward_body.c  a body that is passed on while it comes
 *   tunnel.c        a websocket
 */
#ifndef ONRUSH_GATEWAY_FORWARD_FORWARD_IMPL_H
#define ONRUSH_GATEWAY_FORWARD_FORWARD_IMPL_H

#include "gateway/upstream/upstream.h"
#include "gateway/forward/ws_rules.h"

enum {
	FORWARD_MAX_HEADERS = 24,
	FORWARD_TUNNEL_HEADERS = 5,
};

/* What outlives the step; in the request's arena, rq->ctx. */
struct forward {
	struct upstream *upstream; /* borrowed from the worker's gateway */
	bool safe;                 /* a call that changes nothing */
	struct call *call; /* borrowed; from the first piece, of the body or of the
			    * answer, to the last */
	struct gzip *gzip; /* owned; NULL: pieces of the answer go on as they are */
	struct httpc_request request;
	struct http_header headers[FORWARD_MAX_HEADERS];
	char digits[STR_DECIMAL_MAX]; /* of one of them */
};

/* forward.c: one more header for the service, unless it is empty. */
void forward_header(struct forward *f, str name, str value);

/* tunnel.c: the request asks for a websocket; before it is sent. */
void forward_tunnel_begin(struct forward *f, struct rq *rq);
/* The service has answered 101. */
rq_next forward_tunnel_open(struct rq *rq) MUST_USE;
/* The request asks for a websocket in a way that nobody would understand. */
rq_next forward_tunnel_refuse(struct rq *rq, enum ws_ask ask) MUST_USE;

/* forward_body.c: the request's body follows its head in pieces. Before it is sent. */
void forward_body_begin(struct forward *f, struct rq *rq);

#endif
