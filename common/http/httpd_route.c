/*
 * Routing: which route a request takes, its parameters, who may call it, and the metrics
 * of each. A program has a handful of routes, which differ within a few bytes: trying
 * them in order is as fast as a tree and can be read.
 */
#include <stdlib.h>
#include <string.h>

#include "crypto/digest.h"
#include "http/httpd_impl.h"

static void add_slot(struct httpd *httpd, const struct route *route, rq_step *first);
static bool match(const char *pattern, str path, str *params);
static bool takes(const struct route *route, enum http_method method);
static enum err unescape_params(struct exchange *x);
static enum err authorize(struct exchange *x);
static void list_methods(struct exchange *x);

/* What no route matches, when the program has no fallback. */
static const struct route none = { .method = HTTP_OTHER, .pattern = "(none)" };

/* --- the table -----------------------------------------------------------------------
 */

void
routes_init(struct httpd *httpd)
{
	const struct httpd_conf *conf = &httpd->conf;
	size_t max = OPS_ROUTES + conf->route_count + 1;

	httpd->slots = xcalloc(max, sizeof(*httpd->slots));
	httpd->deadlines = xcalloc(max, sizeof(struct loop_waits *));
	for (size_t i = 0; i < OPS_ROUTES; i++) {
		add_slot(httpd, &ops_routes[i], ops_routes[i].first);
		httpd->slots[i].always = true;
	}
	for (size_t i = 0; i < conf->route_count; i++) {
		ASSERT(conf->routes[i].first != NULL);
		add_slot(httpd, &conf->routes[i], conf->routes[i].first);
	}
	ASSERT((conf->fallback == NULL) == (conf->fallback_route == NULL));
	if (conf->fallback != NULL)
		add_slot(httpd, conf->fallback_route, conf->fallback);
	else
		add_slot(httpd, &none, NULL);
}

void
routes_fini(struct httpd *httpd)
{
	for (size_t i = 0; i < httpd->deadline_count; i++)
		loop_waits_free(httpd->deadlines[i]);
	httpd->deadline_count = 0;
}

/* Routes with the same deadline share its list. */
static struct loop_waits *
deadline_of(struct httpd *httpd, const struct route *route)
{
	size_t i;

	for (i = 0; i < httpd->slot_count; i++)
		if (httpd->slots[i].route->deadline_us == route->deadline_us)
			return httpd->slots[i].deadline;
	return httpd->deadlines[httpd->deadline_count++] = loop_waits_new(
		   httpd->worker->loop, route->deadline_us, exchange_on_deadline);
}

static void
add_slot(struct httpd *httpd, const struct route *route, rq_step *first)
{
	struct slot *slot = &httpd->slots[httpd->slot_count];
	const char *pattern = route->pattern != NULL ? route->pattern : "(other)";
	str method =
	    route->method == HTTP_OTHER ? STR("any") : http_method_name(route->method);
	struct buf labels = { 0 };
	size_t size;

	ASSERT(first == NULL || route->deadline_us > 0);
	slot->route = route;
	slot->first = first;
	slot->deadline = first != NULL ? deadline_of(httpd, route) : NULL;
	buf_printf(&labels, "route=\"%s\",method=\"%.*s\"", pattern, STR_ARG(method));
	buf_add(&labels, "", 1);
	size = buf_size(&labels);
	slot->seconds = histogram_new("onrush_http_request_seconds",
	    "Time from a complete request to its answer.", labels.p);
	for (int class = 2; class <= 5; class ++) {
		labels.len = size - 1;
		buf_printf(&labels, ",code=\"%dxx\"", class);
		buf_add(&labels, "", 1);
		slot->by_class[class] = counter_new("onrush_http_requests_total",
		    "Answers by route and class of status.", labels.p);
	}
	buf_fini(&labels);
	httpd->slot_count++;
}

void
route_count(const struct exchange *x, int status, int64_t took_us)
{
	counter_add(x->slot->by_class[status / 100], 1);
	/* A refusal takes no time: it would hide how long the others take. */
	if (x->counted)
		histogram_observe_us(x->slot->seconds, took_us);
}

/* --- finding -------------------------------------------------------------------------
 */

