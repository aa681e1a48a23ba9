/*
 * A server that follows a script, one thread per connection, and a client on a loop in
 * the test's own thread: what the tests of the HTTP client share. Include it after
 * cmocka.h.
 */
#ifndef ONRUSH_TEST_HTTP_UP_H
#define ONRUSH_TEST_HTTP_UP_H

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "http/httpc.h"

#include "http_rig.h"

/* --- a server with a script ----------------------------------------------------------
 */

/* Serves one connection, the n-th (from 0); it is closed afterwards. */
typedef void up_script(int fd, int n);

static struct {
	int fd;
	char address[32];
	up_script *script;
	bool started;
	pthread_t thread;
	atomic_int accepted, open;
} server;

static void *
serve_one(void *arg)
{
	int *args = arg;

	server.script(args[0], args[1]);
	close(args[0]);
	free(args);
	server.open--;
	return NULL;
}

static void *
serve_all(void *arg)
{
	int fd;

	while ((fd = accept(server.fd, NULL, NULL)) >= 0) {
		int *args = xmalloc(2 * sizeof(int));
		pthread_t thread;

		args[0] = fd;
		args[1] = server.accepted++;
		server.open++;
		ASSERT(pthread_create(&thread, NULL, serve_one, args) == 0);
		pthread_detach(thread);
	}
	return arg;
}

static inline void
server_bind(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t size = sizeof(sa);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(server.fd, (struct sockaddr *)&sa, size), 0);
	getsockname(server.fd, (struct sockaddr *)&sa, &size);
	snprintf(
	    server.address, sizeof(server.address), "127.0.0.1:%d", ntohs(sa.sin_port));
}

static inline void
server_start(up_script *script)
{
	server.script = script;
	server.started = true;
	server.accepted = server.open = 0;
	assert_int_equal(listen(server.fd, 100), 0);
	assert_int_equal(pthread_create(&server.thread, NULL, serve_all, NULL), 0);
}

