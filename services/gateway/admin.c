#include "gateway/admin.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/routes/routing.h"
#include "gateway/views.h"
#include "http/json.h"
#include "http/sockets.h"

enum {
	MAX_CONNS = 256,
	WHY_SIZE = 1024,
};

static rq_step show_routes, show_upstreams, show_summary, reload;

static const struct route routes[] = {
	{ HTTP_GET, "/admin/routes", show_routes, 5000000, 0, ROUTE_ADMIN },
	{ HTTP_GET, "/admin/upstreams", show_upstreams, 5000000, 0, ROUTE_ADMIN },
	{ HTTP_GET, "/admin/summary", show_summary, 5000000, 0, ROUTE_ADMIN },
	/* Names of servers are looked up, which may take its time. */
	{ HTTP_POST, "/admin/reload", reload, 30000000, 0, ROUTE_ADMIN },
};

static const char *const breaker_names[BREAKER_STATES] = {
	[BREAKER_CLOSED] = "closed",
	[BREAKER_OPEN] = "open",
	[BREAKER_HALF_OPEN] = "halfOpen",
};

/* Who waits for the route file to be read. In the request's arena. */
struct asked {
	LIST_ENTRY(asked) link;
	struct rq *rq; /* borrowed */
	uint64_t turn; /* the reload that answers it, or a later one */
};

static struct httpd_settings settings; /* strings borrowed */
static struct worker *worker;          /* borrowed; NULL: not served */
static struct httpd *httpd;            /* owned */
static LIST_HEAD(, asked) waiting = LIST_HEAD_INITIALIZER(waiting); /* the loop's */
static struct loop_job told_job;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static uint64_t turns_asked, turns_begun, turns_done;
static bool posted;
static char refusal[WHY_SIZE]; /* of the last reload; "": none */

static void on_told(struct loop_job *job);

/* --- life ----------------------------------------------------------------------------
 */

bool
gateway_admin_open(const struct httpd_settings *of, const char *listen)
{
	settings = *of;
	settings.listen = listen;
	settings.listen_too = "";
	settings.max_conns = MAX_CONNS;
	return listen[0] == '\0' || sockets_open("ONRUSH_ADMIN_LISTEN", listen, 1);
}

bool
gateway_admin_start(struct worker *w)
{
	const struct httpd_conf conf = {
		.settings = &settings,
		.listen_setting = "ONRUSH_ADMIN_LISTEN",
		.alone = true,
		.routes = routes,
		.route_count = ARRAY_LEN(routes),
	};

	if (settings.listen[0] == '\0')
		return true;
	told_job.run = on_told;
	worker = w;
	httpd = httpd_new(w, &conf);
	return httpd != NULL;
}

void
gateway_admin_stop(void)
{
	httpd_free(httpd);
	httpd = NULL;
}

static rq_next
answer(struct rq *rq, struct buf *text)
{
	str copy = arena_str(rq->arena, buf_str(text));

	buf_fini(text);
	return rq_ok(rq, copy);
}

/* --- routes --------------------------------------------------------------------------
 */

static void
put_route(struct json_writer *w, const struct route_row *row)
{
	json_begin_object(w, NULL);
	json_put_str(w, "method", http_method_name(row->route.method));
	if (row->host.n > 0)
		json_put_str(w, "host", row->host);
	json_put_str(w, "path", str_of(row->route.pattern));
	json_put_str(w, "service", str_of(row->service_name));
	json_put_i64(w, "deadlineMs", row->route.deadline_us / CLOCK_US_PER_MS);
	json_put_i64(w, "bodyBytes", (int64_t)row->route.body_limit);
	json_put_bool(w, "retry", row->retry);
	json_put_bool(w, "pass", row->pass);
	json_put_bool(w, "here", row->behind != NULL);
	json_end_object(w);
}

static rq_next
show_routes(struct rq *rq)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	uint64_t version;
	struct route_table *table = routing_table(&version);

	json_begin_object(&w, NULL);
	json_put_i64(&w, "version", (int64_t)version);
	json_begin_array(&w, "routes");
	for (size_t i = 0; i < table->file->row_count; i++)
		put_route(&w, &table->file->rows[i]);
	json_end_array(&w);
	json_end_object(&w);
	routes_put(table);
	return answer(rq, &text);
}

/* --- services ------------------------------------------------------------------------
 */

