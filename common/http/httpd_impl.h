/*
 * What the files of the server share and nobody else includes.
 *
 *   httpd ─owns─┬─> listener, one per address
 *               ├─> conn ──(while it serves one)──> exchange ─ is ─> rq, for the steps
 *               │   is an asker <─── NULL once answered ──┘
 *               └─> slot, one per route: deadline, metrics
 *
 *   httpd.c         the server: its parts, draining, its end
 *   httpd_listen.c  listening and accepting
 *   httpd_share.c   to which worker a connection goes
 *   wire.c          a connection's bytes
 *   httpd_conn.c    a connection's state; receiving, sending, closing
 *   httpd_opening.c what comes before the first request
 *   httpd_pace.c    cutting slow clients
 *   httpd_read.c    from bytes of HTTP/1.1 to a request
 *   httpd_admit.c   from a request to one that may run
 *   httpd_route.c   which route, who may call it, its metrics
 *   rq.c            steps: running, waiting, the deadline
 *   httpd_answer.c  from an outcome to an answer
 *   httpd_body.c    bodies in pieces
 *   httpd_stream.c  answers in pieces
 *   httpd_bytes.c   answers as HTTP/1.1 writes them
 *   httpd_h2.c      a connection while it speaks HTTP/2 (h2_impl.h)
 *   httpd_log.c     the access log, request ids
 *   httpd_ops.c     /healthz, /readyz, /metrics
 *
 * A connection is freed by its own job at the end of the turn. An exchange is given back
 * by rq.c when it has been answered and nothing is pending, whatever became of its
 * connection. The server itself goes when the last of both has gone.
 */
#ifndef ONRUSH_HTTP_HTTPD_IMPL_H
#define ONRUSH_HTTP_HTTPD_IMPL_H

#include <stdatomic.h>

#include "app/metrics.h"
#include "app/sendq.h"
#include "base/buf.h"
#include "http/httpd.h"
#include "http/net.h"
#include "http/wire.h"

/* --- who asks ------------------------------------------------------------------------
 */

struct exchange;

/* What an exchange answers. All is borrowed for the call. */
struct answer {
	int status;
	str type;         /* Content-Type; empty: none */
	str protocol;     /* with 101: what is spoken from then on */
	int64_t length;   /* of the body; -1: nobody knows it */
	const str *parts; /* the whole body, one after the other */
	size_t count;     /* of parts; 0 when the body follows in pieces */
};

/* The other side of an exchange: a connection of HTTP/1.1, a stream of HTTP/2. It has the
 * exchange, and the exchange has it, until `answer` or `end` is called or it goes by
 * itself; each clears its own pointer. None of these tells the exchange anything before
 * it returns. */
struct asker {
	const struct asker_ops *ops; /* borrowed, static */
};

struct asker_ops {
	/* Sends all of an answer. Its size in bytes, for the access log. */
	size_t (*answer)(
	    struct asker *asker, struct exchange *x, const struct answer *answer);
	/* Sends the head; the body follows by `write`. To HEAD nothing follows, and the
	 * exchange is not the asker's any more. */
	void (*head)(
	    struct asker *asker, struct exchange *x, const struct answer *answer);
	/* Sends a piece that is not empty. False: exchange_room will tell when to go on.
	 */
	bool (*write)(struct asker *asker, str bytes);
	/* What is to be done with the body has changed: see exchange->flow. */
	void (*flow)(struct asker *asker, struct exchange *x);
	/* After the last piece. Unless the body is whole, whoever reads it must see that.
	 */
	void (*end)(struct asker *asker, bool whole);
};

/* --- a connection --------------------------------------------------------------------
 */

enum conn_state {
	CONN_NEW,    /* not yet in any other */
	CONN_OPEN,   /* what comes before the first request is under way */
	CONN_IDLE,   /* nothing of the next request is here, or its job will look at it */
	CONN_HEAD,   /* a part of a head is in `in` */
	CONN_BODY,   /* its exchange collects the body */
	CONN_FLOW,   /* its exchange's steps are under way while the body comes */
	CONN_BUSY,   /* its exchange's steps are under way, or the answer is in the loop's
		      * queue */
	CONN_WRITE,  /* the rest of an answer is in `out` */
	CONN_STREAM, /* its exchange writes pieces into `out` */
	CONN_H2,     /* speaks HTTP/2, whatever its requests do */
	CONN_LINGER, /* said all; what still comes is thrown away until the client closes
		      */
	CONN_CLOSED, /* its job frees it */
};

