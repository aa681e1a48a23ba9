/*
 * A call whose body comes in pieces from its source. Either the server has to take what
 * it was given, then the call waits for it, or the source has to give the next piece, and
 * then the call has no deadline: whose turn it is decides who is waited for.
 *
 *   head and `body` sent ──> room ──httpc_write──┬──> (kept: wait until it has left) ──┐
 *                             ^                  └──> (sent: the source goes on)       │
 *                             └────────────────────────────────────────────────────────┘
 *                            httpc_finish ──> the response is waited for
 *
 * The framing is made here, from the length that was said or else in chunks; nothing of
 * how the body came is passed on.
 */
#include "http/http_chunk.h"
#include "http/httpc_impl.h"

void
upload_begin(struct peer *p)
{
	struct call *call = p->call;
	const struct httpc_request *rq = &call->request;

	ASSERT(rq->length < 0 || (uint64_t)rq->length >= rq->body.n);
	call->left = rq->length < 0 ? 0 : (uint64_t)rq->length - rq->body.n;
	p->uploads = p->starved = true;
	/* Not now: whoever sends has not been told yet that it was. */
	if (buf_size(&p->out) == 0)
		loop_defer(p->client->loop, &p->job);
}

void
upload_ask(struct peer *p)
{
	struct call *call = p->call;

	if (!p->uploads || !p->starved || p->streams || buf_size(&p->out) > 0)
		return;
	p->starved = false;
	loop_wait_stop(&call->wait);
	call->request.source->room(call->request.source_arg, call);
}

void
upload_sent(struct peer *p)
{
	if (p->streams)
		return; /* answered: the rest of the body is not wanted */
	loop_wait_start(p->client->response_waits, &p->call->wait);
	upload_ask(p);
}

/* Nobody waits for more of the body once an answer has begun. */
static bool
takes_more(const struct call *call)
{
	return call->peer != NULL && call->peer->uploads && !call->peer->streams;
}

bool
httpc_write(struct call *call, str bytes)
{
	struct peer *p = call->peer;
	struct httpc *c = call->client;

	if (bytes.n == 0)
		return true;
	if (!takes_more(call))
		return false;
	if (call->request.length >= 0) {
		ASSERT(bytes.n <= call->left);
		call->left -= bytes.n;
	} else {
		buf_clear(&c->out);
		http_add_chunk(&c->out, bytes);
		bytes = buf_str(&c->out);
	}
	if (peer_write(p, bytes))
		return true;
	p->starved = !p->deaf;
	loop_wait_start(c->response_waits, &call->wait);
	return false;
}

void
httpc_finish(struct call *call)
{
	struct peer *p = call->peer;

	if (!takes_more(call))
		return;
	ASSERT(call->left == 0);
	p->uploads = p->starved = false;
	if (call->request.length < 0)
		(void)peer_write(p, STR("0\r\n\r\n"));
	loop_wait_start(call->client->response_waits, &call->wait);
}

void
httpc_abort(struct call *call, enum err err)
{
	struct httpc *c = call->client;

	ASSERT(err != ERR_OK && call->sink == NULL);
	if (call->peer == NULL)
		return; /* its end is on the way */
	peer_close(call->peer);
	call->peer = NULL;
	loop_defer(c->loop, &c->pump_job);
	httpc_fail_call(call, err);
}
