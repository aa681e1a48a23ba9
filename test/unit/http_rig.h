/*
 * A server in a thread of its own, and a client that speaks to it byte by byte: what the
 * tests of the HTTP server share. Include it after cmocka.h.
 *
 *   test's thread: client sockets ──loopback──> loop's thread: httpd, handlers
 *                  rig_call(…) ───────job─────> runs on the loop, is waited for
 */
#ifndef ONRUSH_TEST_HTTP_RIG_H
#define ONRUSH_TEST_HTTP_RIG_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/app.h"
#include "app/log.h"
#include "base/clock.h"
#include "http/httpd.h"

struct rig {
	struct worker worker;
	struct httpd *httpd;
	struct httpd_settings settings;
	pthread_t thread;
	int port;
	atomic_bool drained;
};

/* --- what the server needs of a process ----------------------------------------------
 */

void
worker_drained(struct worker *w)
{
	struct rig *rig = CONTAINER_OF(w, struct rig, worker);

	ASSERT(!rig->drained);
	rig->drained = true;
}

int
app_workers(const struct app *app UNUSED)
{
	return 1;
}

static atomic_bool rig_ready = true;

bool
ready_now(struct app *app UNUSED, const char **name)
{
	*name = rig_ready ? NULL : "the test";
	return rig_ready;
}

static atomic_bool rig_let_go; /* rig_io that are held may end */

/* --- the server ----------------------------------------------------------------------
 */

static void *
rig_main(void *arg)
{
	struct rig *rig = arg;

	loop_run(rig->worker.loop);
	return NULL;
}

/* Call before rig_start: settings that a test may change. */
static inline void
rig_init(struct rig *rig)
{
	*rig = (struct rig){ 0 };
	rig_let_go = false;
	rig->settings = (struct httpd_settings){
		.listen = "127.0.0.1:0",
		.listen_too = "",
		.admin_key = "sesame",
		.max_conns = 1000,
		.max_requests = 1000,
		.head_timeout_us = 5000000,
		.body_timeout_us = 5000000,
		.idle_timeout_us = 5000000,
		.write_timeout_us = 5000000,
		.access_log = 0,
	};
	signal(SIGPIPE, SIG_IGN); /* as app_run does, for sendq.h */
	rig->worker.loop = loop_new();
}

/* Its loop does not run yet. */
static inline void
rig_open(struct rig *rig, const struct httpd_conf *conf)
{
	log_init("test", LOG_ERROR);
	rig->httpd = httpd_new(&rig->worker, conf);
	assert_non_null(rig->httpd);
	rig->port = httpd_port(rig->httpd);
}

static inline void
rig_run(struct rig *rig)
{
	assert_int_equal(pthread_create(&rig->thread, NULL, rig_main, rig), 0);
}

static inline void
rig_start(struct rig *rig, const struct route *routes, size_t count, void *service)
{
	struct httpd_conf conf = {
		.settings = &rig->settings,
		.routes = routes,
		.route_count = count,
		.service = service,
	};

	rig_open(rig, &conf);
	rig_run(rig);
}

struct rig_job {
	struct loop_job job;
	void (*run)(void *arg);
	void *arg;
	sem_t done;
};

static inline void
rig_run_job(struct loop_job *job)
{
	struct rig_job *j = CONTAINER_OF(job, struct rig_job, job);

	j->run(j->arg);
	sem_post(&j->done);
}

/* Runs it on the loop's thread; returns when it has run. */
static inline void
rig_call(struct rig *rig, void (*run)(void *arg), void *arg)
{
	struct rig_job j = { .job.run = rig_run_job, .run = run, .arg = arg };

	sem_init(&j.done, 0, 0);
	loop_post(rig->worker.loop, &j.job);
	while (sem_wait(&j.done) != 0)
		continue;
	sem_destroy(&j.done);
}

static inline void
rig_drain_now(void *arg)
{
	httpd_drain(((struct rig *)arg)->httpd);
}

static inline void
rig_free_now(void *arg)
{
	struct rig *rig = arg;

	httpd_free(rig->httpd);
	rig->httpd = NULL;
}

static inline void
rig_stop_now(void *arg)
{
	loop_stop(((struct rig *)arg)->worker.loop);
}

/* Waits until the value is what it should be; a test that hangs fails. */
#define RIG_UNTIL(cond)                                                                  \
	do {                                                                             \
		int64_t until_us = clock_mono_us() + 10 * CLOCK_US_PER_SEC;              \
                                                                                         \
		while (!(cond)) {                                                        \
			assert_true(clock_mono_us() < until_us);                         \
			poll(NULL, 0, 1);                                                \
		}                                                                        \
	} while (0)

static inline void
rig_stop(struct rig *rig)
{
	rig_call(rig, rig_free_now, rig);
	rig_call(rig, rig_stop_now, rig);
	pthread_join(rig->thread, NULL);
	loop_free(rig->worker.loop);
}

