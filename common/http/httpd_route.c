/*
 * Routing: which route a request takes, its parameters, who may call it, and the metrics
 * of each.
 *
 *   httpd ──> route_set (the newest) ──> slots <── exchange
 *             route_set (older ones, until their last exchange ends) ──> …
 */
#include <stdlib.h>
#include <string.h>

#include "crypto/digest.h"
#include "http/httpd_impl.h"

static struct route_set *new_set(struct httpd *httpd, const struct httpd_routes *routes);
static void put_set(struct route_set *set);
static void on_unused(struct loop_job *job);
static void add_slot(struct route_set *set, const struct route *route, rq_step *first);
static bool visit(void *arg, size_t i);
static void take_slot(struct exchange *x, const struct slot *slot);
static void take_alone(struct exchange *x, const struct slot *slot);
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
	const struct route **list = xcalloc(conf->route_count + 1, sizeof(*list));
	const struct httpd_routes routes = {
		.routes = list,
		.count = conf->route_count,
	};

	ASSERT((conf->fallback == NULL) == (conf->fallback_route == NULL));
	for (size_t i = 0; i < conf->route_count; i++)
		list[i] = &conf->routes[i];
	httpd->routes = new_set(httpd, &routes);
	free(list);
}

void
httpd_set_routes(struct httpd *httpd, const struct httpd_routes *routes)
{
	struct route_set *old = httpd->routes;

	httpd->routes = new_set(httpd, routes);
	put_set(old);
}

/* Those that are being answered still have them. */
void
routes_fini(struct httpd *httpd)
{
	put_set(httpd->routes);
	httpd->routes = NULL;
}

static struct route_set *
new_set(struct httpd *httpd, const struct httpd_routes *routes)
{
	struct route_set *set = xcalloc(1, sizeof(*set));
	const struct httpd_conf *conf = &httpd->conf;
	size_t max = OPS_ROUTES + routes->count + 2;

	set->loop = httpd->worker->loop;
	set->source = *routes;
	set->source.routes = NULL; /* the slots have them */
	set->users = 1;
	set->job.run = on_unused;
	set->tree = path_tree_new();
	set->ops = conf->no_metrics ? OPS_ROUTES - 1 : OPS_ROUTES;
	set->slots = xcalloc(max, sizeof(*set->slots));
	set->deadlines = xcalloc(max, sizeof(struct loop_waits *));
	for (size_t i = 0; i < set->ops; i++) {
		add_slot(set, &ops_routes[i], ops_routes[i].first);
		set->slots[i].always = true;
	}
	for (size_t i = 0; i < routes->count; i++) {
		ASSERT(routes->routes[i]->first != NULL);
		add_slot(set, routes->routes[i], routes->routes[i]->first);
	}
	for (size_t i = 0; i < set->slot_count; i++)
		path_tree_add(set->tree, set->slots[i].route->pattern, i);
	if (routes->preflight != NULL) {
		set->preflight = &set->slots[set->slot_count];
		add_slot(set, routes->preflight, routes->preflight->first);
	}
	if (conf->fallback != NULL)
		add_slot(set, conf->fallback_route, conf->fallback);
	else
		add_slot(set, &none, NULL);
	return set;
}

/* At the end of the turn: the last user may be in a callback of one of the deadlines. */
static void
put_set(struct route_set *set)
{
	ASSERT(set->users > 0);
	if (--set->users == 0)
		loop_defer(set->loop, &set->job);
}

static void
on_unused(struct loop_job *job)
{
	struct route_set *set = CONTAINER_OF(job, struct route_set, job);

	if (set->source.unused != NULL)
		set->source.unused(set->source.arg);
	for (size_t i = 0; i < set->deadline_count; i++)
		loop_waits_free(set->deadlines[i]);
	path_tree_free(set->tree);
	free(set->deadlines);
	free(set->slots);
	free(set);
}

/* Routes with the same deadline share its list. */
static struct loop_waits *
deadline_of(struct route_set *set, const struct route *route)
{
	size_t i;

	for (i = 0; i < set->slot_count; i++)
		if (set->slots[i].route->deadline_us == route->deadline_us)
			return set->slots[i].deadline;
	return set->deadlines[set->deadline_count++] =
		   loop_waits_new(set->loop, route->deadline_us, exchange_on_deadline);
}

