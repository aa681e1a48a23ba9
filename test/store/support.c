#include "support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define PATIENCE_US (30 * CLOCK_US_PER_SEC)

struct peer {
	char host[64]; /* "" : never answer */
	int port;      /* of the server */
	int listener, listen_port;
	int stop[2]; /* a pipe; readable: the thread must end */
	_Atomic(const char *) greeting;
	_Atomic int64_t limit;
	atomic_int accepted;
	pthread_t thread;
};

static const char *
from_env(const char *name)
{
	const char *value = getenv(name);

	if (value == NULL || value[0] == '\0')
		die("%s must be set to a server that this test may use as it likes.",
		    name);
	return value;
}

const char *
test_pg_dsn(void)
{
	return from_env("TEST_PG_DSN");
}

const char *
test_redis_url(void)
{
	return from_env("TEST_REDIS_URL");
}

void
pg_address(char host[64], int *port)
{
	const char *dsn = test_pg_dsn();
	const char *h = strstr(dsn, "host="), *p = strstr(dsn, "port=");

	if (h == NULL || p == NULL || sscanf(h, "host=%63[0-9.]", host) != 1 ||
	    sscanf(p, "port=%d", port) != 1)
		die("TEST_PG_DSN must contain host=<address> and port=<number>.");
}

void
redis_address(char host[64], int *port)
{
	const char *url = test_redis_url();

	if (sscanf(url, "redis://%63[0-9.]:%d", host, port) != 2)
		die("TEST_REDIS_URL must be redis://<address>:<port>.");
}

void
admin(const char *sql)
{
	struct pgsync *pg = pgsync_new(test_pg_dsn(), "admin", 20 * CLOCK_US_PER_SEC);
	enum err err = pgsync_script(pg, sql);

	if (err != ERR_OK)
		fail_msg("%s: %s", sql, pgsync_message(pg));
	pgsync_free(pg);
}

int64_t
admin_i64(const char *sql)
{
	struct pgsync *pg = pgsync_new(test_pg_dsn(), "admin", 20 * CLOCK_US_PER_SEC);
	const struct pg_stmt stmt = { "admin", sql };
	int64_t value;

	pgsync_queue(pg, &stmt, NULL);
	if (pgsync_run(pg) != ERR_OK)
		fail_msg("%s: %s", sql, pgsync_message(pg));
	value = pg_i64(pgsync_result(pg, 0), 0, 0);
	pgsync_free(pg);
	return value;
}

void
admin_until(const char *sql, int64_t want)
{
	int64_t due_us = clock_mono_us() + PATIENCE_US;

	while (admin_i64(sql) != want) {
		if (clock_mono_us() > due_us)
			fail_msg("never became %lld: %s", (long long)want, sql);
		poll(NULL, 0, 10);
	}
}

