/*
 * A request and its steps.
 *
 *   conn ──> rq ──> step ──rq_next──> (one I/O is under way) ──> next step ──> … ──>
 * answer
 *
 * A handler is a list of steps. A step looks at the result of what the previous one
 * started, then does exactly one thing: starts one I/O and names the step that will see
 * its result, or answers. It says which by returning an rq_next, and those come only from
 * the functions below and their like in store/ and bus/ (rq_sql, rq_redis, rq_publish).
 *
 * Steps never free anything. The request, its arena and all that is in it live until it
 * has been answered and nothing is pending; then one function frees them. Each request
 * has one deadline (its route's, or an earlier one that came with it: the milliseconds of
 * X-Request-Deadline-Ms, so that nobody works for who does not wait any more). When it
 * passes while an I/O is under way, the answer is 504, or for what is not a GET 503
 * OUTCOME_UNKNOWN, and the late result is dropped; while the request waits in rq_wait,
 * its step resumes with ERR_TIMEOUT instead and must answer: there is no time for another
 * wait or I/O.
 */
#ifndef ONRUSH_HTTP_RQ_H
#define ONRUSH_HTTP_RQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/app.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "http/http_parse.h"
#include "http/path_tree.h"

struct rq;
struct redis_reply;
struct pg_result;
struct httpc_response;

/* What happens next. There is nothing in it to look at. */
typedef struct {
	int token;
} rq_next;

typedef rq_next rq_step(struct rq *rq);

enum {
	RQ_MAX_PARAMS = PATH_MAX_PARAMS
};

/* Whom a request was passed on to, for the access log and traces. In its arena. */
struct rq_behind {
	str service; /* "coupon" */
	str server;  /* the address of the last one that was tried; empty: none was */
	int tries;   /* servers that were tried */
	enum http_method method;
	str target; /* what was asked; borrowed for the request's life */
	int64_t us; /* from the call to its answer, queue and retries included; 0: none
		     * came */
	int64_t start_us; /* monotonic, like the next */
	int64_t end_us;   /* its complete answer was there, or none will come; 0: it is
			   * under way, or its answer comes in pieces */
	int status;       /* of its answer; 0: none came */
	enum err err;     /* why none came */
};

struct rq {
	/* The request. Borrowed from the connection: valid until the answer is sent. */
	const struct http_head *head;
	str path;            /* as matched */
	str body;            /* decoded from its framing; complete unless body_streams */
	bool body_streams;   /* `body` is its beginning: rq_body_follow gets the rest */
	int64_t body_length; /* of all of a body that streams; -1: nobody knows it yet */
	str params[RQ_MAX_PARAMS]; /* the pattern's {…}, in order, unescaped */
	str id;          /* X-Request-Id, taken over or made here; in the arena */
	str traceparent; /* W3C trace context that goes on with this request; in the
			  * arena, or borrowed like the head */
	void *trace;     /* the tracer's, in the arena; NULL: nobody follows it */
	str peer;    /* address of the client's side of the connection, without port */
	bool secure; /* the client came by TLS */
	const struct route *route;
	const struct rq_behind *behind; /* in the arena; NULL: it was not passed on */

	struct arena *arena;   /* owned by the request; anyone may take from it */
	struct worker *worker; /* borrowed */
	void *service;         /* borrowed: httpd_conf.service */
	void *ctx;             /* the handler's own struct, in the arena */
	int64_t start_us;      /* monotonic */
	int64_t deadline_us;   /* monotonic */

	/* The result of what the previous step started. Borrowed until the step returns.
	 */
	enum err err; /* ERR_OK, or why there is no result */
	const struct pg_result *pg;
	const struct redis_reply *redis;
	const struct httpc_response *http;
	void *result; /* of rq_wait and rq_join: what the waker passed */
};

/* --- answers -------------------------------------------------------------------------
 */

/* 200 with {"code":200,"message":"OK","data":<data>}; data is JSON text. */
rq_next rq_ok(struct rq *rq, str data) MUST_USE;
/* The same with another status below 300, such as 201 or 202. */
rq_next rq_ok_status(struct rq *rq, int status, const char *message, str data) MUST_USE;
/* {"code":…,"error":…,"message":…} from err.def, with Retry-After where it says RETRY. */
rq_next rq_fail(struct rq *rq, enum err err) MUST_USE;
/* The same with a sentence of its own, which may quote nothing that came from outside. */
rq_next rq_fail_because(struct rq *rq, enum err err, const char *fmt, ...)
    PRINTF_LIKE(3, 4) MUST_USE;
/* Any status and content type: metrics, pages, relayed answers. */
rq_next rq_reply(struct rq *rq, int status, str content_type, str body) MUST_USE;

/* Adds a header to the answer; call before answering. Name and value must be valid;
 * a value with CR, LF or NUL is a bug of the caller. */