static void
add_slot(struct route_set *set, const struct route *route, rq_step *first)
{
	struct slot *slot = &set->slots[set->slot_count];
	const char *pattern = route->pattern != NULL ? route->pattern : "(other)";
	str method =
	    route->method == HTTP_OTHER ? STR("any") : http_method_name(route->method);
	struct buf labels = { 0 };
	size_t size;

	ASSERT(first == NULL || route->deadline_us > 0);
	slot->set = set;
	slot->route = route;
	slot->first = first;
	slot->rest = strstr(pattern, "...}") != NULL;
	slot->deadline = first != NULL ? deadline_of(set, route) : NULL;
	buf_printf(&labels, "route=\"%s\",method=\"%.*s\"", pattern, STR_ARG(method));
	buf_add(&labels, "", 1);
	size = buf_size(&labels);
	slot->seconds = histogram_new("onrush_http_request_seconds",
	    "Time from a complete request to its answer.", labels.p);
	for (int class = route->flags & ROUTE_TUNNEL ? 1 : 2; class <= 5; class ++) {
		labels.len = size - 1;
		buf_printf(&labels, ",code=\"%dxx\"", class);
		buf_add(&labels, "", 1);
		slot->by_class[class] = counter_new("onrush_http_requests_total",
		    "Answers by route and class of status.", labels.p);
	}
	buf_fini(&labels);
	set->slot_count++;
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

/* A request that looks for its route. */
struct search {
	struct exchange *x;
	bool known; /* there is one, for another method */
};

static bool
visit(void *arg, size_t i)
{
	struct search *s = arg;
	const struct route_set *set = s->x->httpd->routes;
	const struct slot *slot = &set->slots[i];

	if (i >= set->ops && set->source.fits != NULL &&
	    !set->source.fits(slot->route, &s->x->head))
		return false;
	s->known = true;
	if (!takes(slot->route, s->x->head.method))
		return false;
	take_slot(s->x, slot);
	return true;
}

/* Does a browser ask what a page of another origin may send (Fetch, 3.2.3)? */
static bool
is_preflight(const struct exchange *x)
{
	return x->httpd->routes->preflight != NULL && x->head.method == HTTP_OPTIONS &&
	       http_header(&x->head, STR("origin")).n > 0 &&
	       http_header(&x->head, STR("access-control-request-method")).n > 0;
}

enum err
route_find(struct exchange *x)
{
	struct search search = { .x = x };
	struct rq *rq = &x->rq;

	if (!path_tree_find(
		x->httpd->routes->tree, rq->path, rq->params, visit, &search)) {
		if (search.known && is_preflight(x))
			take_alone(x, x->httpd->routes->preflight);
		else
			route_miss(x);
	}
	x->unlogged = (rq->route->flags & ROUTE_QUIET) != 0;
	if (x->slot->first == NULL && !search.known)
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

static void
take_slot(struct exchange *x, const struct slot *slot)
{
	x->slot = slot;
	x->rq.route = slot->route;
	slot->set->users++;
}

/* A slot without params. */
static void
take_alone(struct exchange *x, const struct slot *slot)
{
	memset(x->rq.params, 0, sizeof(x->rq.params));
	take_slot(x, slot);
}

void
route_miss(struct exchange *x)
{
	const struct route_set *set = x->httpd->routes;

	take_alone(x, &set->slots[set->slot_count - 1]);
}

void
route_put(struct exchange *x)
{
	if (x->slot == NULL)
		return;
	put_set(x->slot->set);
	x->slot = NULL;
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
		bool last = i + 1 == RQ_MAX_PARAMS || param[1].p == NULL;

		if (last && x->slot->rest)
			break; /* an escaped slash of it would become another */
		if (memchr(param->p, '%', param->n) != NULL &&
		    !http_unescape(*param, arena_alloc(x->rq.arena, param->n), param))
			return ERR_BAD_REQUEST;
	}
	return ERR_OK;
}

static bool
list_method(void *arg, size_t i)
{
	struct exchange *x = arg;
	struct buf *text = &x->httpd->text;
	const struct route_set *set = x->httpd->routes;
	const struct route *route = set->slots[i].route;

	if (i >= set->ops && set->source.fits != NULL &&
	    !set->source.fits(route, &x->head))
		return false;
	if (buf_size(text) > 0)
		buf_add_str(text, STR(", "));
	buf_add_str(text, http_method_name(route->method));
	if (route->method == HTTP_GET)
		buf_add_str(text, STR(", HEAD"));
	return false;
}

/* RFC 9110, 10.2.1: a 405 names what would be allowed. */
static void
list_methods(struct exchange *x)
{
	str ignored[RQ_MAX_PARAMS];

	buf_clear(&x->httpd->text);
	(void)path_tree_find(x->httpd->routes->tree, x->rq.path, ignored, list_method, x);
	rq_header(&x->rq, STR("Allow"), buf_str(&x->httpd->text));
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
