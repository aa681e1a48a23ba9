/*
 * The pool of the HTTP client: calls wait until a connection is free. The last
 * used connection is used first, so that few stay warm and the others time out.
 *
 * A server that cannot be reached costs one attempt per address and 100 ms; between them
 * calls fail at once instead of gathering in the queue. Errors are never reported before
 * httpc_send has returned: they wait in `over` for the end of the turn.
 */
#include "http/httpc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app/log.h"
#include "base/clock.h"
#include "http/httpc_impl.h"

enum {
	DOWN_US = 100000, /* no new attempt after all addresses failed */
	SPARE_MAX = 256,  /* calls that are kept for the next ones */
};

static void on_call_wait(struct loop_wait *w);
static void on_over(struct loop_job *job);
static void on_pump(struct loop_job *job);
static void pump(struct httpc *c);
static void release(struct httpc *c);

/* --- life ----------------------------------------------------------------------------
 */

struct httpc *
httpc_new(struct loop *loop, const struct httpc_conf *conf)
{
	struct httpc *c = xcalloc(1, sizeof(*c));
	char why[256];

	ASSERT(conf->max_conns > 0);
	c->addr_count =
	    net_resolve(conf->address, c->addrs, HTTPC_ADDRS, why, sizeof(why));
	if (c->addr_count == 0) {
		log_error("cannot use the server \"%s\": %s", conf->address, why);
		free(c);
		return NULL;
	}
	c->loop = loop;
	c->conf = *conf;
	c->host = net_is_path(&c->addrs[0]) ? STR("localhost") : str_of(conf->address);
	queue_init(c);
	c->limit = conf->max_conns;
	TAILQ_INIT(&c->over);
	TAILQ_INIT(&c->spares);
	LIST_INIT(&c->idle);
	LIST_INIT(&c->others);
	c->queue_waits = loop_waits_new(loop, conf->queue_us, on_call_wait);
	c->response_waits = loop_waits_new(loop, conf->response_us, on_call_wait);
	c->stream_waits = loop_waits_new(loop,
	    conf->stream_us > 0 ? conf->stream_us : conf->response_us, on_call_wait);
	c->connect_waits = loop_waits_new(loop, conf->connect_us, peer_on_wait);
	c->idle_waits = loop_waits_new(loop, conf->idle_us, peer_on_wait);
	c->over_job.run = on_over;
	c->pump_job.run = on_pump;
	c->scratch = xmalloc(HTTPC_SCRATCH);
	return c;
}

static struct call *
new_call(struct httpc *c)
{
	struct call *call = TAILQ_FIRST(&c->spares);

	if (call == NULL)
		return xcalloc(1, sizeof(*call));
	TAILQ_REMOVE(&c->spares, call, link);
	c->spare_count--;
	return call;
}

/* Calls back: the one place where a call ends, but for httpc_stop. */
static void
end_call(struct call *call, enum err err, const struct httpc_response *response)
{
	loop_wait_stop(&call->wait);
	if (call->sink != NULL)
		call->sink->end(call->arg, err);
	else
		call->cb(call->arg, err, response);
	httpc_put_call(call);
}

void
httpc_put_call(struct call *call)
{
	struct httpc *c = call->client;

	if (c->spare_count == SPARE_MAX || c->ended) {
		free(call);
		return;
	}
	TAILQ_INSERT_HEAD(&c->spares, call, link);
	c->spare_count++;
}

void
httpc_fail_call(struct call *call, enum err err)
{
	struct httpc *c = call->client;

	loop_wait_stop(&call->wait);
	call->err = err;
	TAILQ_INSERT_TAIL(&c->over, call, link);
	loop_defer(c->loop, &c->over_job);
}

static void
on_over(struct loop_job *job)
{
	struct httpc *c = CONTAINER_OF(job, struct httpc, over_job);
	struct call *call;

	while ((call = TAILQ_FIRST(&c->over)) != NULL) {
		TAILQ_REMOVE(&c->over, call, link);
		end_call(call, call->err, NULL);
	}
	httpc_settle(c);
}

