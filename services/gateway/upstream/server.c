/* One server of a service: its pool, its checks, and what is believed of it. */
#include <stdlib.h>

#include "app/log.h"
#include "gateway/upstream/pick_rules.h"
#include "gateway/upstream/upstream_impl.h"
#include "gateway/views.h"

static struct httpc *new_pool(const struct server *s);
static struct httpc *new_check_pool(const struct server *s);
static void on_checked(void *arg, enum err err, const struct httpc_response *response);
static enum server_state state_of(const struct server *s);
static void move(struct gauge *gauge, size_t *from, size_t to);

struct server *
server_new(struct upstream *up, const struct dns_server *at, bool warm)
{
	struct server *s = xcalloc(1, sizeof(*s));
	int64_t now_us = loop_now_us(up->loop);

	s->up = up;
	s->at = *at;
	s->id = pick_hash(str_of(at->address));
	s->listed = true;
	s->belief.since_us = warm ? now_us - up->limits.slow_start_us : now_us;
	admission_init(&s->admission, &up->bounds);
	s->state = SERVER_UP;
	gauge_add(up->service->metrics.servers[SERVER_UP], 1);
	s->pool = new_pool(s);
	s->checks = new_check_pool(s);
	if (s->pool != NULL && s->checks != NULL)
		return s;
	server_free(s);
	return NULL;
}

void
server_free(struct server *s)
{
	const struct upstream_metrics *m = &s->up->service->metrics;

	httpc_free(s->checks);
	httpc_free(s->pool);
	ASSERT(s->calls == 0);
	move(m->conns, &s->conns, 0);
	move(m->busy, &s->busy, 0);
	move(m->queued, &s->queued, 0);
	move(m->limit, &s->limit, 0);
	gauge_add(m->servers[s->state], -1);
	free(s);
}

static struct httpc *
new_pool(const struct server *s)
{
	const struct upstream_settings *settings = s->up->settings;
	const struct httpc_conf conf = {
		.address = s->at.address,
		.max_conns = s->up->bounds.max,
		.max_queue = upstream_share(settings->max_queue, s->up->workers),
		.queue_us = settings->queue_us,
		.connect_us = settings->connect_us,
		.response_us = settings->response_us,
		.stream_us = UPSTREAM_STREAM_US,
		.idle_us = UPSTREAM_IDLE_US,
		.max_response = UPSTREAM_MAX_RESPONSE,
	};

	return httpc_new(s->up->loop, &conf);
}

static struct httpc *
new_check_pool(const struct server *s)
{
	int64_t timeout_us = s->up->settings->check_timeout_us;
	const struct httpc_conf conf = {
		.address = s->at.address,
		.max_conns = 1,
		.max_queue = 1,
		.queue_us = timeout_us,
		.connect_us = timeout_us,
		.response_us = timeout_us,
		.stream_us = timeout_us,
		.idle_us = UPSTREAM_IDLE_US,
		.max_response = UPSTREAM_MAX_RESPONSE,
	};

	return httpc_new(s->up->loop, &conf);
}

/* --- what is believed ----------------------------------------------------------------
 */

void
server_check(struct server *s)
{
	const struct httpc_request request = {
		.method = HTTP_GET,
		.target = STR("/readyz"),
		.host = str_of(s->at.host),
		.repeatable = true,
	};

	if (s->checking)
		return;
	s->checking = true;
	httpc_send(s->checks, &request, on_checked, s);
}

static void
on_checked(void *arg, enum err err, const struct httpc_response *response)
{
	struct server *s = arg;
	bool ok = err == ERR_OK && response->head->status == 200;

	s->checking = false;
	if (err == ERR_DRAINING ||
	    !server_checked(&s->belief, &s->up->limits, ok, loop_now_us(s->up->loop)))
		return;
	log_warn("server %s of the %s service is %s: %lld checks in a row say so",
	    s->at.address, s->up->service->name, s->belief.down ? "down" : "up again",
	    (long long)(s->belief.down ? s->up->limits.fall : s->up->limits.rise));
}

