/*
 * The gateway: the one door. It matches a request to its route, rewrites the path, and
 * forwards what it understood (never the bytes that came) to a server of the service
 * behind.
 *
 *   worker ──> gateway ──> outlet (upstream) … ──> servers ──> pools (httpc)
 *                 │  └───> adopted ──> route_table …  (the newest; older ones until their
 *                 │                                    last request has ended)
 *                 └──> httpd ──> visit: guards ──> forward ──upstream_send──> relay
 *
 * It decides nothing about a sale and keeps nothing between requests.
 */
#ifndef ONRUSH_GATEWAY_GATEWAY_H
#define ONRUSH_GATEWAY_GATEWAY_H

#include <sys/queue.h>

#include "app/app.h"
#include "gateway/edge/balancers.h"
#include "gateway/edge/certificates.h"
#include "gateway/limits/limits.h"
#include "gateway/edge/compress.h"
#include "gateway/edge/cors.h"
#include "gateway/edge/forwarded.h"
#include "gateway/identity/identity.h"
#include "gateway/passes/passes.h"
#include "gateway/routes/routes.h"
#include "gateway/trace/trace.h"
#include "gateway/forward/tunnel.h"
#include "gateway/upstream/upstream.h"
#include "gateway/views.h"
#include "http/httpd.h"

enum {
	GATEWAY_QUEUE = 3,    /* of the settings: the queue service's */
	GATEWAY_SERVICES = 4, /* that have a setting of their own */
};

struct gateway_settings {
	struct app_settings app; /* first: see app_desc */
	struct httpd_settings http;
	struct certificates_settings tls;
	struct balancers_settings balancers;
	struct upstream_settings upstream;
	struct passes_settings passes;
	struct limits_settings limits;
	struct identity_settings identity;
	struct cors_settings cors;
	struct forwarded_settings forwarded;
	struct tunnel_settings tunnel;
	struct compress_settings compress;
	struct trace_settings trace;
	const char *admin_listen; /* "": none; owned by conf */
	const char *user;         /* "": stays; owned by conf */
	bool sandbox;
	const char *routes;                    /* a path; "": built in; owned by conf */
	const char *servers[GATEWAY_SERVICES]; /* owned by conf */
};

/* The names of the settings that are in `servers`. */
extern const char *const gateway_service_settings[GATEWAY_SERVICES];

#define GATEWAY_SERVERS(name, i, service)                                                \
	{                                                                                \
		name, CONF_STRING, offsetof(struct gateway_settings, servers[i]), "", 0, \
		    0,                                                                   \
		    "Servers of the " service                                            \
		    " service: \"host:port, host:port weight=2, srv:name\"; empty: "     \
		    "there are none."                                                    \
	}

#define GATEWAY_CONF_ITEMS                                                               \
	{ "ONRUSH_ADMIN_LISTEN", CONF_STRING,                                            \
		offsetof(struct gateway_settings, admin_listen), "127.0.0.1:8070", 0, 0, \
		"Address and port of /admin and /metrics; empty: no /admin, and "        \
		"/metrics where clients are." },                                         \
	    { "ONRUSH_USER", CONF_STRING, offsetof(struct gateway_settings, user), "",   \
		    0, 0,                                                                \
		    "Whom the process becomes once it listens, when it is started as "   \
		    "root; empty: nobody else." },                                       \
	    { "ONRUSH_SANDBOX", CONF_BOOL, offsetof(struct gateway_settings, sandbox),   \
		    "on", 0, 0,                                                          \
		    "Whether it gives up files, programs and system calls that it does " \
		    "not need once it listens." },                                       \
	    { "ONRUSH_ROUTES", CONF_STRING, offsetof(struct gateway_settings, routes),   \
		    "", 0, 0,                                                            \
		    "Path of the route file, which SIGHUP loads again; empty: the one "  \
		    "that "                                                              \
		    "is built in." },                                                    \
	    GATEWAY_SERVERS("ONRUSH_COUPON_URL", 0, "coupon"),                           \
	    GATEWAY_SERVERS("ONRUSH_ORDER_URL", 1, "order"),                             \
	    GATEWAY_SERVERS("ONRUSH_RESERVATION_URL", 2, "reservation"),                 \
	    GATEWAY_SERVERS("ONRUSH_QUEUE_URL", GATEWAY_QUEUE, "queue")

/* A service as the worker's requests find it. */
struct outlet {
	LIST_ENTRY(outlet) link;
	const struct service *service; /* borrowed from the tables that have it */
	struct upstream *upstream;     /* owned */
	size_t tables;                 /* adopted ones that have the service */
};

/* What one worker has. */
struct gateway {
	struct worker *worker;       /* borrowed */
	LIST_HEAD(, outlet) outlets; /* owned */
	struct passes *passes;       /* owned; NULL: nobody needs one */
	struct limits *limits;       /* owned */
	struct identity *identity;   /* owned; NULL: everybody is believed */
	struct tunnels *tunnels;     /* owned */
	struct compress *compress;   /* owned; NULL: answers go as they are */
	struct trace *trace;         /* owned; NULL: nobody is told of requests */
	struct httpd *httpd;         /* owned; NULL once the worker has ended */
	struct loop_timer *observe;  /* owned; brings what is seen up to date */
	struct view view;            /* to be published next */
	uint64_t version;            /* of the routes that were adopted last */
	uint64_t tls_version;        /* of the certificates */
	size_t adopted;              /* tables that some request may have */
	const struct gateway_settings *settings; /* borrowed */
};

/* Takes the routes in force over, if they are not the ones it has; false, with an error
 * logged, when a server cannot be used. */
bool gateway_adopt(struct gateway *gw);
/* Frees it, now or when the last of its tables is not used any more. */
void gateway_free(struct gateway *gw);

/* NULL: the service has no servers here. */
struct upstream *
gateway_upstream(const struct gateway *gw, const struct service *service);

/* Forwards a request: the last step of a visit (visit.h), which rq->ctx is. rq->service
 * is the worker's struct gateway. */
rq_step gateway_forward;

/* What to tell a client when the service gave no answer. A call that may have taken
 * effect is reported as unknown: neither as failed nor as done. */
enum err gateway_outcome(enum err err, bool safe);

#endif