/* How fast its client is: see httpd_pace.c. */
struct pace {
	struct loop_wait wait; /* to the next tick, while it is the client's turn */
	int64_t credit_us;
	int64_t at_us;  /* of the last tick, like the next two */
	uint64_t moved; /* bytes */
	bool known;     /* there was a tick */
	bool writing;   /* it has to take an answer, else to send a request */
};

struct conn {
	struct asker asker;
	LIST_ENTRY(conn) link;
	TAILQ_ENTRY(conn) shaking; /* in a TLS handshake */
	struct httpd *httpd;       /* borrowed */
	struct loop_io *io;        /* owned */
	struct exchange *x;        /* borrowed; from CONN_BODY to CONN_STREAM */
	struct h2 *h2;             /* owned; once it speaks HTTP/2 */
	struct loop_wait wait;
	struct loop_job job;       /* goes on with `in`, sends pieces, or frees */
	struct sendq_item leaving; /* an answer, in CONN_BUSY */
	struct buf in;             /* of an incomplete head, or pipelined */
	struct buf out;            /* of an answer that the client was slow to take */
	size_t scanned;            /* of the head, by the parser */
	size_t lingered;           /* bytes thrown away */
	uint64_t received, sent;   /* bytes */
	struct pace pace;
	struct wire wire;
	enum conn_state state;
	bool eof;     /* the client will send nothing more */
	bool plain;   /* speaks HTTP/1.1: had a request of it */
	bool pieces;  /* its messages have come or gone in pieces: level-triggered */
	bool last;    /* closes after the answer that is being sent */
	bool taking;  /* conn_take is on the stack and goes on by itself */
	bool secure;  /* its client came by TLS */
	bool proxied; /* in CONN_OPEN: a PROXY header is still to come */
	bool shakes;  /* in CONN_OPEN: a TLS handshake is still to come, or under way */
	bool excess;  /* beyond max_conns: only to be told so */
	bool chunked; /* in CONN_STREAM, like the next: pieces are chunks */
	bool full;    /* told the exchange to wait for room */
	char peer[NET_TEXT_SIZE];
};

/* --- a request and its answer --------------------------------------------------------
 */

enum rq_state {
	RQ_QUIET,    /* its steps have not begun */
	RQ_RUNNING,  /* a step runs and has not said what is next */
	RQ_STARTED,  /* an I/O is under way */
	RQ_WAITING,  /* in rq_wait */
	RQ_STREAM,   /* the head is answered, pieces of the body follow */
	RQ_ANSWERED, /* answered, nothing is pending */
	RQ_LATE,     /* answered for it, or given up, while an I/O is under way */
};

/* What becomes of a body that streams. */
enum flow {
	FLOW_NONE,   /* the body is complete, or does not stream */
	FLOW_CLOSED, /* nobody follows it yet */
	FLOW_OPEN,   /* is read */
	FLOW_PAUSED, /* its follower has to wait */
	FLOW_BROKEN, /* the rest does not come */
};

struct exchange {
	struct rq rq;
	struct http_head head;
	LIST_ENTRY(exchange) link;     /* of httpd's `live` or `spares` */
	struct httpd *httpd;           /* borrowed */
	struct asker *asker;           /* borrowed; NULL once answered or it is gone */
	const struct slot *slot;       /* borrowed; counted as a user of its set */
	rq_step *next;                 /* in RQ_STARTED and RQ_WAITING */
	void (*cancel)(struct rq *rq); /* in RQ_WAITING */
	struct loop_wait deadline;
	struct loop_timer *patience; /* owned; of rq_wait; made when first needed */
	struct loop_timer
	    *hurry; /* owned; of a deadline that came with the request; likewise */
	struct loop_job job;      /* of rq_not_started; tells a stream that it is gone */
	enum err job_err;         /* what the job resumes with */
	struct http_body decoder; /* in CONN_BODY and CONN_FLOW */
	struct buf body;          /* what it gave so far, or of one read */
	uint64_t received;        /* bytes of a body that streams */
	const struct rq_body_ops *follower; /* borrowed; from rq_body_follow on */
	enum flow flow;
	struct buf headers; /* of the answer, by rq_header */
	const struct rq_stream_ops
	    *stream; /* borrowed; in RQ_STREAM, like the next two */
	int status;
	size_t streamed; /* bytes */
	enum rq_state state;
	bool in_step;     /* a step is on the stack */
	bool counted;     /* its steps have begun: in httpd's under_way */
	bool expired;     /* the deadline has passed */
	bool unlogged;    /* no access log line */
	bool close_after; /* rq_close_after */
	bool retry_after; /* rq_header gave it */
};

