/*
 * A service behind the gateway, as one worker sees it: its servers, which of them gets a
 * call, and what is done when a call fails.
 *
 *   service (all workers': name, directory, metrics)
 *      ^
 *   upstream ─owns─> server ─> pool (httpc), health checks
 *      │                └── …, as the directory lists them
 *      └── breaker, retry budget
 *
 * A call that fails is sent again, to another server, when that is harmless (nothing of
 * it was sent, or it may be repeated and no byte of an answer came), the budget has room
 * and somebody still waits. A server that is not in the directory any more ends what it
 * is doing and gets nothing new.
 */
#ifndef ONRUSH_GATEWAY_UPSTREAM_UPSTREAM_H
#define ONRUSH_GATEWAY_UPSTREAM_UPSTREAM_H

#include "app/app.h"
#include "base/clock.h"
#include "gateway/upstream/upstream_settings.h"
#include "http/httpc.h"

enum {
	UPSTREAM_MAX_RESPONSE = 1 << 18, /* bytes of a body that is kept; others stream */
};

/* An unused connection is closed before the service's own idle timeout closes it. */
#define UPSTREAM_IDLE_US (60 * CLOCK_US_PER_SEC)

/* Services that stream say something every 15 seconds, if only that they are there. */
#define UPSTREAM_STREAM_US (60 * CLOCK_US_PER_SEC)

struct service;
struct upstream;
struct view;

/*
 * `servers` is a list as server_list.h has it. Looks names up, which may take seconds.
 * The caller owns the result. NULL with a sentence in err[err_size].
 */
struct service *service_new(const char *name, const char *servers,
    const struct upstream_settings *settings, char *err, size_t err_size);
struct service *service_take(struct service *s); /* one more has it */
/* One has it no more, and no upstream of it; NULL is fine. */
void service_put(struct service *s);

/* For one of `workers` workers; service and settings are borrowed for its life. NULL,
 * with an error logged, when a server cannot be used. */
struct upstream *upstream_new(struct loop *loop, int workers, struct service *service,
    const struct upstream_settings *settings);
/* Calls that are under way end with ERR_DRAINING; NULL is fine. */
void upstream_free(struct upstream *up);

const char *upstream_name(const struct upstream *up); /* "coupon" */

/* How a request is to be sent. */
struct upstream_way {
	uint64_t
	    key;    /* of pick_hash: the same goes to the same server; 0: load decides */
	bool retry; /* may be sent again when it fails and that is harmless */
};

/*
 * Sends to one of the servers; the next step sees rq->err and rq->http as after rq_http,
 * with ERR_UNAVAILABLE also when the service is given a rest. Host is filled in here; the
 * rest of *request is borrowed until the next step.
 */
rq_next upstream_send(struct rq *rq, rq_step *next, struct upstream *up,
    struct httpc_request *request, struct upstream_way way) MUST_USE;

/* Every second or so: takes over what the directory says, frees servers that have ended,
 * brings the gauges up to date. */
void upstream_observe(struct upstream *up);

/* Appends what this worker knows of the service and its servers. */
void upstream_view(const struct upstream *up, struct view *v);

#endif
