/*
 * The HTTP/1.1 server of one worker: a listening socket of its own (SO_REUSEPORT), its
 * connections, routing to steps, limits and timeouts, the access log.
 *
 *   listener ──> conn ──head, body──> route ──> rq ──steps──> answer ──> conn
 *
 * The servers of a program's workers, which have the same settings, deal connections out
 * among themselves: whoever accepts one gives it to the one with fewest.
 *
 * A connection serves one request at a time; pipelined bytes wait in its buffer. An
 * answer leaves in one write. A request that cannot be parsed gets the error's answer,
 * one log line, and the connection is closed.
 */
#ifndef ONRUSH_HTTP_HTTPD_H
#define ONRUSH_HTTP_HTTPD_H

#include "app/app.h"
#include "crypto/tls.h"
#include "http/rq.h"

struct httpd;

enum route_flags {
	ROUTE_ADMIN = 1,  /* needs "Authorization: Bearer <admin key>" */
	ROUTE_QUIET = 2,  /* no access log line: health checks */
	ROUTE_TUNNEL = 8, /* may answer 101: see rq_tunnel */
	ROUTE_STREAM = 4, /* takes long bodies in pieces: see rq_body_follow */
};

enum {
	HTTPD_BODY_WHOLE = 16384, /* bytes of a body that always comes whole */
};

struct route {
	enum http_method method;
	const char *pattern; /* "/coupons/{couponId}": {…} matches one segment */
	rq_step *first;
	int64_t deadline_us;
	size_t body_limit; /* bytes; 0: the call takes no body */
	unsigned flags;
};

/* The settings that a program with a server has; put HTTPD_CONF_ITEMS in its table. */
struct httpd_settings {
	const char *listen;     /* "127.0.0.1:8080", "[::]:8080"; owned by conf */
	const char *listen_too; /* another one, or "unix:/path"; "": none; likewise */
	const char *admin_key;  /* "" refuses every ROUTE_ADMIN call; owned by conf */
	int64_t
	    max_conns; /* per worker; beyond it a connection is answered 503 and closed */
	int64_t max_requests;     /* per worker, under way; beyond it 503 at once */
	int64_t head_timeout_us;  /* from the first byte to the complete head */
	int64_t body_timeout_us;  /* from the head to the complete body; of a body that
				   * streams, between two pieces */
	int64_t idle_timeout_us;  /* between requests */
	int64_t write_timeout_us; /* until the client has taken the answer */
	int64_t min_rate; /* bytes per second that a client must send or take; 0: any */
	int64_t min_rate_grace_us; /* how long it may be slower */
	double access_log; /* share of the successful requests that are logged; a status
			    * of 400 and above is always, but 403, 404, 409 and 429 count
			    * as success */
};

#define HTTPD_CONF_ITEMS(type, member, default_listen)                                   \
	{ "ONRUSH_LISTEN", CONF_STRING, offsetof(type, member.listen), default_listen,   \
		0, 0, "Address and port that are listened on." },                        \
	    { "ONRUSH_LISTEN_TOO", CONF_STRING, offsetof(type, member.listen_too), "",   \
		    0, 0,                                                                \
		    "A second address, or unix: and a path for programs on the same "    \
		    "host, which costs less than TCP; empty: none." },                   \
	    { "ONRUSH_ADMIN_KEY", CONF_SECRET, offsetof(type, member.admin_key), "", 0,  \
		    0, "Key for /admin calls; empty refuses them all." },                \
	    { "ONRUSH_MAX_CONNS", CONF_INT, offsetof(type, member.max_conns), "20000",   \
		    1, 1000000, "Open client connections per worker." },                 \
	    { "ONRUSH_MAX_REQUESTS", CONF_INT, offsetof(type, member.max_requests),      \
		    "8192", 1, 1000000,                                                  \
		    "Requests under way per worker; more are refused." },                \
	    { "ONRUSH_HEAD_TIMEOUT_MS", CONF_MS, offsetof(type, member.head_timeout_us), \
		    "5000", 10, 600000,                                                  \
		    "From a request's first byte to its complete head." },               \
	    { "ONRUSH_BODY_TIMEOUT_MS", CONF_MS, offsetof(type, member.body_timeout_us), \
		    "10000", 10, 600000,                                                 \
		    "From the head to the complete body; of a long one, between two "    \
		    "pieces." },                                                         \
	    { "ONRUSH_IDLE_TIMEOUT_MS", CONF_MS, offsetof(type, member.idle_timeout_us), \
		    "75000", 10, 3600000,                                                \
		    "How long a connection may wait between requests." },                \
	    { "ONRUSH_WRITE_TIMEOUT_MS", CONF_MS,                                        \
		    offsetof(type, member.write_timeout_us), "10000", 10, 600000,        \
		    "How long a client may take to read an answer." },                   \
	    { "ONRUSH_MIN_RATE", CONF_INT, offsetof(type, member.min_rate), "500", 0,    \
		    1000000,                                                             \
		    "Bytes per second that a client must send or take, while it is its " \
		    "turn; slower ones are cut; 0: none are." },                         \
	    { "ONRUSH_MIN_RATE_GRACE_MS", CONF_MS,                                       \
		    offsetof(type, member.min_rate_grace_us), "10000", 100, 600000,      \
		    "How long it may be slower than that." },                            \
	{                                                                                \
		"ONRUSH_ACCESS_LOG", CONF_RATIO, offsetof(type, member.access_log),      \
		    "0.01", 0, 1,                                                        \
		    "Share of the successful requests that are logged; failures always " \
		    "are."                                                               \
	}

