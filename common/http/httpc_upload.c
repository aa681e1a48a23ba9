/*
 * A call whose body comes in pieces from its source, and one that became a tunnel. Either
 * the server has to take what it was given, then the call waits for it, or the source has
 * to give the next piece, and then the call has no deadline: whose turn it is decides who
 * is waited for.
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

/* Nobody waits for more of the body once an answer has begun. */
static bool
takes_more(const struct peer *p)
{
	return p->tunnel || (p->uploads && !p->streams);
}

void
upload_ask(struct peer *p)
{
	struct call *call = p->call;

	if (!takes_more(p) || !p->starved || buf_size(&p->out) > 0)
		return;
	p->starved = false;
	if (!p->tunnel)
		loop_wait_stop(&call->wait);
	call->request.source->room(call->request.source_arg, call);
}

void
upload_sent(struct peer *p)
{
	if (!takes_more(p))
		return;
	if (!p->tunnel)
		loop_wait_start(p->client->response_waits, &p->call->wait);
	upload_ask(p);
}

/* What goes on the wire for a piece of a body. */
static str
frame(struct call *call, str bytes)
{
	struct httpc *c = call->client;

	if (call->request.length >= 0) {
		ASSERT(bytes.n <= call->left);
		call->left -= bytes.n;
		return bytes;
	}
	buf_clear(&c->out);
	http_add_chunk(&c->out, bytes);
	return buf_str(&c->out);
}

bool
httpc_write(struct call *call, str bytes)
{
	struct peer *p = call->peer;

	if (bytes.n == 0)
		return true;
	if (p == NULL || !takes_more(p))
		return false;
	if (peer_write(p, p->tunnel ? bytes : frame(call, bytes)))
		return true;
	p->starved = !p->deaf;
	if (!p->tunnel)
		loop_wait_start(call->client->response_waits, &call->wait);
	return false;
}

void
httpc_finish(struct call *call)
{
	struct peer *p = call->peer;

	if (p == NULL || !takes_more(p))
		return;
	ASSERT(call->left == 0 && !p->tunnel);
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