/* --- a stand-in for I/O --------------------------------------------------------------
 */

enum {
	RIG_HELD = -1, /* us: as long as it is not let go */
};

static atomic_int rig_ios; /* under way */

struct rig_io {
	struct loop_timer *timer;
	struct rq *rq;
	enum err err;
	bool held;
};

static inline void
rig_io_ended(void *arg)
{
	struct rig_io *io = arg;
	struct rq *rq = io->rq;
	enum err err = io->err;

	if (io->held && !rig_let_go) {
		loop_timer_set(io->timer, 1000);
		return;
	}
	loop_timer_free(io->timer);
	free(io);
	rq_resume(rq, err);
	rig_ios--;
}

/* An I/O that ends with err after so long, or RIG_HELD. */
static inline MUST_USE rq_next
rig_io(struct rq *rq, rq_step *next, int64_t after_us, enum err err)
{
	struct rig_io *io = xcalloc(1, sizeof(*io));

	rig_ios++;
	io->rq = rq;
	io->err = err;
	io->held = after_us == RIG_HELD;
	io->timer = loop_timer_new(rq->worker->loop, rig_io_ended, io);
	loop_timer_set(io->timer, after_us);
	return rq_started(rq, next);
}

/* --- the client ----------------------------------------------------------------------
 */

enum {
	RIG_MAX = 1 << 20 /* bytes of an answer */
};

struct reply {
	int status; /* 0: the connection ended before an answer */
	size_t size;
	size_t body; /* where it begins in text */
	char text[RIG_MAX + 1];
};

static inline int
rig_dial(const struct rig *rig)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)rig->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct timeval patience = { .tv_sec = 10 };
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static inline void
rig_send(int fd, const char *bytes, size_t size)
{
	assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

static inline void
rig_put(int fd, const char *text)
{
	rig_send(fd, text, strlen(text));
}

/* The value of a header of the reply, or NULL; in a static buffer. */
static inline const char *
rig_header(const struct reply *r, const char *name)
{
	static char value[512];
	char line[128];
	const char *at, *end;

	snprintf(line, sizeof(line), "\r\n%s: ", name);
	at = strstr(r->text, line);
	if (at == NULL || (size_t)(at - r->text) >= r->body)
		return NULL;
	at += strlen(line);
	end = strstr(at, "\r\n");
	assert_true(end != NULL && (size_t)(end - at) < sizeof(value));
	memcpy(value, at, (size_t)(end - at));
	value[end - at] = '\0';
	return value;
}

/* Reads one byte at a time, so that nothing of the next answer is taken. */
static inline bool
rig_byte(int fd, struct reply *r)
{
	ssize_t n = recv(fd, r->text + r->size, 1, 0);

	assert_true(n >= 0 || errno == ECONNRESET);
	if (n <= 0)
		return false;
	r->text[++r->size] = '\0';
	assert_true(r->size < RIG_MAX);
	return true;
}

/* Reads exactly one answer; `head_only` for HEAD. */
static inline void
rig_read_as(int fd, struct reply *r, bool head_only)
{
	size_t length = 0;
	const char *text;

	r->status = 0;
	r->size = r->body = 0;
	r->text[0] = '\0';
	while (r->size < 4 || memcmp(r->text + r->size - 4, "\r\n\r\n", 4) != 0)
		if (!rig_byte(fd, r))
			return;
	r->body = r->size;
	assert_int_equal(sscanf(r->text, "HTTP/1.1 %d ", &r->status), 1);
	text = rig_header(r, "Content-Length");
	if (text != NULL && !head_only)
		length = strtoul(text, NULL, 10);
	while (length > 0) {
		ssize_t n = recv(fd, r->text + r->size, length, 0);

		assert_true(n > 0);
		r->size += (size_t)n;
		r->text[r->size] = '\0';
		length -= (size_t)n;
	}
}

static inline void
rig_read(int fd, struct reply *r)
{
	rig_read_as(fd, r, false);
}

/* Has the server ended the connection, without another byte and without a reset? */
static inline void
rig_expect_end(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(fd);
}

/* One request on a connection of its own: its status. */
static inline int
rig_ask(const struct rig *rig, struct reply *r, const char *request)
{
	int fd = rig_dial(rig);

	rig_put(fd, request);
	rig_read(fd, r);
	close(fd);
	return r->status;
}

/* The value of a metric, such as "onrush_http_connections". */
static inline long
rig_metric(const struct rig *rig, struct reply *r, const char *name)
{
	char line[128];
	const char *at;

	assert_int_equal(
	    rig_ask(rig, r, "GET /metrics HTTP/1.1\r\nHost: t\r\n\r\n"), 200);
	snprintf(line, sizeof(line), "\n%s ", name);
	at = strstr(r->text, line);
	assert_non_null(at);
	return strtol(at + strlen(line), NULL, 10);
}

#endif