/* What a connection may begin with before its first request. */
struct httpd_opening {
	const char *tls_listen; /* address for connections with TLS, besides
				 * settings->listen; "": none; borrowed */
	int64_t timeout_us;     /* from accepting to the end of what is below */
	/* Balancers: connections to ports are taken from these only, and each begins
	 * with a PROXY header, before any TLS. NULL: from all, and none does. */
	bool (*is_balancer)(const char *peer); /* an address, as net_text gives it */
	bool http2; /* speaks HTTP/2 with clients that ask for it: by ALPN, or on a port
		     * without TLS by its preface */
};

/* Who follows requests from their beginning to their answer. */
struct httpd_tracer {
	/* A request has come. Its traceparent is the client's (`made` is NULL), or was
	 * made here, `made` is its text, and its sampled flag is set; either may be
	 * changed. Sets rq->trace when it follows the request. */
	void (*begin)(void *arg, struct rq *rq, char *made);
	/* It was answered, or its stream has ended, `took_us` after rq->start_us. Only
	 * with rq->trace, and never for routes with ROUTE_QUIET. */
	void (*end)(
	    void *arg, const struct rq *rq, int status, enum err err, int64_t took_us);
	void *arg; /* borrowed until httpd_free */
};

struct httpd_conf {
	const struct httpd_settings *settings; /* borrowed for the server's life */
	const struct httpd_opening *opening;   /* borrowed likewise; NULL: nothing */
	const struct route *routes;            /* borrowed */
	size_t route_count;
	rq_step *fallback; /* first step for what no route matches; NULL: 404 or 405. Its
			    * requests have rq->route == fallback_route */
	const struct route *fallback_route; /* deadline, body limit and flags of those */
	void *service;                      /* becomes rq->service */
	const char *listen_setting;         /* that settings->listen comes from; NULL:
					     * ONRUSH_LISTEN; borrowed for ever */
	bool alone;      /* one worker's only: the others have none like it */
	bool no_metrics; /* do not answer /metrics */
	const struct httpd_tracer *tracer; /* borrowed until httpd_free; NULL: nobody */
	/* Called in place of worker_drained, and sees to it that that is called; NULL:
	 * worker_drained itself. */
	void (*drained)(struct worker *w);
};

/*
 * Opens all that a server of this kind listens with, for every worker. Optional: for the
 * main thread, before the process gives its privileges away. False, with an error logged.
 */
bool httpd_listen(const struct httpd_settings *settings,
    const struct httpd_opening *opening, int workers) MUST_USE;

/* Listens. NULL when it cannot, with an error logged that names the address. The routes
 * /healthz, /readyz and /metrics are always there, before all others; but /metrics can be
 * left to another server of the process. */
struct httpd *httpd_new(struct worker *w, const struct httpd_conf *conf);

/* Routes that replace the others of a server while it runs. */
struct httpd_routes {
	const struct route *const
	    *routes; /* the list is copied, each route is borrowed until `unused` */
	size_t count;
	/* May the request take this route, whose path it fits? NULL: yes. */
	bool (*fits)(const struct route *route, const struct http_head *head);
	/* What answers CORS preflights at the paths of the others; NULL: they are 405. */
	const struct route *preflight;
	/* No request has them any more; from the loop, at the end of its turn. */
	void (*unused)(void *arg);
	void *arg; /* borrowed until `unused` */
};

/* From the next request on; those that are under way keep theirs. */
void httpd_set_routes(struct httpd *httpd, const struct httpd_routes *routes);

/* Certificates and keys for the handshakes from now on; takes one user. With
 * opening->tls_listen, call it before the loop runs. */
void httpd_set_tls(struct httpd *httpd, struct tls *tls);

/* Stops listening, tells keep-alive clients with "Connection: close", closes idle
 * connections a moment later (a request may be on its way), and calls worker_drained(w),
 * from the loop, when the last request has been answered. */
void httpd_drain(struct httpd *httpd);

/* Closes everything. Requests whose I/O is still under way are forgotten: their rq_resume
 * may come later and does nothing, those in rq_wait are cancelled. NULL is fine. */
void httpd_free(struct httpd *httpd);

/* How many connections there are, and requests under way. */
void httpd_load(const struct httpd *httpd, size_t *conns, size_t *requests);

/* The port that is listened on, for ONRUSH_LISTEN with port 0. */
int httpd_port(const struct httpd *httpd);

#endif
