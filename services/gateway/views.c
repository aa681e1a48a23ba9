#include "gateway/views.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/metrics.h"
#include "base/die.h"

enum {
	FIRST_ROOM = 8
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct view *published; /* owned; one of each worker; guarded by mutex */
static int published_count;

/* --- one view ------------------------------------------------------------------------
 */

/* Room for one more element in an array. */
static void *
grow(void *array, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return array;
	*room = *room == 0 ? FIRST_ROOM : 2 * *room;
	return xrealloc(array, *room * size);
}

struct service_view *
view_add_service(struct view *v, const char *name)
{
	struct service_view *row;

	v->services = grow(v->services, v->service_count, &v->service_room, sizeof(*row));
	row = &v->services[v->service_count++];
	*row = (struct service_view){ 0 };
	snprintf(row->name, sizeof(row->name), "%s", name);
	return row;
}

struct server_view *
view_add_server(struct view *v, const char *service, const char *address)
{
	struct server_view *row;

	v->servers = grow(v->servers, v->server_count, &v->server_room, sizeof(*row));
	row = &v->servers[v->server_count++];
	*row = (struct server_view){ 0 };
	snprintf(row->service, sizeof(row->service), "%s", service);
	snprintf(row->address, sizeof(row->address), "%s", address);
	return row;
}

void
view_clear(struct view *v)
{
	v->server_count = v->service_count = 0;
	v->conns = v->requests = 0;
}

void
view_fini(struct view *v)
{
	free(v->servers);
	free(v->services);
	*v = (struct view){ 0 };
}

/* --- adding up -----------------------------------------------------------------------
 */

static struct service_view *
find_service(struct view *v, const char *name)
{
	for (size_t i = 0; i < v->service_count; i++)
		if (strcmp(v->services[i].name, name) == 0)
			return &v->services[i];
	return view_add_service(v, name);
}

static struct server_view *
find_server(struct view *v, const char *service, const char *address)
{
	for (size_t i = 0; i < v->server_count; i++)
		if (strcmp(v->servers[i].address, address) == 0 &&
		    strcmp(v->servers[i].service, service) == 0)
			return &v->servers[i];
	return view_add_server(v, service, address);
}

static void
add_server(struct server_view *to, const struct server_view *from)
{
	to->weight = from->weight;
	for (size_t i = 0; i < SERVER_STATES; i++)
		to->states[i] += from->states[i];
	to->conns += from->conns;
	to->busy += from->busy;
	to->queued += from->queued;
	to->calls += from->calls;
	to->failures += from->failures;
	if (to->ejected_us < from->ejected_us)
		to->ejected_us = from->ejected_us;
}

static int
by_name(const void *a, const void *b)
{
	const struct service_view *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int
by_service_and_address(const void *a, const void *b)
{
	const struct server_view *x = a, *y = b;
	int order = strcmp(x->service, y->service);

	return order != 0 ? order : strcmp(x->address, y->address);
}

void
view_merge(struct view *into, const struct view *from)
{
	for (size_t i = 0; i < from->service_count; i++) {
		const struct service_view *row = &from->services[i];
		struct service_view *sum = find_service(into, row->name);

		for (size_t j = 0; j < BREAKER_STATES; j++)
			sum->breaker[j] += row->breaker[j];
	}
	for (size_t i = 0; i < from->server_count; i++) {
		const struct server_view *row = &from->servers[i];

		add_server(find_server(into, row->service, row->address), row);
	}
	into->conns += from->conns;
	into->requests += from->requests;
	if (into->service_count > 0)
		qsort(into->services, into->service_count, sizeof(*into->services),
		    by_name);
	if (into->server_count > 0)
		qsort(into->servers, into->server_count, sizeof(*into->servers),
		    by_service_and_address);
}

/* --- of all workers ------------------------------------------------------------------
 */

/* A label's value: an address, of which a path may have any byte. */
static void
print_value(struct buf *out, const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			buf_add(out, "\\", 1);
		buf_add(out, *value == '\n' ? " " : value, 1);
	}
}

static void
print_server(struct buf *out, const char *name, const struct server_view *s,
    const char *state, uint64_t value)
{
	buf_printf(out, "%s{upstream=\"%s\",server=\"", name, s->service);
	print_value(out, s->address);
	if (state != NULL)
		buf_printf(out, "\",state=\"%s", state);
	buf_printf(out, "\"} %" PRIu64 "\n", value);
}

static void
print_family(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* The servers that there are at the moment: those that have gone are not kept, so that
 * replicas that come and go do not fill the memory. */
static void
print_servers(struct buf *out)
{
	static const char states[] = "onrush_gateway_server_workers",
			  calls[] = "onrush_gateway_server_calls_total",
			  failures[] = "onrush_gateway_server_failures_total";
	struct view v = { 0 };

	views_read(&v);
	print_family(out, states, "gauge", "Workers to which a server is in that state.");
	for (size_t i = 0; i < v.server_count; i++)
		for (size_t state = 0; state < SERVER_STATES; state++)
			print_server(out, states, &v.servers[i],
			    upstream_state_names[state], v.servers[i].states[state]);
	print_family(out, calls, "counter", "Calls at a server that have ended.");
	for (size_t i = 0; i < v.server_count; i++)
		print_server(out, calls, &v.servers[i], NULL, v.servers[i].calls);
	print_family(out, failures, "counter",
	    "Calls at a server without connection, answer in time, or a valid one.");
	for (size_t i = 0; i < v.server_count; i++)
		print_server(out, failures, &v.servers[i], NULL, v.servers[i].failures);
	view_fini(&v);
}

void
views_start(int workers)
{
	metrics_add_source(print_servers);
	published = xcalloc((size_t)workers, sizeof(*published));
	published_count = workers;
}

void
views_stop(void)
{
	for (int i = 0; i < published_count; i++)
		view_fini(&published[i]);
	free(published);
	published = NULL;
	published_count = 0;
}

void
views_publish(int worker, struct view *v)
{
	struct view before;

	pthread_mutex_lock(&mutex);
	before = published[worker];
	published[worker] = *v;
	pthread_mutex_unlock(&mutex);
	*v = before;
}

void
views_read(struct view *v)
{
	pthread_mutex_lock(&mutex);
	for (int i = 0; i < published_count; i++)
		view_merge(v, &published[i]);
	pthread_mutex_unlock(&mutex);
}