static inline void
server_stop(void)
{
	if (!server.started)
		return;
	server.started = false;
	shutdown(server.fd, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	RIG_UNTIL(server.open == 0);
}

/* Reads one request with its body into text; false when the client has closed. */
static inline bool
read_request(int fd, char *text, size_t size)
{
	size_t n = 0, want = 0;
	const char *at;

	for (;;) {
		ssize_t got = recv(fd, text + n, want > 0 ? want - n : 1, 0);

		if (got <= 0)
			return false;
		n += (size_t)got;
		ASSERT(n < size);
		text[n] = '\0';
		if (want == 0 && n >= 4 && memcmp(text + n - 4, "\r\n\r\n", 4) == 0) {
			at = strstr(text, "Content-Length: ");
			want = n + (at != NULL ? strtoul(at + 16, NULL, 10) : 0);
		}
		if (n == want)
			return true;
	}
}

static inline void
put(int fd, const char *text)
{
	(void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* For scripts: until the test says so. */
static inline void
until_set(const atomic_bool *flag)
{
	while (!*flag)
		usleep(1000);
}

/* Returns when the client's kernel has all of it: a send alone does not say so. */
static inline void
until_it_came(int fd)
{
	int left = 1;

	while (ioctl(fd, SIOCOUTQ, &left) == 0 && left > 0)
		usleep(100);
}

static inline bool
next_request(int fd)
{
	char text[4096];

	return read_request(fd, text, sizeof(text));
}

/* --- scripts -------------------------------------------------------------------------
 */

#define OK5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static inline void
polite(int fd, int n)
{
	(void)n;
	while (next_request(fd))
		put(fd, OK5);
}

/* Reads, and never answers. */
static inline void
silent(int fd, int n)
{
	char byte;

	(void)n;
	while (recv(fd, &byte, 1, 0) > 0)
		continue;
}

/* --- the client ----------------------------------------------------------------------
 */

struct result {
	int done; /* how often it was called back */
	enum err err;
	int status;
	size_t size;
	char body[8192];
	int order;
};

static struct loop *loop;
static struct httpc *client;
static struct httpc_conf conf;
static int pending, order;

static inline void
on_response(void *arg, enum err err, const struct httpc_response *response)
{
	struct result *r = arg;

	r->done++;
	r->err = err;
	r->order = order++;
	if (response != NULL) {
		assert_true(response->body.n < sizeof(r->body));
		r->status = response->head->status;
		r->size = response->body.n;
		memcpy(r->body, response->body.p, r->size);
		r->body[r->size] = '\0';
	}
	if (--pending == 0)
		loop_stop(loop);
}

static UNUSED const struct httpc_request get = {
	.method = HTTP_GET,
	.target = { "/x", 2 },
	.host = { "up", 2 },
	.repeatable = true,
};

static UNUSED const struct httpc_request post = {
	.method = HTTP_POST,
	.target = { "/x", 2 },
	.host = { "up", 2 },
	.body = { "body", 4 },
};

static inline void
begin(struct result *r, const struct httpc_request *request)
{
	*r = (struct result){ 0 };
	pending++;
	httpc_send(client, request, on_response, r);
	assert_int_equal(r->done, 0); /* never before it returns */
}

static inline void
too_long(void *arg)
{
	(void)arg;
	fail_msg("nothing happened for ten seconds");
}

static inline void
finish(void)
{
	struct loop_timer *timer = loop_timer_new(loop, too_long, NULL);

	loop_timer_set(timer, 10 * CLOCK_US_PER_SEC);
	if (pending > 0)
		loop_run(loop);
	loop_timer_free(timer);
}

static inline enum err
ask(struct result *r, const struct httpc_request *request)
{
	begin(r, request);
	finish();
	assert_int_equal(r->done, 1);
	return r->err;
}

static inline void
stop_now(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

/* Lets the loop run on for a while. */
static inline void
run_for(int64_t us)
{
	struct loop_timer *timer = loop_timer_new(loop, stop_now, NULL);

	loop_timer_set(timer, us);
	loop_run(loop);
	loop_timer_free(timer);
}

static inline void
connect_with(size_t max_conns)
{
	conf = (struct httpc_conf){
		.address = server.address,
		.max_conns = max_conns,
		.max_queue = 10,
		.queue_us = 5000000,
		.connect_us = 5000000,
		.response_us = 5000000,
		.stream_us = 5000000,
		.idle_us = 5000000,
		.max_response = 5000,
	};
	client = httpc_new(loop, &conf);
	assert_non_null(client);
}

/* Once the first is there no other comes: `listen` was told to keep none waiting. */
static inline void
fill_backlog(int *fillers, size_t count)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t size = sizeof(sa);

	getsockname(server.fd, (struct sockaddr *)&sa, &size);
	for (size_t i = 0; i < count; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM, 0);
		if (i > 0)
			fcntl(fillers[i], F_SETFL, O_NONBLOCK);
		assert_int_equal(
		    connect(fillers[i], (struct sockaddr *)&sa, size), i == 0 ? 0 : -1);
	}
}

/* Lets the loop run until so many connections work on a call that has left. */
static inline void
until_busy(size_t count)
{
	size_t conns, busy, queued;

	RIG_UNTIL(
	    (run_for(1000), httpc_stats(client, &conns, &busy, &queued), busy == count));
}

static inline int
init(void **state)
{
	(void)state;
	log_init("test", LOG_ERROR);
	pending = order = 0;
	signal(SIGPIPE, SIG_IGN); /* as app_run does, for sendq.h */
	loop = loop_new();
	server_bind();
	return 0;
}

/* The loop's end closes the connections, which ends their scripts. */
static inline int
fini(void **state)
{
	(void)state;
	httpc_free(client);
	client = NULL;
	loop_free(loop);
	loop = NULL;
	server_stop();
	close(server.fd);
	return 0;
}

#endif
