/*
 * Dealing connections out evenly. The kernel deals those of a port to the workers'
 * sockets by chance, and at a path the worker that wakes first takes them: of few
 * connections that live long, one worker may get most. So a worker that has accepted one
 * gives it to the worker that has fewest.
 *
 *   accepted ──> to whom ──itself──> conn_new
 *                   └─────another──> loop_post ──> its thread: conn_new
 *
 * A worker that drains is given nothing more and gives nothing away; it ends when what it
 * was given before has come and gone.
 */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "http/httpd_impl.h"

/* A connection on its way to another worker. */
struct gift {
	struct loop_job job;
	struct httpd *to; /* borrowed; its load counts the gift */
	struct arrival arrival;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Of all servers of the process; those with the same settings are one group. */
static LIST_HEAD(, httpd) members = LIST_HEAD_INITIALIZER(members);

static void on_gift(struct loop_job *job);

void
share_join(struct httpd *httpd)
{
	if (httpd->conf.alone)
		return;
	pthread_mutex_lock(&lock);
	LIST_INSERT_HEAD(&members, httpd, member);
	httpd->shares = true;
	pthread_mutex_unlock(&lock);
}

void
share_leave(struct httpd *httpd)
{
	pthread_mutex_lock(&lock);
	if (httpd->shares)
		LIST_REMOVE(httpd, member);
	httpd->shares = false;
	pthread_mutex_unlock(&lock);
}

/* With the lock: who of the group has fewest. */
static struct httpd *
least_loaded(struct httpd *httpd)
{
	struct httpd *least = httpd, *other;

	if (!httpd->shares)
		return httpd;
	LIST_FOREACH (other, &members, member)
		if (other->conf.settings == httpd->conf.settings &&
		    atomic_load(&other->load) < atomic_load(&least->load))
			least = other;
	return least;
}

static void
arrive(struct httpd *httpd, const struct arrival *arrival)
{
	if (!conn_new(httpd, arrival))
		share_forget(httpd);
}

void
share_deal(struct httpd *httpd, const struct arrival *arrival)
{
	struct httpd *to;
	struct gift *gift;

	pthread_mutex_lock(&lock);
	to = least_loaded(httpd);
	atomic_fetch_add(&to->load, 1);
	if (to != httpd) {
		gift = xcalloc(1, sizeof(*gift));
		gift->job.run = on_gift;
		gift->to = to;
		gift->arrival = *arrival;
		loop_post(to->worker->loop, &gift->job);
	}
	pthread_mutex_unlock(&lock);
	if (to == httpd)
		arrive(httpd, arrival);
}

static void
on_gift(struct loop_job *job)
{
	struct gift *gift = CONTAINER_OF(job, struct gift, job);
	struct httpd *httpd = gift->to;

	if (httpd->ended) {
		close(gift->arrival.fd);
		share_forget(httpd);
	} else {
		arrive(httpd, &gift->arrival);
	}
	free(gift);
}

void
share_forget(struct httpd *httpd)
{
	atomic_fetch_sub(&httpd->load, 1);
	httpd_settle(httpd);
}
