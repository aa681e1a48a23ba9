/*
 * A service behind the gateway, as one worker sees it: its pool of connections and its
 * numbers. A service without an address is absent; calls for it are refused.
 */
#ifndef ONRUSH_GATEWAY_UPSTREAM_H
#define ONRUSH_GATEWAY_UPSTREAM_H

#include "app/app.h"
#include "app/metrics.h"
#include "base/clock.h"
#include "gateway/routes.h"
#include "http/httpc.h"

/* Put UPSTREAM_CONF_ITEMS in the program's table. */
struct upstream_settings {
	const char *addresses[UPSTREAM_COUNT]; /* owned by conf */
	int64_t max_conns; /* to each service, of all workers together */
	int64_t max_queue; /* requests that wait for a connection, likewise */
	int64_t queue_us, connect_us, response_us;
};

#define UPSTREAM_ADDRESS(type, member, name, id, service)                                \
	{                                                                                \
		name, CONF_STRING, offsetof(type, member.addresses[id]), "", 0, 0,       \
		    "Host and port of the " service " service; empty: there is none."    \
	}

#define UPSTREAM_CONF_ITEMS(type, member)                                                \
	UPSTREAM_ADDRESS(type, member, "ONRUSH_COUPON_URL", UPSTREAM_COUPON, "coupon"),  \
	    UPSTREAM_ADDRESS(type, member, "ONRUSH_ORDER_URL", UPSTREAM_ORDER, "order"), \
	    UPSTREAM_ADDRESS(type, member, "ONRUSH_RESERVATION_URL",                     \
		UPSTREAM_RESERVATION, "reservation"),                                    \
	    UPSTREAM_ADDRESS(type, member, "ONRUSH_QUEUE_URL", UPSTREAM_QUEUE, "queue"), \
	    { "ONRUSH_UPSTREAM_CONNS", CONF_INT, offsetof(type, member.max_conns),       \
		    "256", 1, 65536, "Connections to each service, in total." },         \
	    { "ONRUSH_UPSTREAM_QUEUE", CONF_INT, offsetof(type, member.max_queue),       \
		    "16384", 1, 1000000,                                                 \
		    "Requests that may wait for a connection to each service, in "       \
		    "total; more are refused." },                                        \
	    { "ONRUSH_UPSTREAM_QUEUE_MS", CONF_MS, offsetof(type, member.queue_us),      \
		    "2000", 1, 5000, "How long a request may wait for a connection." },  \
	    { "ONRUSH_UPSTREAM_CONNECT_MS", CONF_MS, offsetof(type, member.connect_us),  \
		    "1000", 1, 5000, "How long connecting may take." },                  \
	{                                                                                \
		"ONRUSH_UPSTREAM_RESPONSE_MS", CONF_MS,                                  \
		    offsetof(type, member.response_us), "10000", 1, 15000,               \
		    "From a request sent to its complete answer."                        \
	}

enum {
	UPSTREAM_MAX_RESPONSE = 1 << 18, /* bytes of a body that is kept; others stream */
};

/* An unused connection is closed before the service's own idle timeout closes it. */
#define UPSTREAM_IDLE_US (60 * CLOCK_US_PER_SEC)

/* Services that stream say something every 15 seconds, if only that they are there. */
#define UPSTREAM_STREAM_US (60 * CLOCK_US_PER_SEC)

struct upstream_metrics;

struct upstream {
	const char *name;                 /* static: "coupon" */
	const char *address;              /* borrowed from the settings */
	struct httpc *pool;               /* owned; NULL: absent */
	struct upstream_metrics *metrics; /* borrowed; all workers' */
	size_t conns, busy, queued;       /* as last counted into the gauges */
};

/* Registers the metrics of all services; once, before the workers start. */
void upstream_register(void);

/* Makes the pool of one of `workers` workers. False, with an error logged, when the
 * address cannot be used. */
bool upstream_init(struct upstream *up, enum upstream_id id,
    const struct upstream_settings *settings, struct loop *loop, int workers) MUST_USE;
void upstream_fini(struct upstream *up);

/* Counts a call that ended so. */
void upstream_count(struct upstream *up, enum err err, int64_t took_us);

/* Brings the gauges up to date. */
void upstream_observe(struct upstream *up);

#endif