static void
put_server(struct json_writer *w, const struct server_view *s)
{
	json_begin_object(w, NULL);
	json_put_str(w, "address", str_of(s->address));
	json_put_i64(w, "weight", s->weight);
	json_begin_object(w, "workers");
	for (size_t i = 0; i < SERVER_STATES; i++)
		json_put_i64(w, upstream_state_names[i], (int64_t)s->states[i]);
	json_end_object(w);
	json_put_i64(w, "ejectedMs", s->ejected_us / CLOCK_US_PER_MS);
	json_put_i64(w, "connections", (int64_t)s->conns);
	json_put_i64(w, "busy", (int64_t)s->busy);
	json_put_i64(w, "queued", (int64_t)s->queued);
	json_put_i64(w, "calls", (int64_t)s->calls);
	json_put_i64(w, "failures", (int64_t)s->failures);
	json_end_object(w);
}

static void
put_service(struct json_writer *w, const struct view *v, const struct service_view *s)
{
	json_begin_object(w, NULL);
	json_put_str(w, "name", str_of(s->name));
	json_begin_object(w, "breaker");
	for (size_t i = 0; i < BREAKER_STATES; i++)
		json_put_i64(w, breaker_names[i], (int64_t)s->breaker[i]);
	json_end_object(w);
	json_begin_array(w, "servers");
	for (size_t i = 0; i < v->server_count; i++)
		if (strcmp(v->servers[i].service, s->name) == 0)
			put_server(w, &v->servers[i]);
	json_end_array(w);
	json_end_object(w);
}

static rq_next
show_upstreams(struct rq *rq)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	struct view view = { 0 };

	views_read(&view);
	json_begin_object(&w, NULL);
	json_begin_array(&w, "services");
	for (size_t i = 0; i < view.service_count; i++)
		put_service(&w, &view, &view.services[i]);
	json_end_array(&w);
	json_end_object(&w);
	view_fini(&view);
	return answer(rq, &text);
}

/* --- all in all ----------------------------------------------------------------------
 */

static rq_next
show_summary(struct rq *rq)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	struct view view = { 0 };
	const char *not_ready;
	bool ready = ready_now(rq->worker->app, &not_ready);

	views_read(&view);
	json_begin_object(&w, NULL);
	json_put_str(&w, "version", STR(ONRUSH_VERSION));
	json_put_i64(&w, "workers", app_workers(rq->worker->app));
	json_put_bool(&w, "ready", ready);
	if (!ready)
		json_put_str(&w, "notReady", str_of(not_ready));
	json_put_i64(&w, "routesVersion", (int64_t)routing_version());
	json_put_i64(&w, "connections", (int64_t)view.conns);
	json_put_i64(&w, "requests", (int64_t)view.requests);
	json_end_object(&w);
	view_fini(&view);
	return answer(rq, &text);
}

/* --- reading the routes again --------------------------------------------------------
 */

static void
forget(struct rq *rq)
{
	struct asked *asked = rq->ctx;

	LIST_REMOVE(asked, link);
}

static rq_next
reloaded(struct rq *rq)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	const char *why = rq->result;

	if (rq->err != ERR_OK)
		return rq_fail(rq, rq->err);
	if (why[0] != '\0')
		return rq_fail_because(rq, ERR_ROUTES_REFUSED, "%s", why);
	json_begin_object(&w, NULL);
	json_put_i64(&w, "version", (int64_t)routing_version());
	json_end_object(&w);
	return answer(rq, &text);
}

static rq_next
reload(struct rq *rq)
{
	struct asked *asked = ARENA_NEW(rq->arena, struct asked);

	asked->rq = rq;
	rq->ctx = asked;
	LIST_INSERT_HEAD(&waiting, asked, link);
	pthread_mutex_lock(&mutex);
	asked->turn = ++turns_asked;
	pthread_mutex_unlock(&mutex);
	app_reload(rq->worker->app);
	return rq_wait(rq, reloaded, 0, forget);
}

void
gateway_admin_reloading(void)
{
	pthread_mutex_lock(&mutex);
	turns_begun = turns_asked;
	pthread_mutex_unlock(&mutex);
}

void
gateway_admin_reloaded(const char *why)
{
	pthread_mutex_lock(&mutex);
	turns_done = turns_begun;
	snprintf(refusal, sizeof(refusal), "%s", why == NULL ? "" : why);
	if (worker != NULL && !posted) {
		posted = true;
		loop_post(worker->loop, &told_job);
	}
	pthread_mutex_unlock(&mutex);
}

/* On the loop: answers those whose turn it was. */
static void
on_told(struct loop_job *job UNUSED)
{
	char why[WHY_SIZE];
	struct asked *asked, *next;
	uint64_t done;

	pthread_mutex_lock(&mutex);
	posted = false;
	done = turns_done;
	memcpy(why, refusal, sizeof(why));
	pthread_mutex_unlock(&mutex);
	for (asked = LIST_FIRST(&waiting); asked != NULL; asked = next) {
		next = LIST_NEXT(asked, link);
		if (asked->turn > done)
			continue;
		LIST_REMOVE(asked, link);
		rq_wake(asked->rq, ERR_OK, why);
	}
}