/* --- the server ----------------------------------------------------------------------
 */

/* A socket that is listened on. */
struct listener {
	TAILQ_ENTRY(listener) link;
	struct httpd *httpd;      /* borrowed */
	struct loop_io *io;       /* owned */
	struct loop_timer *pause; /* owned; until accepting is tried again */
	int fd;                   /* owned */
	bool tls;                 /* its connections begin with a handshake */
	bool proxied;             /* before that, with a PROXY header */
};

/* A connection that was accepted; the descriptor is whose the arrival is. */
struct arrival {
	int fd;
	bool tls, proxied; /* as its listener says */
	struct sockaddr_storage from;
};

/* Connections before their first request. */
struct opening {
	struct tls *tls;            /* had; NULL: none */
	struct loop_waits *waits;   /* owned; for all of the opening */
	TAILQ_HEAD(, conn) shaking; /* borrowed; the oldest first */
	size_t shaking_count;
	int64_t turn_us, spent_us; /* this turn of the loop, and on handshakes in it */
	/* For ever. */
	struct counter *shaken[2][2]; /* by version (1.2, 1.3) and resumption */
	struct counter *left, *refused, *crowded, *late; /* handshakes */
	struct counter *silent;                          /* before a handshake */
	struct counter *strangers, *headless;            /* without a PROXY header */
};

/* A route and what the server keeps of it. */
struct slot {
	struct route_set *set;       /* borrowed; that it belongs to */
	const struct route *route;   /* borrowed */
	rq_step *first;              /* NULL: answers 404 or 405 */
	struct loop_waits *deadline; /* borrowed from the set */
	struct counter *by_class[6]; /* for ever; 2xx at 2 … 5xx at 5, 1xx for tunnels */
	struct histogram *seconds;   /* for ever */
	bool always;                 /* answers under overload too */
	bool rest;                   /* its last param is all that is left of the path */
};

/* The routes of a server at a time. A request that takes one of them keeps them all. */
struct route_set {
	struct loop *loop;  /* borrowed */
	struct slot *slots; /* owned: built-in, the program's, the last is for what none
			     * matches */
	size_t slot_count;
	size_t ops;                    /* of them, the first, are built-in */
	const struct slot *preflight;  /* one of them; NULL: there are none */
	struct path_tree *tree;        /* owned; of indices into slots */
	struct loop_waits **deadlines; /* owned; one per length, at most slot_count */
	size_t deadline_count;
	struct httpd_routes source; /* of the program's */
	size_t users;               /* requests, and the server while these are its */
	struct loop_job job;        /* frees */
};

struct httpd_metrics { /* all for ever */
	struct gauge *conns, *requests;
	struct counter *refused_conns, *refused_requests, *malformed;
	struct counter *slow_head, *slow_body, *slow_write;
	struct counter *timeout_head, *timeout_body, *timeout_write, *timeout_deadline;
};

struct httpd {
	struct worker *worker; /* borrowed */
	struct httpd_conf conf;
	struct httpd_metrics metrics;

	TAILQ_HEAD(, listener) listeners; /* owned */
	struct loop_waits *heads; /* owned, like the next five: time-outs of conns */
	struct loop_waits *bodies, *idles, *writes, *lingers, *drains;
	struct loop_waits *paces; /* owned; NULL: no rate is too slow */
	struct opening opening;
	LIST_HEAD(, conn) conns; /* owned */
	size_t conn_count;       /* without the excess */
	size_t excess_count;
	atomic_size_t load;       /* all of these, and those that were given to it */
	LIST_ENTRY(httpd) member; /* while it shares, like the next: under its lock */
	bool shares;
	bool draining;
	bool told;                /* that it is drained */
	bool ended;               /* httpd_free was called */
	struct loop_job told_job; /* tells the worker */