static size_t
count_ejected(const struct upstream *up)
{
	int64_t now_us = loop_now_us(up->loop);
	const struct server *s;
	size_t count = 0;

	TAILQ_FOREACH (s, &up->servers, link)
		count += s->listed && server_is_ejected(&s->belief, now_us);
	return count;
}

void
server_judge(struct server *s, enum err err)
{
	struct upstream *up = s->up;
	int64_t now_us = loop_now_us(up->loop);

	s->called++;
	if (err == ERR_OK) {
		server_succeeded(&s->belief, now_us);
		return;
	}
	/* That there is no room here says nothing about the server. */
	if (err != ERR_UNAVAILABLE && err != ERR_TIMEOUT && err != ERR_BAD_GATEWAY)
		return;
	s->failed++;
	if (!server_failed(&s->belief, &up->limits,
		server_may_eject(count_ejected(up), up->listed), now_us))
		return;
	counter_add(up->service->metrics.ejections, 1);
	log_warn("server %s of the %s service is left out for %lld ms: %lld calls in a "
		 "row failed",
	    s->at.address, up->service->name,
	    (long long)((s->belief.ejected_until_us - now_us) / CLOCK_US_PER_MS),
	    (long long)up->limits.failures);
}

/* --- how much at the same time ---------------------------------------------------------
 */

/* What fails quickly says nothing about how much can be done. */
void
server_timed(struct server *s, enum err err, const struct httpc_response *response,
    int64_t mono_us)
{
	struct upstream *up = s->up;
	int64_t now_us = loop_now_us(up->loop);
	size_t conns, busy, queued;
	bool changed = false;

	if (err == ERR_TIMEOUT) {
		changed = admission_late(&s->admission, &up->bounds, now_us);
	} else if (err == ERR_OK && response->sent_us > 0 &&
		   response->head->status < 500) {
		httpc_stats(s->pool, &conns, &busy, &queued);
		changed = admission_answered(&s->admission, &up->bounds, now_us,
		    mono_us - response->sent_us, busy);
	}
	if (changed)
		httpc_set_limit(s->pool, admission_limit(&s->admission));
}

bool
server_has_room(const struct server *s, enum httpc_priority priority)
{
	size_t conns, busy, queued;

	httpc_stats(s->pool, &conns, &busy, &queued);
	return queued == 0 ||
	       admission_may_wait(&s->admission, &s->up->bounds, queued, priority);
}

/* --- to see in -----------------------------------------------------------------------
 */

size_t
server_pending(const struct server *s)
{
	size_t conns, busy, queued;

	httpc_stats(s->pool, &conns, &busy, &queued);
	return busy + queued;
}

bool
server_is_quiet(const struct server *s)
{
	return s->calls == 0 && server_pending(s) == 0;
}

void
server_observe(struct server *s)
{
	const struct upstream_metrics *m = &s->up->service->metrics;
	enum server_state state = state_of(s);
	size_t conns, busy, queued;

	httpc_stats(s->pool, &conns, &busy, &queued);
	move(m->conns, &s->conns, conns);
	move(m->busy, &s->busy, busy);
	move(m->queued, &s->queued, queued);
	move(m->limit, &s->limit, s->listed ? admission_limit(&s->admission) : 0);
	gauge_add(m->servers[s->state], -1);
	gauge_add(m->servers[state], 1);
	s->state = state;
}

void
server_view(const struct server *s, struct server_view *row)
{
	int64_t left_us = s->belief.ejected_until_us - loop_now_us(s->up->loop);

	row->weight = s->at.weight;
	row->states[state_of(s)] = 1;
	httpc_stats(s->pool, &row->conns, &row->busy, &row->queued);
	row->calls = s->called;
	row->failures = s->failed;
	row->ejected_us = left_us > 0 ? left_us : 0;
}

static enum server_state
state_of(const struct server *s)
{
	if (!s->listed)
		return SERVER_LEAVING;
	if (s->belief.down)
		return SERVER_DOWN;
	return server_is_ejected(&s->belief, loop_now_us(s->up->loop)) ? SERVER_EJECTED
								       : SERVER_UP;
}

static void
move(struct gauge *gauge, size_t *from, size_t to)
{
	gauge_add(gauge, (int64_t)to - (int64_t)*from);
	*from = to;
}
