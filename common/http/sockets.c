#include "http/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "app/log.h"
#include "app/manager.h"
#include "http/net.h"

enum {
	BACKLOG = 4096,
	SOCKETS_MAX = MANAGER_SOCKETS,
};

/* The sockets of one address that are not all taken. */
struct group {
	LIST_ENTRY(group) link;
	char *address; /* owned; as the setting has it */
	int workers;
	int left;     /* workers that have not taken theirs */
	size_t given; /* sockets that were handed over */
	size_t count; /* with those that were opened: at least one for each worker */
	int fds[SOCKETS_MAX]; /* owned; socket i is worker i % workers's; -1: taken */
};

static LIST_HEAD(, group) groups = LIST_HEAD_INITIALIZER(groups); /* owned */

static void take_inherited(struct group *g, const struct net_addr *addr);
static bool open_missing(struct group *g, struct net_addr *addr);
static void free_group(struct group *g);

/* --- opening -------------------------------------------------------------------------
 */

static struct group *
open_group(const char *setting, const char *address, int workers)
{
	struct group *g;
	struct net_addr addr = { 0 };
	char why[256];

	if (net_resolve(address, &addr, 1, why, sizeof(why)) == 0) {
		log_error("cannot listen on %s=%s: %s", setting, address, why);
		return NULL;
	}
	g = xcalloc(1, sizeof(*g));
	LIST_INSERT_HEAD(&groups, g, link);
	g->address = xstrdup(address);
	g->workers = g->left = workers;
	take_inherited(g, &addr);
	if (open_missing(g, &addr))
		return g;
	log_error("cannot listen on %s=%s: %s", setting, address, strerror(errno));
	free_group(g);
	return NULL;
}

bool
sockets_open(const char *setting, const char *address, int workers)
{
	return open_group(setting, address, workers) != NULL;
}

static bool
listens_at(int fd, const void *arg)
{
	return net_listens_at(fd, arg);
}

static void
take_inherited(struct group *g, const struct net_addr *addr)
{
	size_t max = (size_t)g->workers * SOCKETS_SHARE;
	int fd;

	while (g->count < max && g->count < SOCKETS_MAX &&
	       (fd = manager_take_socket(listens_at, addr)) >= 0)
		g->fds[g->count++] = fd;
	g->given = g->count;
	if (g->given > 0)
		log_info(
		    "%zu listening sockets of %s were handed over", g->given, g->address);
}

/* One more socket of the address. A path has but one, and one that somebody else has
 * opened may not let others join it: then workers listen with the same. */
static int
open_another(const struct group *g, const struct net_addr *addr)
{
	bool path = net_is_path(addr);
	int fd = -1;

	if (g->count == 0 || !path)
		fd = net_listen(addr, BACKLOG, g->count > 0);
	if (fd >= 0)
		manager_keep_socket(fd);
	else if (g->count > 0 && (path || g->given > 0))
		fd = fcntl(g->fds[path ? 0 : g->count % g->given], F_DUPFD_CLOEXEC, 0);
	return fd;
}

static bool
open_missing(struct group *g, struct net_addr *addr)
{
	while (g->count < (size_t)g->workers) {
		int fd = open_another(g, addr);

		if (fd < 0)
			return false;
		g->fds[g->count++] = fd;
		/* Of port 0 the kernel has made one that is free. */
		if (!net_is_path(addr))
			net_set_port(addr, net_port(fd));
	}
	return true;
}

/* --- taking --------------------------------------------------------------------------
 */

/* The group of which this worker has not had its share. */
static struct group *
find(const char *address, int worker)
{
	struct group *g;

	LIST_FOREACH (g, &groups, link)
		if (strcmp(g->address, address) == 0 && worker < g->workers &&
		    g->fds[worker] >= 0)
			return g;
	return NULL;
}

size_t
sockets_take(const char *setting, const char *address, int worker, int workers,
    int fds[SOCKETS_SHARE])
{
	struct group *g = find(address, worker);
	size_t count = 0;

	if (g == NULL)
		g = open_group(setting, address, workers);
	if (g == NULL)
		return 0;
	for (size_t i = (size_t)worker; i < g->count; i += (size_t)g->workers) {
		fds[count++] = g->fds[i];
		g->fds[i] = -1;
	}
	if (--g->left == 0)
		free_group(g);
	return count;
}

static void
free_group(struct group *g)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->fds[i] >= 0)
			close(g->fds[i]);
	LIST_REMOVE(g, link);
	free(g->address);
	free(g);
}

void
sockets_close(void)
{
	while (!LIST_EMPTY(&groups))
		free_group(LIST_FIRST(&groups));
}