void
httpc_free(struct httpc *c)
{
	struct call *call;
	struct peer *p;

	if (c == NULL)
		return;
	c->ended = true;
	while ((call = queue_next(c)) != NULL) {
		queue_remove(c, call);
		end_call(call, ERR_DRAINING, NULL);
	}
	while ((p = LIST_FIRST(&c->others)) != NULL) {
		call = p->call;
		peer_close(p);
		if (call != NULL)
			end_call(call, ERR_DRAINING, NULL);
	}
	while ((p = LIST_FIRST(&c->idle)) != NULL)
		peer_close(p);
	on_over(&c->over_job);
}

/* Frees the ended pool when nothing of it is in use any more. */
void
httpc_settle(struct httpc *c)
{
	if (c->ended && c->peer_count == 0 && TAILQ_EMPTY(&c->over) &&
	    !c->over_job.queued && !c->pump_job.queued)
		release(c);
}

static void
release(struct httpc *c)
{
	struct call *call;

	while ((call = TAILQ_FIRST(&c->spares)) != NULL) {
		TAILQ_REMOVE(&c->spares, call, link);
		free(call);
	}
	loop_waits_free(c->queue_waits);
	loop_waits_free(c->response_waits);
	loop_waits_free(c->stream_waits);
	loop_waits_free(c->connect_waits);
	loop_waits_free(c->idle_waits);
	buf_fini(&c->out);
	free(c->scratch);
	free(c);
}

void
httpc_stats(const struct httpc *c, size_t *conns, size_t *busy, size_t *queued)
{
	*conns = c->conn_count + c->tunnel_count - c->connecting_count;
	*busy = *conns - c->idle_count;
	*queued = c->queue_count;
}

/* --- calls ---------------------------------------------------------------------------
 */

static bool
is_down(const struct httpc *c)
{
	return c->conn_count == c->connecting_count &&
	       loop_now_us(c->loop) < c->down_until_us;
}

static void
serve(struct peer *p, struct call *call)
{
	struct httpc *c = p->client;

	call->peer = p;
	call->sent_us = call->request.source == NULL ? clock_mono_us() : 0;
	loop_wait_start(c->response_waits, &call->wait);
	peer_send(p, call);
}

static bool
may_serve(const struct httpc *c)
{
	return !LIST_EMPTY(&c->idle) && c->awaited_count < c->limit;
}

static void
enqueue(struct httpc *c, struct call *call, bool first)
{
	queue_put(c, call, first);
	/* Not now: a connection may become free in this turn. */
	loop_defer(c->loop, &c->pump_job);
}

/* Is there room in the queue for one more of this priority? Somebody may have to go. */
static bool
make_room(struct httpc *c, enum httpc_priority priority)
{
	struct call *least;

	if (c->queue_count < c->conf.max_queue)
		return true;
	least = queue_least(c, priority);
	if (least == NULL)
		return false;
	queue_remove(c, least);
	httpc_fail_call(least, ERR_OVERLOAD);
	return true;
}

void
httpc_send(struct httpc *c, const struct httpc_request *request, httpc_cb *cb, void *arg)
{
	struct call *call = new_call(c);

	call->client = c;
	call->request = *request;
	if (request->host.n == 0)
		call->request.host = c->host;
	call->cb = cb;
	call->arg = arg;
	call->sink = NULL;
	call->peer = NULL;
	call->again = false;
	if (c->ended)
		httpc_fail_call(call, ERR_DRAINING);
	else if (is_down(c))
		httpc_fail_call(call, ERR_UNAVAILABLE);
	else if (c->queue_count == 0 && may_serve(c))
		serve(LIST_FIRST(&c->idle), call);
	else if (!make_room(c, request->priority))
		httpc_fail_call(call, ERR_OVERLOAD);
	else
		enqueue(c, call, false);
}

void
httpc_set_limit(struct httpc *c, size_t limit)
{
	ASSERT(limit > 0);
	c->limit = limit < c->conf.max_conns ? limit : c->conf.max_conns;
	loop_defer(c->loop, &c->pump_job);
}

static void
on_pump(struct loop_job *job)
{
	struct httpc *c = CONTAINER_OF(job, struct httpc, pump_job);

	if (!c->ended)
		pump(c);
	httpc_settle(c);
}

