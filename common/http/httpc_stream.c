/*
 * A call whose response comes in pieces. It has one wait, the time between two pieces,
 * and none while its sink has paused it: then the server waits, not we.
 */
#include "http/httpc_impl.h"

static void
ignore_end(void *arg UNUSED, enum err err UNUSED)
{
}

/* For a call that has ended and whose sink was stopped before it was told. */
static const struct httpc_sink nobody = { .end = ignore_end };

void
httpc_follow(struct call *call, const struct httpc_sink *sink, void *arg)
{
	ASSERT(call->peer != NULL && call->sink == NULL);
	call->sink = sink;
	call->arg = arg;
}

/* A tunnel may be silent for as long as who has it likes. */
static void
await_piece(struct call *call)
{
	if (call->peer->tunnel)
		loop_wait_stop(&call->wait);
	else
		loop_wait_start(call->client->stream_waits, &call->wait);
}

bool
httpc_streams(struct peer *p, const struct httpc_response *response)
{
	struct call *call = p->call;

	await_piece(call);
	httpc_await(p, false);
	loop_defer(p->client->loop, &p->client->pump_job);
	call->cb(call->arg, ERR_OK, response);
	if (p->state != PEER_CLOSED && call->sink == NULL)
		httpc_stop(call);
	return p->state != PEER_CLOSED;
}

bool
httpc_piece(struct peer *p, str bytes)
{
	struct call *call = p->call;

	if (bytes.n == 0)
		return true;
	if (!p->paused)
		await_piece(call);
	call->sink->piece(call->arg, bytes);
	return p->state != PEER_CLOSED;
}

void
httpc_pause(struct call *call)
{
	if (call->peer == NULL || call->peer->paused)
		return;
	loop_wait_stop(&call->wait);
	peer_pause(call->peer, true);
}

void
httpc_resume(struct call *call)
{
	if (call->peer == NULL || !call->peer->paused)
		return;
	await_piece(call);
	peer_pause(call->peer, false);
}

void
httpc_stop(struct call *call)
{
	struct httpc *c = call->client;

	call->sink = &nobody;
	if (call->peer == NULL)
		return; /* its end is on the way */
	peer_close(call->peer);
	loop_defer(c->loop, &c->pump_job);
	loop_wait_stop(&call->wait);
	httpc_put_call(call);
}
