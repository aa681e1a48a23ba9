/*
 * What the files of the HTTP client share and nobody else includes.
 *
 *   httpc ─owns─┬─> call ──(while it is served)──> peer ─> socket
 *               │     └── in `queue`, or in `over` until its callback is called
 *               └─> peer: the idle ones are a stack, the last used is used first
 *
 *   httpc.c       the pool: which call goes to which connection, and when it is given up
 *   httpc_queue.c   calls that wait for a connection
 *   httpc_stream.c  a call whose response comes in pieces
 *   httpc_bytes.c   requests as they are written
 *   httpc_upload.c  a call whose body comes in pieces
 *   httpc_peer.c  one connection: connecting, sending, receiving
 *
 * A connection tells the pool what became of it and never touches another one. It is
 * freed by its job at the end of the turn, a call after its callback has returned.
 */
#ifndef ONRUSH_HTTP_HTTPC_IMPL_H
#define ONRUSH_HTTP_HTTPC_IMPL_H

#include <sys/queue.h>

#include "app/sendq.h"
#include "base/buf.h"
#include "http/httpc.h"
#include "http/net.h"

enum {
	HTTPC_SCRATCH = 65536, /* what one read takes */
	HTTPC_ADDRS = 8,
};

/* A request and who waits for its response. */
struct call {
	TAILQ_ENTRY(call) link; /* of queue, over or spares */
	struct httpc *client;   /* borrowed */
	struct httpc_request request;
	httpc_cb *cb;
	const struct httpc_sink *sink; /* borrowed; once its response is streamed */
	void *arg;             /* borrowed until cb was called, or the sink's end */
	struct peer *peer;     /* borrowed; while it is served */
	int64_t sent_us;       /* see httpc_response */
	struct loop_wait wait; /* in the queue, then for the response; not while a source
				* has to give the next piece */
	uint64_t left;         /* bytes that the source has to give, when that is known */
	enum err err;          /* in `over` */
	bool again;            /* was taken back from a connection that was dead */
};

enum peer_state {
	PEER_CONNECTING,
	PEER_IDLE,
	PEER_BUSY,
	PEER_CLOSED, /* its job frees it */
};

struct peer {
	LIST_ENTRY(peer) link;     /* of `idle` or `others` */
	struct httpc *client;      /* borrowed */
	struct loop_io *io;        /* owned */
	struct call *call;         /* borrowed; in PEER_BUSY, until it is answered */
	struct loop_wait wait;     /* connecting or idle */
	struct loop_job job;       /* frees; before that, asks the source */
	struct sendq_item leaving; /* a request, in PEER_BUSY */
	struct buf out;  /* of the request: what the socket did not take at once */
	struct buf in;   /* what came and cannot be taken yet */
	struct buf head; /* of the response, when its body comes in pieces */
	struct buf body; /* what came of it */
	struct http_body decoder;
	size_t scanned; /* of the head, by the parser */
	int fd;
	enum peer_state state;
	bool used;       /* has answered before: may be dead without our knowing */
	bool sent_any;   /* of this request */
	bool heard;      /* any byte of this response */
	bool has_head;   /* in `head`; the body is coming */
	bool streams;    /* what came of the body has been given to the call's sink */
	bool awaited;    /* counts in awaited_count */
	bool paused;     /* the sink takes nothing now */
	bool pieces;     /* messages have come or gone in pieces: level-triggered */
	bool keep_alive; /* says the head of what is streamed */
	bool uploads;    /* the body has not ended: its source has the rest */
	bool starved;    /* the source is to be asked when `out` is empty */
	bool tunnel;     /* has switched to another protocol */
	bool deaf;       /* takes nothing any more, but may have answered */
};

TAILQ_HEAD(call_list, call);
LIST_HEAD(peer_list, peer);

struct httpc {
	struct loop *loop; /* borrowed */
	struct httpc_conf conf;
	str host; /* borrowed from conf.address; of requests that name none */
	struct net_addr addrs[HTTPC_ADDRS];
	size_t addr_count;
	size_t addr;           /* that is used */
	size_t failures;       /* to connect, one after the other */
	int64_t down_until_us; /* every address failed: no new attempt before */