	struct route_set *routes; /* owned with its users */
	struct h2_host *h2;       /* owned; NULL: HTTP/2 is not spoken */

	LIST_HEAD(, exchange) live;   /* owned */
	LIST_HEAD(, exchange) spares; /* owned; for the next requests */
	size_t spare_count;
	size_t under_way; /* requests whose steps have begun */

	char *scratch;         /* owned; what one read takes */
	struct buf out;        /* one answer */
	struct buf text;       /* JSON around it */
	int64_t date_until_us; /* monotonic */
	size_t date_size;
	char date[72]; /* "Server: …", "Date: …", made once per second */

	struct buf log;          /* lines of this turn */
	struct loop_job log_job; /* writes them */
	double log_share;        /* of successes, summed up: one whole is a line */
	int64_t log_second;      /* in which log_failures were written */
	unsigned log_failures, log_dropped;
	uint64_t id_high, id_next; /* of request ids */
};

/* httpd.c */
void httpd_settle(struct httpd *httpd); /* a conn or an exchange has gone */

/* httpd_listen.c */
/* False, with an error logged; listeners_close undoes what was done. */
bool listeners_open(struct httpd *httpd) MUST_USE;
/* Accepts what the kernel has accepted, and closes. */
void listeners_drain(struct httpd *httpd);
void listeners_close(struct httpd *httpd);

/* httpd_share.c */
/* From now on connections are dealt out with the others of the same settings. */
void share_join(struct httpd *httpd);
void share_leave(struct httpd *httpd); /* again is fine */
/* Gives a connection that this server accepted to whoever has fewest. */
void share_deal(struct httpd *httpd, const struct arrival *arrival);
/* One that it had, or was given, is gone. */
void share_forget(struct httpd *httpd);

/* httpd_conn.c */
enum {
	CONN_SCRATCH = 65536,
	CONN_STREAM_HIGH = 16384, /* bytes in `out` beyond which a stream has to wait */
	CONN_STREAM_LOW = 4096,   /* until so few are left */
};
/* Takes over the descriptor. False: it may not come in, and is closed. */
bool conn_new(struct httpd *httpd, const struct arrival *arrival) MUST_USE;
void conn_enter(struct conn *c, enum conn_state state);
void conn_close(struct conn *c);
/* What wire_read into the scratch has given. */
void conn_received(struct conn *c, ssize_t n);
void conn_on_wait(struct loop_wait *w);
/* Sends an answer; `last` closes after it. */
void conn_answer(struct conn *c, str bytes, bool last);
/* Reads or stops reading as the flow of its exchange's body says. */
void conn_on_flow(struct asker *asker, struct exchange *x);
/* Asks for the body. */
void conn_continue(struct conn *c);
/* Sends what is in `out` at the end of the turn; state CONN_STREAM, or the last of it. */
void conn_send_later(struct conn *c, enum conn_state state);

/* How many bytes the wire took; the connection is closed when it is broken. */
size_t conn_send(struct conn *c, str bytes);
/* All has been sent, and nothing more will be. */
void conn_finish(struct conn *c);

/* httpd_want.c */
void conn_want(struct conn *c); /* waits for what its state and its wire need */
/* How long its state may last; NULL: for ever, or something else bounds it. */
struct loop_waits *conn_patience(const struct conn *c);

/* httpd_opening.c */
void opening_init(struct httpd *httpd);
void opening_fini(struct httpd *httpd);
/* May who connects from there? Counted and logged, if not. */
bool opening_is_welcome(const struct httpd *httpd, const struct sockaddr_storage *from);
/* Goes on in CONN_OPEN, when the descriptor is ready. */
void opening_continue(struct conn *c);
void opening_timed_out(struct conn *c);
void opening_end(struct conn *c); /* CONN_OPEN is left, to be closed */

/* httpd_pace.c */
void paces_init(struct httpd *httpd);
/* The connection's state has changed, or whose turn it is. */
void conn_pace(struct conn *c);
void conn_on_pace(struct loop_wait *w);
/* Its time is over: tells the client so while that is possible, and closes. */
void conn_cut(struct conn *c);

