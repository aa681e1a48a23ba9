#include "gateway/upstream/upstream.h"

#include <stdlib.h>
#include <string.h>

#include "app/log.h"
#include "base/uuid.h"
#include "gateway/upstream/pick_rules.h"
#include "gateway/upstream/upstream_impl.h"
#include "gateway/views.h"

/* An ejection is at most so much longer than the first one. */
#define EJECT_GROWTH 12

static bool follow_directory(struct upstream *up, bool warm);
static void reap(struct upstream *up);
static void on_check_timer(void *arg);

/* --- the service, of all workers -----------------------------------------------------
 */

struct service *
service_new(const char *name, const char *servers,
    const struct upstream_settings *settings, char *err, size_t err_size)
{
	const struct directory_conf conf = {
		.name = name,
		.name_server = settings->name_server,
		.interval_us = settings->lookup_us,
	};
	struct server_entry entries[SERVER_LIST_MAX];
	struct directory *directory;
	struct service *s;
	size_t count;

	if (!server_list_parse(str_of(servers), entries, &count, err, err_size))
		return NULL;
	ASSERT(count > 0);
	directory = directory_new(&conf, entries, count, err, err_size);
	if (directory == NULL)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	s->owners = 1;
	s->name = xstrdup(name);
	s->directory = directory;
	upstream_metrics_init(&s->metrics, name);
	return s;
}

struct service *
service_take(struct service *s)
{
	atomic_fetch_add(&s->owners, 1);
	return s;
}

void
service_put(struct service *s)
{
	if (s == NULL || atomic_fetch_sub(&s->owners, 1) != 1)
		return;
	directory_free(s->directory);
	free(s->name);
	free(s);
}

/* --- life ----------------------------------------------------------------------------
 */

static void
set_limits(struct upstream *up, const struct upstream_settings *settings)
{
	up->limits = (struct server_limits){
		.rise = settings->rise,
		.fall = settings->fall,
		.failures = settings->eject_failures,
		.eject_us = settings->eject_us,
		.eject_max_us = settings->eject_us * EJECT_GROWTH,
		.slow_start_us = settings->slow_start_us,
	};
	up->bounds = (struct admission_bounds){
		.min = upstream_share(settings->min_calls, up->workers),
		.max = upstream_share(settings->max_conns, up->workers),
		.target_us = settings->target_us,
		.queue_us = settings->queue_us,
	};
	breaker_init(&up->breaker, (int)settings->breaker_failures, settings->breaker_us);
	retry_budget_init(&up->budget, settings->retry_share,
	    (double)settings->retry_floor / up->workers);
}

struct upstream *
upstream_new(struct loop *loop, int workers, struct service *service,
    const struct upstream_settings *settings)
{
	struct upstream *up = xcalloc(1, sizeof(*up));
	uuid seed = uuid_new();

	up->loop = loop;
	up->service = service;
	up->settings = settings;
	up->workers = workers;
	/* So that the workers do not draw the same servers. */
	up->random = pick_hash((str){ (const char *)&seed, sizeof(seed) });
	TAILQ_INIT(&up->servers);
	set_limits(up, settings);
	if (!follow_directory(up, true)) {
		upstream_free(up);
		return NULL;
	}
	if (settings->check_us > 0) {
		up->check_timer = loop_timer_new(loop, on_check_timer, up);
		loop_timer_set(up->check_timer, settings->check_us);
	}
	return up;
}

void
upstream_free(struct upstream *up)
{
	struct server *s;

	if (up == NULL)
		return;
	loop_timer_free(up->check_timer);
	while ((s = TAILQ_FIRST(&up->servers)) != NULL) {
		TAILQ_REMOVE(&up->servers, s, link);
		server_free(s);
	}
	gauge_add(up->service->metrics.resting, -(int64_t)up->resting);
	free(up);
}

const char *
upstream_name(const struct upstream *up)
{
	return up->service->name;
}

size_t
upstream_share(int64_t total, int workers)
{
	return total > workers ? (size_t)(total / workers) : 1;
}

/* --- servers that come and go --------------------------------------------------------
 */

static struct server *
find(const struct upstream *up, const char *address)
{
	struct server *s;

	TAILQ_FOREACH (s, &up->servers, link)
		if (strcmp(s->at.address, address) == 0)
			return s;
	return NULL;
}

/* Makes the listed servers those of the directory; false when one cannot be used. */
static bool
follow_directory(struct upstream *up, bool warm)
{
	struct dns_server found[DNS_MAX];
	struct server *s;
	size_t count;
	bool ok = true;

	up->version = directory_version(up->service->directory);
	count = directory_read(up->service->directory, found);
	TAILQ_FOREACH (s, &up->servers, link)
		s->listed = false;
	up->listed = 0;
	for (size_t i = 0; i < count; i++) {
		s = find(up, found[i].address);
		if (s == NULL) {
			s = server_new(up, &found[i], warm);
			if (s == NULL) {
				ok = false;
				continue;
			}
			TAILQ_INSERT_TAIL(&up->servers, s, link);
		}
		s->at.weight = found[i].weight;
		s->listed = true;
		up->listed++;
	}
	return ok;
}

static void
log_servers(const struct upstream *up)
{
	struct buf list = { 0 };
	const struct server *s;

	TAILQ_FOREACH (s, &up->servers, link)
		if (s->listed)
			buf_printf(&list, "%s%s", buf_size(&list) > 0 ? ", " : "",
			    s->at.address);
	log_info("the %s service's servers are now %.*s", up->service->name,
	    STR_ARG(buf_str(&list)));
	buf_fini(&list);
}

/* Frees the servers that are not listed any more and have ended what they were doing. */
static void
reap(struct upstream *up)
{
	struct server *s = TAILQ_FIRST(&up->servers), *next;

	for (; s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (s->listed || !server_is_quiet(s))
			continue;
		TAILQ_REMOVE(&up->servers, s, link);
		server_free(s);
	}
}

/* One server is asked nothing: there is no other to send to. */
static void
on_check_timer(void *arg)
{
	struct upstream *up = arg;
	struct server *s;

	loop_timer_set(up->check_timer, up->settings->check_us);
	if (up->listed < 2)
		return;
	TAILQ_FOREACH (s, &up->servers, link)
		if (s->listed)
			server_check(s);
}

void
upstream_observe(struct upstream *up)
{
	bool resting = up->breaker.state != BREAKER_CLOSED;
	struct server *s;

	if (directory_version(up->service->directory) != up->version) {
		(void)follow_directory(up, false);
		log_servers(up);
	}
	reap(up);
	TAILQ_FOREACH (s, &up->servers, link)
		server_observe(s);
	gauge_add(up->service->metrics.resting, (int64_t)resting - (int64_t)up->resting);
	up->resting = resting;
}

void
upstream_view(const struct upstream *up, struct view *v)
{
	const struct server *s;

	view_add_service(v, up->service->name)->breaker[up->breaker.state] = 1;
	TAILQ_FOREACH (s, &up->servers, link)
		server_view(s, view_add_server(v, up->service->name, s->at.address));
}