	struct call_list queues[HTTPC_PRIORITIES]; /* owned; the first came first */
	struct call_list over;         /* owned; their callbacks are due, with an error */
	struct call_list spares;       /* owned; for the next calls */
	struct peer_list idle, others; /* owned */
	size_t queue_count, spare_count;
	size_t conn_count; /* all that are not closed, without the tunnels */
	size_t tunnel_count;
	size_t connecting_count; /* of those */
	size_t idle_count;
	size_t awaited_count; /* busy, and have not begun to answer */
	size_t limit;         /* of those */
	size_t peer_count;    /* with those whose job has yet to free them */

	struct loop_waits *queue_waits, *response_waits; /* owned */
	struct loop_waits *connect_waits, *idle_waits;   /* owned */
	struct loop_waits *stream_waits;                 /* owned */
	struct loop_job over_job;                        /* calls back what is over */
	struct loop_job pump_job; /* opens connections for what waits */
	bool ended;               /* httpc_free was called */

	char *scratch;         /* owned */
	struct buf out;        /* one request */
	struct http_head head; /* of the response that is looked at */
};

/* httpc_queue.c */
void queue_init(struct httpc *c);
void queue_put(struct httpc *c, struct call *call, bool first); /* first: of its kind */
void queue_remove(struct httpc *c, struct call *call);
struct call *queue_next(const struct httpc *c); /* to be served; NULL: nobody waits */
/* Of a lower priority than this, who would be the first to go; NULL: there is none. */
struct call *queue_least(const struct httpc *c, enum httpc_priority than);

/* httpc_bytes.c: makes a request in `out`, which has it until it is used again. */
str httpc_compose(struct buf *out, const struct httpc_request *rq);

/* httpc_read.c */
/* Takes from *rest, which becomes what could not be taken. DONE: the response is
 * complete, its head is in the client's `head`. */
enum http_parse peer_parse(struct peer *p, str *rest, str *body);
/* The kept head again: other responses have been looked at since. */
void peer_restore_head(struct peer *p);
/* Is the response one that is given away in pieces? */
bool peer_is_streamed(const struct peer *p);

/* httpc_peer.c */
bool peer_connect(struct httpc *c); /* false: failed at once, errno says why */
void peer_send(struct peer *p, struct call *call);
void peer_idle(struct peer *p); /* ready for a request */
void peer_pause(struct peer *p, bool paused);
void peer_close(struct peer *p);
void peer_on_wait(struct loop_wait *w);

/* Has switched to another protocol: bytes both ways from now on. */
void peer_tunnel(struct peer *p);
/* Sends or keeps, in order; false: some is kept. */
bool peer_write(struct peer *p, str bytes);

/* httpc_upload.c */
void upload_begin(struct peer *p); /* head and `body` of the request have been sent */
void upload_sent(struct peer *p);  /* some of what was kept has left */
void upload_ask(struct peer *p);   /* its job: asks the source */

/* httpc.c: what a connection tells the pool. It closes itself when it has failed. */
void httpc_connected(struct peer *p);
void httpc_await(struct peer *p, bool awaited); /* the first of an answer */
void httpc_not_connected(struct httpc *c, int error);
void httpc_answered(struct peer *p, const struct httpc_response *response, bool reuse);
void httpc_broken(struct peer *p);
/* The first of a response that will be streamed; false: nobody wants it, the connection
 * is closed. */
bool httpc_streams(struct peer *p, const struct httpc_response *response);
/* Some more of it; false: the connection is closed. */
bool httpc_piece(struct peer *p, str bytes);
/* Calls back at the end of the turn; the call has no connection any more. */
void httpc_fail_call(struct call *call, enum err err);
void httpc_put_call(struct call *call); /* it has ended */
void httpc_settle(struct httpc *c);     /* a connection has been freed */

#endif