/* httpd_read.c: takes what can be taken from `in`; how many bytes were used. */
size_t conn_take(struct conn *c, str in);
/* Answers an error to what will not be read further, and closes. */
void conn_refuse(struct conn *c, enum err err);

/* httpd_admit.c */
/* Who asks, from where, and when. */
void exchange_introduce(struct exchange *x, struct asker *asker, const struct conn *c);
/* Its head is complete: finds its route. ERR_OK, or what to answer. */
enum err exchange_open(struct exchange *x);
/* It is complete: begins its steps, or says that there are too many. */
void exchange_run(struct exchange *x);
/* Answers what is no request: its head was not understood. */
void exchange_refuse_malformed(struct exchange *x, enum err err);

/* httpd_h2.c */
extern const str conn_h2_preface; /* what a client says first (RFC 9113, 3.4) */
void conn_h2_begin(struct conn *c);
void conn_h2_take(struct conn *c, str bytes);
void conn_h2_flush(struct conn *c);
/* Flushes at the end of the turn. */
void conn_h2_later(struct conn *c);
void conn_h2_drain(struct conn *c);
void conn_h2_on_wait(struct conn *c);
unsigned conn_h2_wanted(const struct conn *c);
struct loop_waits *conn_h2_patience(const struct conn *c);

/* httpd_route.c */
void routes_init(struct httpd *httpd);
void routes_fini(struct httpd *httpd);
/* Sets slot, route and params. ERR_OK, or what to answer. */
enum err route_find(struct exchange *x);
/* The same for what is no request: the slot that nothing matches. */
void route_miss(struct exchange *x);
/* The request has ended. */
void route_put(struct exchange *x);
void route_count(const struct exchange *x, int status, int64_t took_us);

/* httpd_ops.c; the last is /metrics */
enum {
	OPS_ROUTES = 3
};
extern const struct route ops_routes[OPS_ROUTES];

/* rq.c */
struct exchange *exchange_take(struct httpd *httpd);
void exchange_put(struct exchange *x);
/* Does not count as under way any more. */
void exchange_uncount(struct exchange *x);
void exchange_begin(struct exchange *x, rq_step *first);
/* Answers instead of beginning. */
void exchange_refuse(struct exchange *x, enum err err);
/* The server ends: forgets what is pending. */
void exchange_abandon(struct exchange *x);
void exchange_on_deadline(struct loop_wait *w);
/* The deadline, of an exchange whose I/O is under way. */
void exchange_start_deadline(struct exchange *x);
void exchange_stop_deadline(struct exchange *x);
void exchange_free_spares(struct httpd *httpd);

/* httpd_answer.c: makes the answer, counts, logs and sends it. The body is its parts, one
 * after the other. */
void exchange_answer(struct exchange *x, int status, enum err err, str type,
    const str *parts, size_t count);
/* The answer of an error; an empty message means the error's own. */
void exchange_fail(struct exchange *x, enum err err, str message);

/* Does a message with this status have a body (RFC 9110, 6.4.1)? */
bool status_has_body(int status);

/* httpd_bytes.c */
extern const struct asker_ops conn_ops;
/* The value of Date, made once per second. */
str answer_date(struct httpd *httpd);

/* httpd_body.c: how a connection gives what it read of a body that streams. */
/* The steps may run with what is in x->body. */
void exchange_flow_begin(struct exchange *x);
/* A piece; only while the flow is open. */
void exchange_flow_piece(struct exchange *x, str bytes);
/* The body is complete, or why not. */
void exchange_flow_end(struct exchange *x, enum err err);

/* httpd_stream.c */
void exchange_gone(struct exchange *x); /* its connection is closed */
void exchange_room(struct exchange *x); /* the client has taken what waited */
void streams_drain(struct httpd *httpd);

/* httpd_log.c */
void log_start(struct httpd *httpd);
void
log_answer(struct exchange *x, int status, enum err err, int64_t took_us, size_t bytes);
/* Sets id and traceparent: the client's, or new ones. */
void log_identify(struct exchange *x);

static inline struct exchange *
exchange_of(struct rq *rq)
{
	return CONTAINER_OF(rq, struct exchange, rq);
}

#endif
