/*
 * A request on its way to a service: which server gets it, what became of it, whether
 * another one gets it after that.
 *
 *   upstream_send ──> choose ──> httpc_send ──…──> on_response ──> rq_resume
 *                        ^                             │
 *                        └──── again: harmless, in the budget, somebody waits
 *
 * What became of a call is noted in its callback and not in the request's next step: when
 * the client has been answered meanwhile, there is none.
 */
#include "base/splitmix.h"
#include "gateway/upstream/pick_rules.h"
#include "gateway/upstream/upstream_impl.h"

enum {
	MAX_SENT = 6 /* once, and ONRUSH_RETRIES at most */
};

/* In the request's arena, which lives until the last callback. */
struct attempt {
	struct rq *rq;                 /* borrowed */
	struct upstream *up;           /* borrowed */
	struct httpc_request *request; /* borrowed */
	struct server *server;         /* borrowed; has the call */
	struct upstream_way way;
	struct rq_behind behind;
	uint64_t sent[MAX_SENT]; /* ids of the servers that had it */
	int sent_count;
};

static struct server *choose(struct attempt *a);
static void send_to(struct attempt *a, struct server *s);
static void on_response(void *arg, enum err err, const struct httpc_response *response);
static struct server *choose_again(struct attempt *a, enum err err);
static void judge(struct attempt *a, enum err err);

rq_next
upstream_send(struct rq *rq, rq_step *next, struct upstream *up,
    struct httpc_request *request, struct upstream_way way)
{
	struct attempt *a;
	struct server *s;

	if (!breaker_allow(&up->breaker, loop_now_us(up->loop))) {
		counter_add(up->service->metrics.calls[OUTCOME_UNREACHABLE], 1);
		return rq_not_started(rq, next, ERR_UNAVAILABLE);
	}
	a = ARENA_NEW(rq->arena, struct attempt);
	a->rq = rq;
	a->up = up;
	a->request = request;
	a->way = way;
	a->behind = (struct rq_behind){
		.service = str_of(up->service->name),
		.method = request->method,
		.target = request->target,
		.start_us = clock_mono_us(),
	};
	rq->behind = &a->behind;
	retry_budget_call(&up->budget, loop_now_us(up->loop));
	s = choose(a);
	if (!server_has_room(s, request->priority)) {
		counter_add(up->service->metrics.calls[OUTCOME_OVERLOAD], 1);
		counter_add(up->service->metrics.refused[request->priority], 1);
		return rq_not_started(rq, next, ERR_OVERLOAD);
	}
	send_to(a, s);
	return rq_started(rq, next);
}

static void
send_to(struct attempt *a, struct server *s)
{
	ASSERT(a->sent_count < MAX_SENT);
	a->server = s;
	a->sent[a->sent_count++] = s->id;
	a->request->host = str_of(s->at.host);
	/* The server may be gone before the request is logged. */
	a->behind.server = arena_str(a->rq->arena, str_of(s->at.address));
	a->behind.tries++;
	s->calls++;
	httpc_send(s->pool, a->request, on_response, a);
}

/* --- which server --------------------------------------------------------------------
 */

static bool
was_sent_to(const struct attempt *a, const struct server *s)
{
	for (int i = 0; i < a->sent_count; i++)
		if (a->sent[i] == s->id)
			return true;
	return false;
}

/* The server that gets the call; NULL when each has had it. */
static struct server *
choose(struct attempt *a)
{
	struct upstream *up = a->up;
	int64_t now_us = loop_now_us(up->loop);
	struct candidate candidates[DNS_MAX];
	struct server *servers[DNS_MAX], *s;
	size_t usable = 0, count = 0;
	bool panics;

	TAILQ_FOREACH (s, &up->servers, link)
		usable += s->listed && server_is_usable(&s->belief, now_us);
	panics = pick_panics(usable, up->listed, up->settings->panic);
	TAILQ_FOREACH (s, &up->servers, link) {
		if (!s->listed || was_sent_to(a, s) ||
		    (!panics && !server_is_usable(&s->belief, now_us)))
			continue;
		candidates[count] = (struct candidate){
			.weight =
			    s->at.weight * server_warmth(&s->belief, &up->limits, now_us),
			.pending = server_pending(s),
			.id = s->id,
		};
		servers[count++] = s;
	}
	if (count == 0)
		return NULL;
	return servers[a->way.key != 0 ? pick_by_key(candidates, count, a->way.key)
				       : pick_by_load(candidates, count,
					     splitmix64_next(&up->random))];
}

/* --- what became of it ---------------------------------------------------------------
 */

static void
on_response(void *arg, enum err err, const struct httpc_response *response)
{
	struct attempt *a = arg;
	const struct upstream_metrics *m = &a->up->service->metrics;
	int64_t now_us = clock_mono_us();
	struct server *other;

	judge(a, err);
	server_timed(a->server, err, response, now_us);
	if (err != ERR_OK && (other = choose_again(a, err)) != NULL) {
		send_to(a, other);
		return;
	}
	counter_add(m->calls[upstream_outcome(err)], 1);
	a->behind.err = err;
	if (err == ERR_OK) {
		a->behind.us = now_us - a->behind.start_us;
		a->behind.status = response->head->status;
		histogram_observe_us(m->seconds, a->behind.us);
	}
	if (err != ERR_OK || response->more == NULL)
		a->behind.end_us = now_us;
	a->rq->http = response;
	rq_resume(a->rq, err);
}

/* The client's body did not come as it should: that says nothing about the server. */
static bool
is_clients_fault(enum err err)
{
	return err != ERR_OK && err_info(err)->status < 500;
}

static void
judge(struct attempt *a, enum err err)
{
	struct breaker *breaker = &a->up->breaker;

	a->server->calls--;
	server_judge(a->server, err);
	if (err == ERR_OK)
		breaker_success(breaker);
	else if (err != ERR_OVERLOAD && err != ERR_DRAINING && !is_clients_fault(err))
		breaker_failure(breaker, loop_now_us(a->up->loop));
}

/* Nothing of it was sent; or it may be sent twice, and no answer began. Who has waited
 * for a server that hangs is not made to wait for another one. */
static bool
is_harmless(const struct attempt *a, enum err err)
{
	return err == ERR_UNAVAILABLE ||
	       (err == ERR_BAD_GATEWAY && a->request->repeatable);
}

/* Another server for a call that has failed; NULL when it has failed for good. */
static struct server *
choose_again(struct attempt *a, enum err err)
{
	struct upstream *up = a->up;
	int64_t now_us = loop_now_us(up->loop);
	struct server *s;

	if (!a->way.retry || !is_harmless(a, err) ||
	    a->sent_count > up->settings->retries || now_us >= a->rq->deadline_us)
		return NULL;
	s = choose(a);
	if (s == NULL || !server_has_room(s, a->request->priority))
		return NULL;
	if (!retry_budget_take(&up->budget, now_us)) {
		counter_add(up->service->metrics.retries_denied, 1);
		return NULL;
	}
	counter_add(up->service->metrics.retries, 1);
	return s;
}