/* Serves what waits from idle connections and opens new ones for the rest. */
static void
pump(struct httpc *c)
{
	struct call *call;

	while (may_serve(c) && (call = queue_next(c)) != NULL) {
		queue_remove(c, call);
		serve(LIST_FIRST(&c->idle), call);
	}
	while (c->queue_count > c->connecting_count &&
	       c->awaited_count + c->connecting_count < c->limit &&
	       c->conn_count < c->conf.max_conns &&
	       loop_now_us(c->loop) >= c->down_until_us)
		if (!peer_connect(c))
			httpc_not_connected(c, errno);
}

/* Waited too long, in the queue or for the response. */
static void
on_call_wait(struct loop_wait *w)
{
	struct call *call = CONTAINER_OF(w, struct call, wait);
	struct httpc *c = call->client;

	if (call->peer != NULL) {
		peer_close(call->peer);
		loop_defer(c->loop, &c->pump_job);
		end_call(call, ERR_TIMEOUT, NULL);
	} else {
		queue_remove(c, call);
		end_call(call,
		    c->conn_count > c->connecting_count ? ERR_OVERLOAD : ERR_UNAVAILABLE,
		    NULL);
	}
}

/* --- what connections tell -----------------------------------------------------------
 */

void
httpc_connected(struct peer *p)
{
	struct httpc *c = p->client;

	c->failures = 0;
	c->down_until_us = 0;
	peer_idle(p);
	pump(c);
}

void
httpc_await(struct peer *p, bool awaited)
{
	p->client->awaited_count += awaited;
	p->client->awaited_count -= p->awaited;
	p->awaited = awaited;
}

void
httpc_not_connected(struct httpc *c, int error)
{
	struct call *call;

	c->addr = (c->addr + 1) % c->addr_count;
	loop_defer(c->loop, &c->pump_job);
	if (++c->failures < c->addr_count)
		return;
	c->failures = 0;
	c->down_until_us = loop_now_us(c->loop) + DOWN_US;
	log_warn("cannot connect to %s: %s", c->conf.address, strerror(error));
	if (c->conn_count > c->connecting_count)
		return; /* those that are connected serve the queue */
	while ((call = queue_next(c)) != NULL) {
		queue_remove(c, call);
		httpc_fail_call(call, ERR_UNAVAILABLE);
	}
}

void
httpc_answered(struct peer *p, const struct httpc_response *response, bool reuse)
{
	struct httpc *c = p->client;
	struct call *call = p->call;

	p->call = NULL;
	call->peer = NULL;
	end_call(call, ERR_OK, response);
	if (p->state == PEER_CLOSED)
		return; /* the callback has freed the pool */
	if (reuse) {
		peer_idle(p);
		pump(c);
	} else {
		peer_close(p);
		loop_defer(c->loop, &c->pump_job);
	}
}

/* The connection ended before it had answered. The request may go to another when none
 * of it was sent, or when the connection was probably dead already and the caller allows
 * it; then the other idle ones are probably dead too. */
void
httpc_broken(struct peer *p)
{
	struct httpc *c = p->client;
	struct call *call = p->call;
	bool stale = p->used && !p->heard;
	bool resend = !p->sent_any || (stale && call->request.repeatable);

	call->peer = NULL;
	peer_close(p);
	if (stale)
		while (!LIST_EMPTY(&c->idle))
			peer_close(LIST_FIRST(&c->idle));
	loop_defer(c->loop, &c->pump_job);
	if (!resend || call->again) {
		httpc_fail_call(call, p->sent_any ? ERR_BAD_GATEWAY : ERR_UNAVAILABLE);
	} else {
		call->again = true;
		enqueue(c, call, true);
	}
}

/* --- for a step ----------------------------------------------------------------------
 */

static void
on_response(void *arg, enum err err, const struct httpc_response *response)
{
	struct rq *rq = arg;

	rq->http = response;
	rq_resume(rq, err);
}

rq_next
rq_http(
    struct rq *rq, rq_step *next, struct httpc *c, const struct httpc_request *request)
{
	httpc_send(c, request, on_response, rq);
	return rq_started(rq, next);
}
