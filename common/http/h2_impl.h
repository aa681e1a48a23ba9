/*
 * What the files of HTTP/2 share and nobody else includes.
 *
 *   httpd ──> h2_host: time-outs, spare streams, options
 *   conn (CONN_H2) ──> h2: the session ──> h2_stream, one per request
 *                                             is an asker <──> exchange
 *
 *   h2.c         the session: what its frames do, floods, its end
 *   h2_stream.c  a request on a stream
 *   h2_answer.c  its answer
 *   httpd_h2.c   a connection while it speaks HTTP/2
 *   h2_head.c    heads; h2_rules.c: how often is too often
 *
 * Frames, HPACK and the states of streams are nghttp2's. Its callbacks may queue frames
 * but never send or receive. What they find out is told to exchanges at once, except what
 * follows from sending, or from a call of an exchange: that is done when the session is.
 */
#ifndef ONRUSH_HTTP_H2_IMPL_H
#define ONRUSH_HTTP_H2_IMPL_H

#include <nghttp2/nghttp2.h>

#include "http/h2_head.h"
#include "http/h2_rules.h"
#include "http/httpd_impl.h"

enum {
	H2_MAX_STREAMS = 100,     /* of a connection, at once */
	H2_WINDOW = 65535,        /* bytes of a body that may come unasked, per stream */
	H2_CONN_WINDOW = 1 << 20, /* the same, per connection */
	H2_OUT_HIGH = 65536,      /* bytes of frames that wait for the client at most */
	H2_STEP = 16384,          /* bytes that a client has one write timeout for */
};

/* Of a worker's server, for all its connections. */
struct h2_host {
	struct loop_waits *bodies, *writes, *notices; /* owned; time-outs of streams */
	nghttp2_option *option;                       /* owned */
	nghttp2_session_callbacks *callbacks;         /* owned */
	LIST_HEAD(, h2_stream) spares;                /* owned */
	size_t spare_count;
	struct counter *conns, *floods; /* for ever */
};

/* How far a connection is on its way out (RFC 9113, 6.8). */
enum h2_leaving {
	H2_STAYS,
	H2_NOTICED, /* the client was asked to send no more; what is on its way is taken
		     */
	H2_LEAVES,  /* and was told which request is the last */
};

struct h2 {
	struct conn *conn;              /* borrowed: owns this */
	struct h2_host *host;           /* borrowed */
	nghttp2_session *session;       /* owned */
	LIST_HEAD(, h2_stream) streams; /* owned */
	TAILQ_HEAD(, h2_stream) due; /* those of `streams` that have something to tell */
	struct h2_head head;         /* the one that comes */
	bool in_head;                /* it is not complete */
	bool begun;                  /* a head has begun since the flag was cleared */
	int32_t last_id;             /* of a request, so far */
	struct h2_pace resets, idle_frames;
	enum h2_leaving leaving;
	struct loop_wait notice; /* in H2_NOTICED */
	uint64_t given;          /* bytes of bodies, for all streams */
	size_t owed;             /* bytes that the client has to take in the time-out */
};

struct h2_stream {
	struct asker asker;
	LIST_ENTRY(h2_stream) link; /* of the session's or of the spare ones */
	TAILQ_ENTRY(h2_stream) due_link;
	struct h2 *h2;         /* borrowed */
	struct exchange *x;    /* borrowed; NULL once answered */
	struct buf in;         /* of the request's body, while its follower has to wait */
	struct buf out;        /* of the answer's, not in frames yet */
	struct loop_wait wait; /* for the body, then for the client to take the answer */
	uint64_t given_before; /* what `given` was when the wait began */
	size_t owed;           /* as above */
	int32_t id;
	bool arrived;   /* the request is complete */
	bool answering; /* its answer has begun */
	bool ended;     /* nothing more comes into `out` */
	bool deferred;  /* the session waits for more in `out` */
	bool full;      /* told the writer to wait */
	bool roomy;     /* may tell the writer to go on */
	bool due;       /* in `due` */
};

/* h2.c */
struct h2_host *h2_host_new(struct httpd *httpd);
void h2_host_free(struct h2_host *host); /* after all its sessions; NULL is fine */
struct h2 *h2_new(struct conn *c);
/* Lets go of its exchanges: nothing is sent or received any more. */
void h2_abandon(struct h2 *h2);
void h2_free(struct h2 *h2); /* NULL is fine */
/* Takes what was received. False: what comes is not HTTP/2, and only h2_fill may follow.
 */
bool h2_take(struct h2 *h2, str bytes);
/* Appends frames while there are some and `out` is below H2_OUT_HIGH, then tells
 * exchanges what there is to tell. */
void h2_fill(struct h2 *h2, struct buf *out);
/* Has it frames to send? */
bool h2_has_more(const struct h2 *h2);
/* It neither sends nor takes anything any more. */
bool h2_is_over(const struct h2 *h2);
bool h2_is_idle(const struct h2 *h2); /* no request is under way */
/* Ends as RFC 9113, 6.8 says: requests that are on their way are still taken. */
void h2_drain(struct h2 *h2);
/* Ends at once; `code` of RFC 9113, 7. */
void h2_end(struct h2 *h2, uint32_t code);
/* Counts what costs and brings nothing; too often ends the session. */
void h2_count_reset(struct h2 *h2);

/* h2_stream.c */
/* The head of a new request is complete. */
void h2_stream_begin(struct h2 *h2, int32_t id, bool whole);
void h2_stream_body(struct h2_stream *s, str bytes);
void h2_stream_arrived(struct h2_stream *s);
/* Its turn of those that are due. */
void h2_stream_tell(struct h2_stream *s);
/* The session is done with it. */
void h2_stream_close(struct h2_stream *s);
/* Lets go of its exchange. */
void h2_stream_abandon(struct h2_stream *s);
void h2_stream_on_body_wait(struct loop_wait *w);
void h2_stream_free(struct h2_stream *s);
/* It has something to tell when the session is done. */
void h2_stream_be_due(struct h2_stream *s);
/* Its body has a follower now, who must wait or goes on. */
void h2_stream_on_flow(struct asker *asker, struct exchange *x);

/* h2_answer.c */
extern const struct asker_ops h2_stream_asker;
/* "100 Continue" */
void h2_stream_ask_for_body(struct h2_stream *s);
void h2_stream_on_write_wait(struct loop_wait *w);

#endif
