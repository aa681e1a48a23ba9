/*
 * The HTTP/1.1 client: a bounded pool of keep-alive connections to one server, and a
 * queue with a deadline and priorities in front of it. Bounding the connections and
 * queueing is what keeps throughput at thousands of clients (measured:
 * docs/architecture.md).
 */
#ifndef ONRUSH_HTTP_HTTPC_H
#define ONRUSH_HTTP_HTTPC_H

#include "app/loop.h"
#include "base/err.h"
#include "base/str.h"
#include "http/http_parse.h"
#include "http/rq.h"

struct httpc;

struct httpc_conf {
	const char
	    *address;     /* "127.0.0.1:8081" or a name, resolved when the pool is made */
	size_t max_conns; /* 256 */
	size_t max_queue; /* requests that wait; more get ERR_OVERLOAD */
	int64_t queue_us; /* how long one may wait; then ERR_OVERLOAD */
	int64_t connect_us;  /* then ERR_UNAVAILABLE */
	int64_t response_us; /* from sent to complete; then ERR_TIMEOUT */
	int64_t stream_us; /* between two pieces of a streamed response; then ERR_TIMEOUT;
			    * 0: as response_us, for who asks for no stream */
	int64_t idle_us;   /* an unused connection is closed; less than the server's */
	size_t max_response; /* bytes of a body that is kept; more is streamed or
			      * ERR_BAD_GATEWAY */
};

struct call;

/* Who has the rest of a request's body. */
struct httpc_source {
	/* What was given so far is on its way: the next piece may come, by httpc_write or
	 * httpc_finish. First called when a connection has taken the head and `body`, and
	 * then each time that httpc_write has said false; from the loop, and never once
	 * the callback was called. The call is borrowed until then. */
	void (*room)(void *arg, struct call *call);
};

/* Who goes first when calls wait, and who is refused first when too many do. */
enum httpc_priority {
	HTTPC_NORMAL,
	HTTPC_HIGH,
	HTTPC_LOW,
};

enum {
	HTTPC_PRIORITIES = 3,
};

/* Everything is borrowed until the callback was called. */
struct httpc_request {
	enum http_method method;
	str target; /* path and query */
	str host;   /* empty: the address of the pool, "localhost" for a path */
	const struct http_header *headers; /* no framing and no hop-by-hop fields */
	size_t header_count;
	str body; /* p == NULL: no body, no Content-Length */
	const struct httpc_source
	    *source; /* has what follows `body`, which is not NULL then; NULL: none */
	void *source_arg;
	int64_t length; /* with a source: of the whole body; -1: nobody knows it */
	str upgrade;    /* a protocol that is asked for (RFC 9110, 7.8); empty: none.
			 * A response with status 101 then has `more`, and what follows
			 * it both ways are bytes: httpc_write sends some, the source's
			 * `room` tells when to go on, no time-out runs, and max_conns
			 * does not count the connection */
	enum httpc_priority priority;
	bool repeatable; /* may be sent again when a kept-alive connection turns out dead
			  * before a byte of the response came: GET, or with a key */
	bool streamed;   /* a body that is longer than max_response, or whose length
			  * nobody knows, may come in pieces: see httpc_response */
};

/* Borrowed until the callback or step returns. */
struct httpc_response {
	const struct http_head *head;
	str body;        /* all of it, or with `more` what came so far */
	int64_t sent_us; /* when the request was sent, by clock_mono_us; 0: its body came
			  * in pieces, and how long that took is not the server's doing */
	struct call *more; /* the rest comes to who calls httpc_follow before the callback
			    * or step returns; if nobody does, the connection is closed */
};

/* Who takes the pieces of a response; called from the loop. */
struct httpc_sink {
	void (*piece)(void *arg, str bytes);
	/* Once, the last: ERR_OK, or why the rest does not come: ERR_TIMEOUT,
	 * ERR_BAD_GATEWAY, ERR_DRAINING. */
	void (*end)(void *arg, enum err err);
};

/* err is ERR_OK and response set, or why there is none: ERR_UNAVAILABLE (never sent),
 * ERR_OVERLOAD (never sent), ERR_TIMEOUT, ERR_BAD_GATEWAY (sent; unknown what happened).
 */
typedef void httpc_cb(void *arg, enum err err, const struct httpc_response *response);

/* NULL, with an error logged, when the address cannot be resolved. */
struct httpc *httpc_new(struct loop *loop, const struct httpc_conf *conf);
void httpc_free(struct httpc *c); /* pending requests get ERR_DRAINING; NULL is fine */

/* Sends now or queues. cb is called exactly once, from the loop, never before this
 * returns. */
void
httpc_send(struct httpc *c, const struct httpc_request *request, httpc_cb *cb, void *arg);

/*
 * The next piece of the request's body; false: give no more before the source's `room`.
 * What follows an answer, or a connection that takes nothing any more, is thrown away. An
 * answer that comes before the body has ended ends the call and its connection.
 */
bool httpc_write(struct call *call, str bytes);
/* The body is complete: as long as was said. */
void httpc_finish(struct call *call);
/* The rest of the body does not come: closes the connection, so that nobody takes what
 * was sent for a request. The callback gets err, which is not ERR_OK. */
void httpc_abort(struct call *call, enum err err);

/* At most so many calls may wait for the server's answer from now on, 1 and up; those
 * that stream do not count. max_conns at first, and never more than that. */
void httpc_set_limit(struct httpc *c, size_t limit);

void httpc_follow(struct call *call, const struct httpc_sink *sink, void *arg);
/* Reads nothing more until httpc_resume: the server has to wait. */
void httpc_pause(struct call *call);
void httpc_resume(struct call *call);
/* The rest is not wanted: closes the connection; nothing is called any more. */
void httpc_stop(struct call *call);

/* How many are connected, busy and waiting: for metrics and tests. */
void httpc_stats(const struct httpc *c, size_t *conns, size_t *busy, size_t *queued);

/* The same for a step; the next one sees rq->err and rq->http. */
rq_next rq_http(struct rq *rq, rq_step *next, struct httpc *c,
    const struct httpc_request *request) MUST_USE;

#endif
