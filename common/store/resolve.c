#include "store/resolve.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct resolve {
	atomic_int owners; /* the caller and the thread; the last one frees */
	atomic_bool done;  /* what follows is there */
	struct net_addr addrs[RESOLVE_MAX];
	size_t count;
	char why[256];
	char address[RESOLVE_ADDRESS_MAX];
};

static bool is_numeric(const char *address);
static bool start_thread(struct resolve *r);
static void *thread_main(void *arg);
static void resolve_now(struct resolve *r);

struct resolve *
resolve_start(const char *address)
{
	struct resolve *r = xcalloc(1, sizeof(*r));

	snprintf(r->address, sizeof(r->address), "%s", address);
	r->owners = 1;
	/* Without a thread it is late rather than never. */
	if (is_numeric(address) || !start_thread(r))
		resolve_now(r);
	return r;
}

bool
resolve_done(const struct resolve *r)
{
	return r->done;
}

size_t
resolve_result(const struct resolve *r, const struct net_addr **addrs, const char **why)
{
	ASSERT(r->done);
	*addrs = r->addrs;
	*why = r->why;
	return r->count;
}

void
resolve_free(struct resolve *r)
{
	if (r != NULL && atomic_fetch_sub(&r->owners, 1) == 1)
		free(r);
}

static bool
is_numeric(const char *address)
{
	char host[RESOLVE_ADDRESS_MAX];
	struct in_addr in4;
	char *colon;

	snprintf(host, sizeof(host), "%s", address);
	colon = strrchr(host, ':');
	if (colon != NULL)
		*colon = '\0';
	return host[0] == '[' || inet_pton(AF_INET, host, &in4) == 1;
}

static bool
start_thread(struct resolve *r)
{
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	r->owners = 2;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&thread, &attr, thread_main, r);
	pthread_attr_destroy(&attr);
	if (rc != 0)
		r->owners = 1;
	return rc == 0;
}

static void *
thread_main(void *arg)
{
	struct resolve *r = arg;

	resolve_now(r);
	resolve_free(r);
	return NULL;
}

static void
resolve_now(struct resolve *r)
{
	r->count = net_resolve(r->address, r->addrs, RESOLVE_MAX, r->why, sizeof(r->why));
	r->done = true;
}
