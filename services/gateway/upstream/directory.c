#include "gateway/upstream/directory.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/log.h"
#include "base/clock.h"

/* An entry and what it stood for when it was last looked up. */
struct known {
	struct server_entry entry;
	struct dns_server servers[DNS_MAX];
	size_t count;
	bool lost; /* it cannot be looked up; said once */
};

struct directory {
	atomic_int owners; /* the maker and the thread; the last one frees */
	char name[64];
	char name_server[DNS_ADDRESS_SIZE];
	int64_t interval_us;
	struct known *known; /* owned; the thread's, after the start */
	size_t known_count;
	atomic_uint_fast64_t version;
	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t ended_cond;
	bool ended;
	struct dns_server servers[DNS_MAX];
	size_t count;
};

static bool has_names(const struct directory *d);
static bool start_thread(struct directory *d);
static void *thread_main(void *arg);
static bool look_up(struct directory *d, struct known *known, char *err, size_t err_size);
static void publish(struct directory *d);
static void put(struct directory *d);

struct directory *
directory_new(const struct directory_conf *conf, const struct server_entry *entries,
    size_t count, char *err, size_t err_size)
{
	struct directory *d = xcalloc(1, sizeof(*d));
	pthread_condattr_t attr;

	ASSERT(count > 0);
	snprintf(d->name, sizeof(d->name), "%s", conf->name);
	snprintf(d->name_server, sizeof(d->name_server), "%s", conf->name_server);
	d->interval_us = conf->interval_us;
	d->owners = 1;
	d->known = xcalloc(count, sizeof(*d->known));
	d->known_count = count;
	pthread_mutex_init(&d->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->ended_cond, &attr);
	pthread_condattr_destroy(&attr);
	for (size_t i = 0; i < count; i++) {
		d->known[i].entry = entries[i];
		if (look_up(d, &d->known[i], err, err_size))
			continue;
		if (!conf->patient) {
			put(d);
			return NULL;
		}
		log_warn("the %s service is not found yet: %s", d->name, err);
		d->known[i].lost = true;
	}
	publish(d);
	if (has_names(d) && !start_thread(d))
		log_warn(
		    "the %s service's names are not looked up again: no thread", d->name);
	return d;
}

void
directory_free(struct directory *d)
{
	if (d == NULL)
		return;
	pthread_mutex_lock(&d->mutex);
	d->ended = true;
	pthread_cond_signal(&d->ended_cond);
	pthread_mutex_unlock(&d->mutex);
	put(d);
}

static void
put(struct directory *d)
{
	if (atomic_fetch_sub(&d->owners, 1) != 1)
		return;
	pthread_cond_destroy(&d->ended_cond);
	pthread_mutex_destroy(&d->mutex);
	free(d->known);
	free(d);
}

uint64_t
directory_version(const struct directory *d)
{
	return atomic_load_explicit(&d->version, memory_order_acquire);
}

size_t
directory_read(struct directory *d, struct dns_server servers[DNS_MAX])
{
	size_t count;

	pthread_mutex_lock(&d->mutex);
	count = d->count;
	memcpy(servers, d->servers, count * sizeof(*servers));
	pthread_mutex_unlock(&d->mutex);
	return count;
}

/* --- looking up ----------------------------------------------------------------------
 */

/* Addresses of digits stand for themselves for ever. */
static bool
is_name(const struct known *known)
{
	return known->entry.srv || known->count != 1 ||
	       strcmp(known->entry.name, known->servers[0].address) != 0;
}

static bool
has_names(const struct directory *d)
{
	for (size_t i = 0; i < d->known_count; i++)
		if (is_name(&d->known[i]))
			return true;
	return false;
}

static bool
look_up(struct directory *d, struct known *known, char *err, size_t err_size)
{
	struct dns_server found[DNS_MAX];
	size_t count = 0;

	if (!dns_lookup(&known->entry, d->name_server, found, &count, err, err_size))
		return false;
	memcpy(known->servers, found, count * sizeof(*found));
	known->count = count;
	return true;
}

static int
by_address(const void *a, const void *b)
{
	const struct dns_server *x = a, *y = b;

	return strcmp(x->address, y->address);
}

static bool
is_same(const struct dns_server *a, const struct dns_server *b)
{
	return strcmp(a->address, b->address) == 0 && a->weight == b->weight &&
	       strcmp(a->host, b->host) == 0;
}

/* All entries' servers, each address once, in an order that look-ups do not change. */
static size_t
collect(const struct directory *d, struct dns_server out[DNS_MAX])
{
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < d->known_count; i++)
		for (size_t j = 0; j < d->known[i].count && count < DNS_MAX; j++)
			out[count++] = d->known[i].servers[j];
	qsort(out, count, sizeof(*out), by_address);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || strcmp(out[kept - 1].address, out[i].address) != 0)
			out[kept++] = out[i];
	return kept;
}

/* Makes the list, if it is another one, what directory_read gives. */
static void
publish(struct directory *d)
{
	struct dns_server found[DNS_MAX];
	size_t count = collect(d, found), same = 0;

	pthread_mutex_lock(&d->mutex);
	while (
	    same < count && same < d->count && is_same(&found[same], &d->servers[same]))
		same++;
	if (same != count || same != d->count) {
		memcpy(d->servers, found, count * sizeof(*found));
		d->count = count;
		atomic_fetch_add_explicit(&d->version, 1, memory_order_release);
	}
	pthread_mutex_unlock(&d->mutex);
}

/* --- the thread ----------------------------------------------------------------------
 */

static bool
start_thread(struct directory *d)
{
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	d->owners = 2;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&thread, &attr, thread_main, d);
	pthread_attr_destroy(&attr);
	if (rc != 0)
		d->owners = 1;
	return rc == 0;
}

/* False when the directory is not needed any more. */
static bool
wait_for_next(struct directory *d)
{
	int64_t until_us = clock_mono_us() + d->interval_us;
	const struct timespec until = {
		.tv_sec = until_us / CLOCK_US_PER_SEC,
		.tv_nsec = until_us % CLOCK_US_PER_SEC * 1000,
	};
	bool ended;

	pthread_mutex_lock(&d->mutex);
	while (!d->ended &&
	       pthread_cond_timedwait(&d->ended_cond, &d->mutex, &until) != ETIMEDOUT)
		continue;
	ended = d->ended;
	pthread_mutex_unlock(&d->mutex);
	return !ended;
}

static void
look_up_again(struct directory *d, struct known *known)
{
	char err[512];
	bool lost = !look_up(d, known, err, sizeof(err));

	if (lost && !known->lost)
		log_warn("the %s service's servers stay those that were found last: %s",
		    d->name, err);
	known->lost = lost;
}

static void *
thread_main(void *arg)
{
	struct directory *d = arg;

	pthread_setname_np(pthread_self(), "directory");
	while (wait_for_next(d)) {
		for (size_t i = 0; i < d->known_count; i++)
			if (is_name(&d->known[i]))
				look_up_again(d, &d->known[i]);
		publish(d);
	}
	put(d);
	return NULL;
}