void
want_standby(void)
{
	admin("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
	admin("SELECT pg_reload_conf()");
	admin_until("SELECT count(*) FROM pg_settings WHERE"
		    " name = 'synchronous_standby_names' AND setting = 'nobody'",
	    1);
	/* It is the checkpointer that makes commits wait. It reads the settings before
	 * each checkpoint, but may have been about to begin the first when they came. */
	admin("CHECKPOINT");
	admin("CHECKPOINT");
}

/* --- the loop ------------------------------------------------------------------------
 */

struct watch {
	struct loop *loop;
	struct loop_timer *timer;
	bool (*check)(void *arg);
	void *arg;
	int64_t due_us;
};

static void
on_watch(void *arg)
{
	struct watch *w = arg;

	if (w->check != NULL && w->check(w->arg))
		w->check = NULL;
	else if (clock_mono_us() < w->due_us) {
		loop_timer_set(w->timer, 1000);
		return;
	}
	loop_stop(w->loop);
}

static bool
watch(struct loop *loop, bool (*check)(void *arg), void *arg, int64_t us)
{
	struct watch w = { loop, NULL, check, arg, clock_mono_us() + us };

	w.timer = loop_timer_new(loop, on_watch, &w);
	loop_timer_set(w.timer, 0);
	loop_run(loop);
	loop_timer_free(w.timer);
	return w.check == NULL;
}

void
run_until(struct loop *loop, bool (*check)(void *arg), void *arg)
{
	if (!watch(loop, check, arg, PATIENCE_US))
		fail_msg("it never happened");
}

void
run_for(struct loop *loop, int64_t us)
{
	watch(loop, NULL, NULL, us);
}

void
run_jobs(struct loop *loop)
{
	loop_stop(loop);
	loop_run(loop);
}

/* --- the peer ------------------------------------------------------------------------
 */

static int
connect_to(const struct peer *peer)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_port = htons((uint16_t)peer->port);
	inet_pton(AF_INET, peer->host, &addr.sin_addr);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Moves what can be read from one side; false at its end. */
static bool
move(int from, int to, int64_t *left)
{
	char bytes[65536];
	ssize_t n = read(from, bytes, sizeof(bytes));

	if (n <= 0)
		return false;
	if (left != NULL) {
		if (*left >= 0 && n > *left)
			n = *left;
		*left = *left < 0 ? -1 : *left - n;
	}
	if (send(to, bytes, (size_t)n, MSG_NOSIGNAL) != n)
		return false;
	return left == NULL || *left != 0;
}

/* Serves one connection; false when the thread must end. */
static bool
serve(struct peer *peer, int client, int server)
{
	struct pollfd fds[] = { { peer->stop[0], POLLIN, 0 }, { client, POLLIN, 0 },
		{ server, POLLIN, 0 } };
	const char *greeting = peer->greeting;
	int64_t left = peer->limit;

	if (left == 0)
		return true;
	if (greeting != NULL)
		send(client, greeting, strlen(greeting), MSG_NOSIGNAL);
	for (;;) {
		poll(fds, 3, -1);
		if (fds[0].revents)
			return false;
		if (fds[1].revents && server < 0) {
			char bytes[4096];

			if (read(client, bytes, sizeof(bytes)) <= 0)
				return true;
		} else if (fds[1].revents && !move(client, server, NULL)) {
			return true;
		}
		if (fds[2].revents && !move(server, client, &left))
			return true;
	}
}

static void *
peer_main(void *arg)
{
	struct peer *peer = arg;
	bool going = true;

	while (going) {
		struct pollfd fds[] = { { peer->stop[0], POLLIN, 0 },
			{ peer->listener, POLLIN, 0 } };
		int client, server;

		poll(fds, 2, -1);
		if (fds[0].revents)
			break;
		client = accept(peer->listener, NULL, NULL);
		peer->accepted++;
		server = peer->host[0] == '\0' ? -1 : connect_to(peer);
		going = serve(peer, client, server);
		close(client);
		if (server >= 0)
			close(server);
	}
	return NULL;
}

struct peer *
peer_new(const char *host, int port)
{
	struct peer *peer = xcalloc(1, sizeof(*peer));
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t size = sizeof(addr);

	snprintf(peer->host, sizeof(peer->host), "%s", host == NULL ? "" : host);
	peer->port = port;
	peer->limit = -1;
	peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(peer->listener, (struct sockaddr *)&addr, size), 0);
	assert_int_equal(listen(peer->listener, 16), 0);
	assert_int_equal(getsockname(peer->listener, (struct sockaddr *)&addr, &size), 0);
	peer->listen_port = ntohs(addr.sin_port);
	assert_int_equal(pipe(peer->stop), 0);
	assert_int_equal(pthread_create(&peer->thread, NULL, peer_main, peer), 0);
	return peer;
}

void
peer_limit(struct peer *peer, int64_t limit)
{
	peer->limit = limit;
}

void
peer_greet(struct peer *peer, const char *greeting)
{
	peer->greeting = greeting;
}

int
peer_accepted(const struct peer *peer)
{
	return peer->accepted;
}

int
peer_port(const struct peer *peer)
{
	return peer->listen_port;
}

void
peer_free(struct peer *peer)
{
	assert_int_equal(write(peer->stop[1], "x", 1), 1);
	pthread_join(peer->thread, NULL);
	close(peer->stop[0]);
	close(peer->stop[1]);
	close(peer->listener);
	free(peer);
}
