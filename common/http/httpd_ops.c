/*
 * What operators and orchestrators ask: /healthz (is the process alive), /readyz (may it
 * get requests), /metrics. They answer under overload too.
 */
#include "app/metrics.h"
#include "http/httpd_impl.h"

static rq_step health, readiness, show_metrics;

const struct route ops_routes[OPS_ROUTES] = {
	{ HTTP_GET, "/healthz", health, 1000000, 0, ROUTE_QUIET },
	{ HTTP_GET, "/readyz", readiness, 1000000, 0, ROUTE_QUIET },
	{ HTTP_GET, "/metrics", show_metrics, 1000000, 0, ROUTE_QUIET },
};

static rq_next
health(struct rq *rq)
{
	return rq_ok(rq, STR("{\"status\":\"alive\"}"));
}

static rq_next
readiness(struct rq *rq)
{
	const char *name;

	if (ready_now(rq->worker->app, &name))
		return rq_ok(rq, STR("{\"status\":\"ready\"}"));
	return rq_fail_because(rq, ERR_UNAVAILABLE, "%s is not ready.", name);
}

static rq_next
show_metrics(struct rq *rq)
{
	struct buf text = { 0 };
	str copy;

	metrics_print(&text);
	copy = arena_str(rq->arena, buf_str(&text));
	buf_fini(&text);
	return rq_reply(rq, 200, STR("text/plain; version=0.0.4; charset=utf-8"), copy);
}
