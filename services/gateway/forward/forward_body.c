/*
 * A long body on its way to a service, a piece at a time: a service that is slow to take
 * it stops the client, and nothing but what is on the way is kept.
 *
 *   client ──rq_body_follow──> on_piece ──httpc_write──> service
 *          <──rq_body_pause─── (kept)   <──on_room────── (has left)
 *
 * The body is not asked for before a connection has taken what is here of it. From then
 * on the request is never sent again. A body that breaks off breaks the service's
 * connection: what was sent of it is a request to nobody.
 */
#include "gateway/forward/forward_impl.h"
#include "http/rq.h"

static void on_room(void *arg, struct call *call);
static void on_piece(struct rq *rq, str bytes);
static void on_end(struct rq *rq, enum err err);

static const struct httpc_source source = { on_room };
static const struct rq_body_ops follower = { on_piece, on_end };

void
forward_body_begin(struct forward *f, struct rq *rq)
{
	f->request.source = &source;
	f->request.source_arg = rq;
	f->request.length = rq->body_length;
	f->request.repeatable = false;
}

static void
on_room(void *arg, struct call *call)
{
	struct rq *rq = arg;
	struct forward *f = rq->ctx;

	if (f->call != NULL) {
		rq_body_resume(rq);
		return;
	}
	f->call = call;
	if (!rq_body_follow(rq, &follower))
		httpc_abort(call, ERR_BAD_REQUEST);
}

static void
on_piece(struct rq *rq, str bytes)
{
	struct forward *f = rq->ctx;

	if (!httpc_write(f->call, bytes))
		rq_body_pause(rq);
}

static void
on_end(struct rq *rq, enum err err)
{
	struct forward *f = rq->ctx;

	if (err == ERR_OK)
		httpc_finish(f->call);
	else
		httpc_abort(f->call, err);
}
