/*
 * The gateway: the one door. It matches a request to its route, rewrites the path, and
 * forwards what it understood (never the bytes that came) to the service behind.
 *
 *   worker ──> gateway ──> upstream[] ──> pool (httpc): bounded connections, FIFO queue
 *                 │
 *                 └──> httpd ──route──> [passes] ──> forward ──rq_http──> relay ──answer
 *
 * It decides nothing about a sale and keeps nothing between requests.
 */
#ifndef ONRUSH_GATEWAY_GATEWAY_H
#define ONRUSH_GATEWAY_GATEWAY_H

#include "app/app.h"
#include "gateway/passes.h"
#include "gateway/routes.h"
#include "gateway/upstream.h"
#include "http/httpd.h"

struct gateway_settings {
	struct app_settings app; /* first: see app_desc */
	struct httpd_settings http;
	struct upstream_settings upstream;
	struct passes_settings passes;
};

/* What one worker has. */
struct gateway {
	struct upstream upstreams[UPSTREAM_COUNT];
	struct passes *passes;      /* owned; NULL: nobody needs one */
	struct httpd *httpd;        /* owned */
	struct loop_timer *observe; /* owned; brings the gauges up to date */
};

/* Forwards a request: the first step of most routes. rq->service is the worker's struct
 * gateway, rq->ctx the pass that was checked, if one was: a const struct pass. */
rq_step gateway_forward;

/* What to tell a client when the service gave no answer. A call that may have taken
 * effect is reported as unknown: neither as failed nor as done. */
enum err gateway_outcome(enum err err, bool safe);

#endif