void rq_header(struct rq *rq, str name, str value);
/* Closes the connection after this answer. */
void rq_close_after(struct rq *rq);

/* --- streamed answers ----------------------------------------------------------------
 */

/*
 * An answer whose body comes in pieces: server-sent events, or what another server sends
 * and is too long to be kept. rq_stream sends the head; from then on the request has no
 * deadline, and lives until rq_stream_end or `gone`, whichever is first. All three are
 * called from the loop, never before a function below has returned.
 */
struct rq_stream_ops {
	/* After rq_stream_write said false: the client has taken it, write on. */
	void (*room)(struct rq *rq);
	/* The client has left, or takes less than 64 KB in the server's write timeout, or
	 * the server ends: forget the request. */
	void (*gone)(struct rq *rq);
	/* The server drains: end soon. NULL: the answer may take its time. */
	void (*drain)(struct rq *rq);
};

/* `length` is the body's in bytes, -1 if nobody knows it. To HEAD only the head is sent,
 * and `gone` follows. */
rq_next rq_stream(struct rq *rq, int status, str content_type, int64_t length,
    const struct rq_stream_ops *ops) MUST_USE;
/* Sends a piece, at the end of the turn; false: write no more before `room`. */
bool rq_stream_write(struct rq *rq, str bytes);
/* Ends the answer; the request is not there any more. Unless the body is whole the
 * connection is reset, so that nobody takes it for whole. */
void rq_stream_end(struct rq *rq, bool whole);

/* --- streamed bodies -----------------------------------------------------------------
 */

/*
 * On a route with ROUTE_STREAM a request with a longer body than HTTPD_BODY_WHOLE runs
 * its steps when so much of it is here. The rest is left with the client until somebody
 * follows it. An answer before the body has ended is right at any time: it ends the body,
 * and the connection after it. While the body comes the request's deadline does not run;
 * it begins with the body's end. Both are called from the loop, never before a function
 * below has returned, and never once the request is answered.
 */
struct rq_body_ops {
	/* The next piece, at most 64 KB; may come once more after rq_body_pause. */
	void (*piece)(struct rq *rq, str bytes);
	/* The last: ERR_OK, the body is complete; or what to answer to who is still
	 * there: ERR_BAD_REQUEST (malformed, or the client has left), ERR_TOO_LARGE,
	 * ERR_TIMEOUT_REQUEST. */
	void (*end)(struct rq *rq, enum err err);
};

/* Takes the rest of the body from now on; rq->body is not there any more. From the loop,
 * while an I/O of the request is under way. False: it will not come, since the client has
 * left or the request is answered. */
bool rq_body_follow(struct rq *rq, const struct rq_body_ops *ops) MUST_USE;
/* Reads no more until rq_body_resume: the client has to wait. */
void rq_body_pause(struct rq *rq);
void rq_body_resume(struct rq *rq);

/*
 * Switches to another protocol (RFC 9110, 7.8): 101 is answered with what rq_header gave,
 * and from then on rq_stream_write and the piece of `from_client` carry bytes, until
 * rq_stream_end, which closes the connection, or `gone`; the `end` of `from_client` is
 * never called. rq_body_pause and rq_body_resume hold. Only on a route with ROUTE_TUNNEL,
 * for a request of HTTP/1.1 without a body.
 */
rq_next rq_tunnel(struct rq *rq, str protocol, const struct rq_stream_ops *ops,
    const struct rq_body_ops *from_client) MUST_USE;

/* --- waiting -------------------------------------------------------------------------
 */

/*
 * Waits for something that may never come: at the latest when the request's deadline or
 * `patience_us` (0: only the deadline) passes, `cancel` is called (the waker forgets the
 * request) and the step resumes with ERR_TIMEOUT. The waker calls rq_wake.
 */
rq_next rq_wait(struct rq *rq, rq_step *next, int64_t patience_us,
    void (*cancel)(struct rq *rq)) MUST_USE;

/* Ends an rq_wait: the step runs now, with rq->err and rq->result set. */
void rq_wake(struct rq *rq, enum err err, void *result);

/* Goes on with the next step at once; for a handler that shares steps with another. */
rq_next rq_goto(struct rq *rq, rq_step *next) MUST_USE;

/* --- for the makers of rq_… functions in http/, store/ and bus/ -----------------------
 */

/* An I/O was started; rq_resume will be called exactly once, not before this returns to
 * the loop. */
rq_next rq_started(struct rq *rq, rq_step *next) MUST_USE;
/* The I/O could not be started (queue full, store down): the next step will see err, from
 * the loop. */
rq_next rq_not_started(struct rq *rq, rq_step *next, enum err err) MUST_USE;
/* The I/O ended. The caller has set rq->pg, rq->redis or the like; they are cleared after
 * the step. */
void rq_resume(struct rq *rq, enum err err);

#endif
