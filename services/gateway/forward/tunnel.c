#include "gateway/forward/tunnel.h"

#include <stdlib.h>

#include "app/metrics.h"
#include "gateway/forward/forward_impl.h"
#include "gateway/gateway.h"

struct tunnels {
	struct loop_waits *idle; /* owned */
	struct gauge *open;      /* for ever, like the next two */
	struct counter *opened, *idled;
};

/* In the request's arena; rq->ctx once the service has answered 101. */
struct tunnel {
	struct rq *rq;      /* borrowed */
	struct tunnels *of; /* borrowed */
	struct call *call;  /* borrowed */
	struct loop_wait idle;
	struct ws_frames to_client;
};

static void on_room_at_service(void *arg, struct call *call);
static void on_service_piece(void *arg, str bytes);
static void on_service_end(void *arg, enum err err);
static void on_client_piece(struct rq *rq, str bytes);
static void on_room_at_client(struct rq *rq);
static void on_client_gone(struct rq *rq);
static void on_drain(struct rq *rq);
static void on_idle(struct loop_wait *w);

static const struct httpc_source to_service = { on_room_at_service };
static const struct httpc_sink from_service = { on_service_piece, on_service_end };
static const struct rq_body_ops from_client = { .piece = on_client_piece };
static const struct rq_stream_ops to_client = { on_room_at_client, on_client_gone,
	on_drain };

/* Of the client's handshake, and of the service's. */
static const str asked[FORWARD_TUNNEL_HEADERS] = {
	STR_INIT("sec-websocket-key"),
	STR_INIT("sec-websocket-version"),
	STR_INIT("sec-websocket-protocol"),
	STR_INIT("sec-websocket-extensions"),
	STR_INIT("origin"),
};
static const str answered[] = {
	STR_INIT("Sec-WebSocket-Accept"),
	STR_INIT("Sec-WebSocket-Protocol"),
	STR_INIT("Sec-WebSocket-Extensions"),
};

/* --- what they share -----------------------------------------------------------------
 */

struct tunnels *
tunnels_new(struct loop *loop, const struct tunnel_settings *settings)
{
	struct tunnels *t = xcalloc(1, sizeof(*t));

	t->idle = loop_waits_new(loop, settings->idle_us, on_idle);
	t->open = gauge_new("onrush_gateway_tunnels", "Websockets that are open.", NULL);
	t->opened = counter_new(
	    "onrush_gateway_tunnels_opened_total", "Websockets that were opened.", NULL);
	t->idled = counter_new("onrush_gateway_tunnels_idle_total",
	    "Websockets that were closed because nothing passed.", NULL);
	return t;
}

void
tunnels_free(struct tunnels *t)
{
	if (t == NULL)
		return;
	loop_waits_free(t->idle);
	free(t);
}

/* --- the handshake -------------------------------------------------------------------
 */

rq_next
forward_tunnel_refuse(struct rq *rq, enum ws_ask ask)
{
	rq_header(rq, STR("Sec-WebSocket-Version"), STR("13"));
	return rq_fail_because(rq, ERR_BAD_REQUEST,
	    ask == WS_OTHER_VERSION
		? "Only version 13 of the websocket protocol is spoken here."
		: "The websocket handshake is malformed.");
}

void
forward_tunnel_begin(struct forward *f, struct rq *rq)
{
	f->request.upgrade = STR("websocket");
	f->request.source = &to_service;
	f->request.source_arg = rq;
	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		forward_header(f, asked[i], http_header(rq->head, asked[i]));
}

rq_next
forward_tunnel_open(struct rq *rq)
{
	const struct gateway *gw = rq->service;
	const struct http_head *head = rq->http->head;
	struct tunnel *t;
	rq_next next;

	if (!ws_accepts(head, http_header(rq->head, STR("sec-websocket-key"))))
		return rq_fail_because(rq, ERR_BAD_GATEWAY,
		    "The service has not answered the websocket handshake rightly.");
	for (size_t i = 0; i < ARRAY_LEN(answered); i++) {
		str value = http_header(head, answered[i]);

		if (value.n > 0)
			rq_header(rq, answered[i], value);
	}
	t = rq->ctx = ARENA_NEW(rq->arena, struct tunnel);
	t->rq = rq;
	t->of = gw->tunnels;
	t->call = rq->http->more;
	counter_add(t->of->opened, 1);
	gauge_add(t->of->open, 1);
	loop_wait_start(t->of->idle, &t->idle);
	next = rq_tunnel(rq, STR("websocket"), &to_client, &from_client);
	httpc_follow(t->call, &from_service, rq);
	on_service_piece(rq, rq->http->body);
	return next;
}

/* --- bytes ---------------------------------------------------------------------------
 */

static void
on_client_piece(struct rq *rq, str bytes)
{
	struct tunnel *t = rq->ctx;

	loop_wait_start(t->of->idle, &t->idle);
	if (!httpc_write(t->call, bytes))
		rq_body_pause(rq);
}

static void
on_room_at_service(void *arg, struct call *call UNUSED)
{
	rq_body_resume(arg);
}

static void
on_service_piece(void *arg, str bytes)
{
	struct rq *rq = arg;
	struct tunnel *t = rq->ctx;

	loop_wait_start(t->of->idle, &t->idle);
	ws_frames_pass(&t->to_client, bytes);
	if (!rq_stream_write(rq, bytes))
		httpc_pause(t->call);
}

static void
on_room_at_client(struct rq *rq)
{
	struct tunnel *t = rq->ctx;

	httpc_resume(t->call);
}

/* --- ends ----------------------------------------------------------------------------
 */

static void
forget(struct tunnel *t)
{
	loop_wait_stop(&t->idle);
	gauge_add(t->of->open, -1);
}

static void
on_client_gone(struct rq *rq)
{
	struct tunnel *t = rq->ctx;

	forget(t);
	httpc_stop(t->call);
}

static void
on_service_end(void *arg, enum err err)
{
	struct rq *rq = arg;

	forget(rq->ctx);
	rq_stream_end(rq, err == ERR_OK);
}

/* Closes both sides, with the word "going away" (RFC 6455, 7.4.1: 1001) where it does not
 * tear a frame of the service apart. */
static void
end(struct tunnel *t)
{
	static const str going_away = STR_INIT("\x88\x02\x03\xe9");

	forget(t);
	httpc_stop(t->call);
	if (ws_frames_at_edge(&t->to_client))
		(void)rq_stream_write(t->rq, going_away);
	rq_stream_end(t->rq, true);
}

static void
on_drain(struct rq *rq)
{
	end(rq->ctx);
}

static void
on_idle(struct loop_wait *w)
{
	struct tunnel *t = CONTAINER_OF(w, struct tunnel, idle);

	counter_add(t->of->idled, 1);
	end(t);
}
