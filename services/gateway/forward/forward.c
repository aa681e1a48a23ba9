/*
 * Forwarding a request: rebuild it from what was understood, send it to the service, and
 * rebuild the answer the same way. Headers that are not listed here go nowhere.
 */
#include <inttypes.h>

#include "base/clock.h"
#include "crypto/pass.h"
#include "gateway/edge/compress_rules.h"
#include "gateway/forward/forward_impl.h"
#include "gateway/gateway.h"
#include "gateway/upstream/pick_rules.h"
#include "gateway/forward/visit.h"

static rq_step relay;

/* An answer that comes in pieces is passed on in pieces; a client that is slow to take
 * them stops the service, not the gateway's memory. */
static void on_piece(void *arg, str bytes);
static void on_end(void *arg, enum err err);
static void on_room(struct rq *rq);
static void on_gone(struct rq *rq);
static void on_drain(struct rq *rq);

static const struct httpc_sink sink = { on_piece, on_end };
static const struct rq_stream_ops stream_ops = { .room = on_room, .gone = on_gone };
/* Events have no end of their own, but may end anywhere: the client comes again. */
static const struct rq_stream_ops event_ops = { on_room, on_gone, on_drain };

/* Of the client's request. Cookies stay here: no service has any. */
static const str forwarded[] = {
	STR_INIT("content-type"),
	STR_INIT("accept"),
	STR_INIT("idempotency-key"),
	STR_INIT("prefer"),
	STR_INIT("user-agent"),
	STR_INIT("last-event-id"),
};

/* Of the service's answer, beside Content-Type. */
static const str relayed[] = {
	STR_INIT("location"),
	STR_INIT("retry-after"),
	STR_INIT("ratelimit"),
	STR_INIT("ratelimit-policy"),
	STR_INIT("idempotent-replayed"),
	STR_INIT("preference-applied"),
	STR_INIT("cache-control"),
	STR_INIT("content-encoding"),
	STR_INIT("content-language"),
	STR_INIT("vary"),
	STR_INIT("allow"),
	STR_INIT("www-authenticate"),
};

enum {
	/* X-Request-Id, traceparent, X-Forwarded-For and -Proto, Forwarded,
	 * X-Request-Deadline-Ms, Authorization, X-Onrush-User, -Line and -Client */
	OWN_HEADERS = 10,
};
_Static_assert(
    ARRAY_LEN(forwarded) + OWN_HEADERS + FORWARD_TUNNEL_HEADERS <= FORWARD_MAX_HEADERS,
    "room for all headers");

void
forward_header(struct forward *f, str name, str value)
{
	if (value.n > 0)
		f->headers[f->request.header_count++] =
		    (struct http_header){ name, value };
}

/* How many milliseconds the client still waits: the service need not work for longer. */
static str
time_left(struct forward *f, const struct rq *rq)
{
	int64_t left_ms =
	    (rq->deadline_us - loop_now_us(rq->worker->loop)) / CLOCK_US_PER_MS;

	return str_decimal(left_ms > 0 ? (uint64_t)left_ms : 1, f->digits);
}

static void
add_headers(struct forward *f, const struct rq *rq, const struct visit *v)
{
	struct forwarded way;

	for (size_t i = 0; i < ARRAY_LEN(forwarded); i++)
		forward_header(f, forwarded[i], http_header(rq->head, forwarded[i]));
	forward_header(f, STR("x-request-id"), rq->id);
	forward_header(f, STR("traceparent"), rq->traceparent);
	forwarded_fields(rq, v, &way);
	forward_header(f, STR("x-forwarded-for"), way.addresses);
	forward_header(f, STR("x-forwarded-proto"), way.proto);
	forward_header(f, STR("forwarded"), way.field);
	forward_header(f, STR("x-request-deadline-ms"), time_left(f, rq));
}

static void
add_number(struct forward *f, struct arena *arena, str name, int64_t value)
{
	forward_header(f, name, str_of(arena_printf(arena, "%" PRId64, value)));
}

/* Who asks, as far as a token, a pass or a key has proven it: services compare. */
static void
add_caller(struct forward *f, const struct rq *rq, const struct visit *v)
{
	forward_header(f, STR("authorization"), identity_authorization(rq, v));
	forward_header(f, STR("x-onrush-client"), v->client);
	if (v->user_id != 0)
		add_number(f, rq->arena, STR("x-onrush-user"), v->user_id);
	if (v->pass != NULL)
		add_number(f, rq->arena, STR("x-onrush-line"), v->pass->line);
}

/* An empty body is said to be empty (RFC 9110, 8.6). */
static str
body_of(const struct rq *rq)
{
	if (rq->head->framing == HTTP_BODY_NONE)
		return STR_NULL;
	return rq->body.p == NULL ? STR("") : rq->body;
}

static struct upstream_way
way_of(const struct route_row *row, const str params[RQ_MAX_PARAMS])
{
	return (struct upstream_way){
		.key = row->key < 0 ? 0 : pick_hash(params[row->key]) | 1,
		.retry = row->retry,
	};
}

