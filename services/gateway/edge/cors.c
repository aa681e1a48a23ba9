#include "gateway/edge/cors.h"

#include <stdio.h>

#include "base/clock.h"
#include "gateway/edge/cors_rules.h"

#define PREFLIGHT_DEADLINE_US (5 * CLOCK_US_PER_SEC)

static rq_step preflight;

static const struct route route = {
	.method = HTTP_OPTIONS,
	.pattern = "(preflight)",
	.first = preflight,
	.deadline_us = PREFLIGHT_DEADLINE_US,
};

/* Filled before the workers start, then only read. */
static struct cors_origins origins;
static bool credentials;

bool
cors_read(const struct cors_settings *settings, char *err, size_t err_size)
{
	char why[512];

	credentials = settings->credentials;
	if (cors_origins_parse(str_of(settings->origins), &origins, why, sizeof(why)))
		return true;
	snprintf(err, err_size, "ONRUSH_CORS_ORIGINS: %s", why);
	return false;
}

const struct route *
cors_route(void)
{
	return origins.count > 0 ? &route : NULL;
}

/* The answer depends on Origin even where there was none: caches must know. */
static bool
allow(struct rq *rq, str vary)
{
	str origin = http_header(rq->head, STR("origin"));

	rq_header(rq, STR("Vary"), vary);
	if (!cors_origins_has(&origins, origin))
		return false;
	rq_header(rq, STR("Access-Control-Allow-Origin"), origin);
	if (credentials)
		rq_header(rq, STR("Access-Control-Allow-Credentials"), STR("true"));
	return true;
}

void
cors_mark(struct rq *rq)
{
	if (origins.count > 0 && allow(rq, STR("Origin")))
		rq_header(rq, STR("Access-Control-Expose-Headers"),
		    STR("ETag, Idempotent-Replayed, Location, Preference-Applied, "
			"RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, "
			"X-Onrush-Position, X-Request-Id"));
}

/* The method is not looked for among the path's routes: the call itself finds out. */
static rq_next
preflight(struct rq *rq)
{
	str method = http_header(rq->head, STR("access-control-request-method"));
	str names = http_header(rq->head, STR("access-control-request-headers"));

	if (!allow(rq, STR("Origin, Access-Control-Request-Method, "
			   "Access-Control-Request-Headers")))
		return rq_fail_because(
		    rq, ERR_FORBIDDEN, "Pages of this origin may not call.");
	if (!cors_method_fits(method) || !cors_fields_fit(names))
		return rq_fail_because(rq, ERR_FORBIDDEN,
		    "Pages may not call with this method or these fields.");
	rq_header(rq, STR("Access-Control-Allow-Methods"),
	    STR("GET, HEAD, POST, PUT, PATCH, DELETE"));
	rq_header(rq, STR("Access-Control-Allow-Headers"), cors_fields());
	rq_header(rq, STR("Access-Control-Max-Age"), STR("600"));
	return rq_reply(rq, 204, STR_NULL, STR_NULL);
}