enum err
route_find(struct exchange *x)
{
	struct httpd *httpd = x->httpd;
	struct rq *rq = &x->rq;
	bool known = false;

	for (size_t i = 0; i + 1 < httpd->slot_count; i++) {
		const struct route *route = httpd->slots[i].route;

		if (!match(route->pattern, rq->path, rq->params))
			continue;
		known = true;
		if (takes(route, x->head.method)) {
			x->slot = &httpd->slots[i];
			break;
		}
	}
	if (x->slot == NULL) {
		x->slot = &httpd->slots[httpd->slot_count - 1];
		memset(rq->params, 0, sizeof(rq->params));
	}
	rq->route = x->slot->route;
	x->unlogged = (rq->route->flags & ROUTE_QUIET) != 0;
	if (x->slot->first == NULL && !known)
		return ERR_NOT_FOUND;
	if (x->slot->first == NULL) {
		list_methods(x);
		return ERR_METHOD_NOT_ALLOWED;
	}
	if (rq->route->flags & ROUTE_ADMIN) {
		enum err err = authorize(x);

		if (err != ERR_OK)
			return err;
	}
	return unescape_params(x);
}

/* Does the path look like the pattern? Its {…} match one segment that is not empty. */
static bool
match(const char *pattern, str path, str *params)
{
	size_t count = 0, n;

	while (*pattern != '\0') {
		if (*pattern != '{') {
			if (path.n == 0 || *path.p != *pattern)
				return false;
			pattern++;
			path = (str){ path.p + 1, path.n - 1 };
			continue;
		}
		for (n = 0; n < path.n && path.p[n] != '/'; n++)
			continue;
		if (n == 0)
			return false;
		ASSERT(count < RQ_MAX_PARAMS);
		params[count++] = (str){ path.p, n };
		path = (str){ path.p + n, path.n - n };
		pattern = strchr(pattern, '}') + 1;
	}
	return path.n == 0;
}

static bool
takes(const struct route *route, enum http_method method)
{
	return route->method == method ||
	       (route->method == HTTP_GET && method == HTTP_HEAD);
}

static enum err
unescape_params(struct exchange *x)
{
	for (size_t i = 0; i < RQ_MAX_PARAMS && x->rq.params[i].p != NULL; i++) {
		str *param = &x->rq.params[i];

		if (memchr(param->p, '%', param->n) != NULL &&
		    !http_unescape(*param, arena_alloc(x->rq.arena, param->n), param))
			return ERR_BAD_REQUEST;
	}
	return ERR_OK;
}

/* RFC 9110, 10.2.1: a 405 names what would be allowed. */
static void
list_methods(struct exchange *x)
{
	struct buf *text = &x->httpd->text;
	str ignored[RQ_MAX_PARAMS];

	buf_clear(text);
	for (size_t i = 0; i + 1 < x->httpd->slot_count; i++) {
		const struct route *route = x->httpd->slots[i].route;

		if (!match(route->pattern, x->rq.path, ignored))
			continue;
		if (buf_size(text) > 0)
			buf_add_str(text, STR(", "));
		buf_add_str(text, http_method_name(route->method));
		if (route->method == HTTP_GET)
			buf_add_str(text, STR(", HEAD"));
	}
	rq_header(&x->rq, STR("Allow"), buf_str(text));
}

/* --- who may -------------------------------------------------------------------------
 */

/* Hashing first makes the comparison independent of the key's length too. */
static enum err
authorize(struct exchange *x)
{
	str field = http_header(&x->head, STR("Authorization"));
	str key = str_of(x->httpd->conf.settings->admin_key);
	struct sha256 ours, theirs;
	str scheme, given;

	given = str_trim(str_cut(field, ' ', &scheme));
	if (!str_eq_nocase(scheme, STR("Bearer")) || given.n == 0) {
		rq_header(&x->rq, STR("WWW-Authenticate"), STR("Bearer"));
		return ERR_UNAUTHORIZED;
	}
	if (key.n == 0)
		return ERR_FORBIDDEN;
	ours = sha256_of(&key, 1);
	theirs = sha256_of(&given, 1);
	return digest_equal(&ours, &theirs, sizeof(ours)) ? ERR_OK : ERR_FORBIDDEN;
}