rq_next
gateway_forward(struct rq *rq)
{
	struct gateway *gw = rq->service;
	const struct visit *visit = rq->ctx;
	const struct route_row *row = visit->row;
	struct upstream *up = gateway_upstream(gw, row->behind);
	enum ws_ask ask =
	    row->route.flags & ROUTE_TUNNEL ? ws_ask(rq->head) : WS_NOT_ASKED;

	if (ask == WS_MALFORMED || ask == WS_OTHER_VERSION)
		return forward_tunnel_refuse(rq, ask);
	if (up == NULL)
		return rq_fail_because(rq, ERR_UNAVAILABLE,
		    "There is no %s service here.", row->service_name);

	struct forward *f = rq->ctx = ARENA_NEW(rq->arena, struct forward);
	f->upstream = up;
	f->safe = http_method_is_safe(rq->head->method);
	/* HEAD is asked as GET, so that our answer to it has the right length. */
	f->request = (struct httpc_request){
		.method = rq->head->method == HTTP_HEAD ? HTTP_GET : rq->head->method,
		.target = routes_target(row, rq->params, rq->head->query, rq->arena),
		.headers = f->headers,
		.body = body_of(rq),
		.repeatable =
		    f->safe || http_header(rq->head, STR("idempotency-key")).n > 0,
		.priority = row->priority,
		.streamed = true,
	};
	if (rq->body_streams)
		forward_body_begin(f, rq);
	if (ask == WS_ASKED)
		forward_tunnel_begin(f, rq);
	add_headers(f, rq, visit);
	add_caller(f, rq, visit);
	return upstream_send(rq, relay, up, &f->request, way_of(row, rq->params));
}

enum err
gateway_outcome(enum err err, bool safe)
{
	if (!safe && (err == ERR_TIMEOUT || err == ERR_BAD_GATEWAY))
		return ERR_UNKNOWN_OUTCOME;
	return err;
}

static rq_next
fail(struct rq *rq, const struct forward *f)
{
	const char *name = upstream_name(f->upstream);
	enum err err = gateway_outcome(rq->err, f->safe);

	if (err == ERR_UNAVAILABLE)
		return rq_fail_because(rq, err, "The %s service is not reachable.", name);
	if (err == ERR_OVERLOAD)
		return rq_fail_because(rq, err,
		    "The %s service has too much to do; try again shortly.", name);
	return rq_fail(rq, err);
}

static rq_next
stream(struct rq *rq, bool compressed)
{
	const struct http_head *head = rq->http->head;
	struct gateway *gw = rq->service;
	struct forward *f = rq->ctx;
	int64_t length = head->framing == HTTP_BODY_LENGTH && !compressed
			     ? (int64_t)head->content_length
			     : -1;
	str type = http_header(head, STR("content-type"));
	rq_next next = rq_stream(rq, head->status, type, length,
	    str_starts(type, STR("text/event-stream")) ? &event_ops : &stream_ops);

	f->call = rq->http->more;
	httpc_follow(f->call, &sink, rq);
	if (compressed)
		f->gzip = compress_stream_begin(gw->compress);
	on_piece(rq, rq->http->body);
	return next;
}

/* Its fields, so far as they go on. What is compressed has another tag. */
static void
relay_fields(struct rq *rq, bool compressed)
{
	const struct http_head *head = rq->http->head;
	str tag = http_header(head, STR("etag"));

	for (size_t i = 0; i < ARRAY_LEN(relayed); i++) {
		str value = http_header(head, relayed[i]);
		if (value.n > 0)
			rq_header(rq, relayed[i], value);
	}
	if (tag.n > 0 && compressed)
		tag = compress_weak_tag(tag, arena_alloc(rq->arena, tag.n + 2));
	if (tag.n > 0)
		rq_header(rq, STR("etag"), tag);
}

static rq_next
relay(struct rq *rq)
{
	const struct gateway *gw = rq->service;
	const struct forward *f = rq->ctx;
	enum compress_how how;
	str body;

	if (rq->err != ERR_OK)
		return fail(rq, f);

	const struct http_head *head = rq->http->head;
	if (head->status == 101)
		return forward_tunnel_open(rq);
	how = compress_choose(gw->compress, rq, routes_row(rq->route)->compress);
	relay_fields(rq, how != COMPRESS_NOT);
	if (rq->http->more != NULL)
		return stream(rq, how == COMPRESS_PIECES);
	body = how == COMPRESS_WHOLE ? compress_whole(gw->compress, rq->http->body)
				     : rq->http->body;
	return rq_reply(rq, head->status, http_header(head, STR("content-type")), body);
}

/* --- an answer in pieces -------------------------------------------------------------
 */

static void
on_piece(void *arg, str bytes)
{
	struct rq *rq = arg;
	struct gateway *gw = rq->service;
	struct forward *f = rq->ctx;

	if (f->gzip != NULL)
		bytes = compress_piece(gw->compress, f->gzip, bytes, GZIP_FLUSH);
	if (!rq_stream_write(rq, bytes))
		httpc_pause(f->call);
}

static void
end_compression(struct rq *rq)
{
	struct gateway *gw = rq->service;
	struct forward *f = rq->ctx;

	compress_stream_end(gw->compress, f->gzip);
	f->gzip = NULL;
}

static void
on_end(void *arg, enum err err)
{
	struct rq *rq = arg;
	struct gateway *gw = rq->service;
	struct forward *f = rq->ctx;

	if (f->gzip != NULL && err == ERR_OK)
		(void)rq_stream_write(
		    rq, compress_piece(gw->compress, f->gzip, STR_NULL, GZIP_END));
	end_compression(rq);
	rq_stream_end(rq, err == ERR_OK);
}

static void
on_room(struct rq *rq)
{
	struct forward *f = rq->ctx;

	httpc_resume(f->call);
}

static void
on_gone(struct rq *rq)
{
	struct forward *f = rq->ctx;

	end_compression(rq);
	httpc_stop(f->call);
}

static void
on_drain(struct rq *rq)
{
	on_gone(rq);
	rq_stream_end(rq, true);
}
