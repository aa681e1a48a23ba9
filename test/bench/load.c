/*
 * The thread that makes a load: pacing and the conversation of each connection.
 *
 *	CLOSED ──> CONNECTING ──> FREE ──> BUSY ──> ANSWERED ──> FREE or BUSY or CLOSED
 *
 * A request is built into the connection's buffer, sent in one write, and its answer read
 * into the thread's scratch space, so that a request costs two system calls.
 */
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "app/loop.h"
#include "base/buf.h"
#include "base/clock.h"
#include "http/http_parse.h"

#define TICK_US      INT64_C(250)
#define RECONNECT_US (20 * CLOCK_US_PER_MS)
#define LINGER_US    (15 * CLOCK_US_PER_SEC) /* for the last answers */

enum {
	SCRATCH = 65536,
};

enum conn_state {
	CLOSED,
	CONNECTING,
	FREE,
	BUSY,
	ANSWERED, /* for the moment */
};

struct conn {
	struct load *load; /* borrowed */
	enum conn_state state;
	int fd;                   /* -1 when closed */
	struct loop_io *io;       /* owned; NULL when closed */
	struct loop_wait again;   /* until the next connect */
	TAILQ_ENTRY(conn) link;   /* of load.free_conns, when FREE */
	struct buf out, in;       /* what is not yet sent; what of an answer has come */
	int64_t user, started_us; /* of the request under way */
};

struct load {
	const struct load_plan *plan; /* borrowed */
	struct load_tally *tally;     /* borrowed */
	struct loop *loop;            /* owned */
	struct loop_io *tick;         /* owned, on tick_fd */
	int tick_fd;                  /* a timerfd: the loop's timers are too coarse */
	struct loop_waits *again;     /* owned; closed connections */
	TAILQ_HEAD(, conn) free_conns;
	struct conn *conns; /* owned */
	int64_t start_us, measure_us, end_us;
	int64_t sent;          /* requests so far */
	int64_t under_way;     /* of these, not yet answered */
	struct buf body;       /* of the request that is being built */
	struct http_head head; /* of the answer that is being read */
	char scratch[SCRATCH];
};

static void on_tick(void *arg, unsigned ready);
static void on_again(struct loop_wait *w);
static void on_io(void *arg, unsigned ready);
static void conn_open(struct conn *c);
static void conn_connected(struct conn *c);
static void conn_close(struct conn *c);
static void conn_ready(struct conn *c);
static void conn_ask(struct conn *c, int64_t due_us);
static void conn_send(struct conn *c);
static void conn_receive(struct conn *c);
static bool conn_take(struct conn *c, str bytes);

/* May one more be sent now? *due_us is when it should have been. */
static bool
take_due(const struct load *l, int64_t now_us, int64_t *due_us)
{
	const struct load_plan *plan = l->plan;

	if (now_us >= l->end_us ||
	    (plan->max_requests > 0 && l->sent >= plan->max_requests))
		return false;
	*due_us = now_us;
	if (plan->rate > 0)
		*due_us = l->start_us + (int64_t)((double)l->sent * 1e6 / plan->rate);
	return *due_us <= now_us;
}

static void
open_all(struct load *l)
{
	l->conns = xcalloc((size_t)l->plan->connections, sizeof(*l->conns));
	for (int i = 0; i < l->plan->connections; i++) {
		l->conns[i].load = l;
		l->conns[i].fd = -1;
		conn_open(&l->conns[i]);
	}
}

static void
close_all(struct load *l)
{
	for (int i = 0; i < l->plan->connections; i++) {
		conn_close(&l->conns[i]);
		loop_wait_stop(&l->conns[i].again);
		buf_fini(&l->conns[i].in);
		buf_fini(&l->conns[i].out);
	}
	free(l->conns);
}

static void
start_ticking(struct load *l)
{
	const struct timespec tick = { .tv_nsec = TICK_US * 1000 };
	const struct itimerspec every = { tick, tick };

	l->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	ASSERT(l->tick_fd >= 0 && timerfd_settime(l->tick_fd, 0, &every, NULL) == 0);
	l->tick = loop_io_new(l->loop, l->tick_fd, LOOP_ANSWERS, on_tick, l);
	loop_io_want(l->tick, LOOP_READ);
}

void
load_run(const struct load_plan *plan, struct load_tally *tally)
{
	struct load *l = xcalloc(1, sizeof(*l));

	l->plan = plan;
	l->tally = tally;
	l->loop = loop_new();
	start_ticking(l);
	l->again = loop_waits_new(l->loop, RECONNECT_US, on_again);
	TAILQ_INIT(&l->free_conns);
	l->start_us = clock_mono_us();
	l->measure_us = l->start_us + plan->warmup_us;
	l->end_us = l->measure_us + plan->run_us;
	tally->first_us = l->measure_us;
	tally->last_us = l->end_us;

	open_all(l);
	loop_run(l->loop);
	close_all(l);

	buf_fini(&l->body);
	loop_io_free(l->tick);
	close(l->tick_fd);
	loop_waits_free(l->again);
	loop_free(l->loop);
	free(l);
}

static void
finish(struct load *l, int64_t now_us)
{
	const struct load_plan *plan = l->plan;

	if (plan->rate > 0 && plan->max_requests == 0)
		l->tally->unsent =
		    (int64_t)((double)(l->end_us - l->start_us) / 1e6 * plan->rate) -
		    l->sent;
	if (now_us < l->end_us)
		l->tally->last_us = now_us;
	loop_stop(l->loop);
}

/* Sends what is due over free connections; ends the run. */
static void
on_tick(void *arg, unsigned ready)
{
	struct load *l = arg;
	uint64_t ticks;

	(void)ready;
	ASSERT(read(l->tick_fd, &ticks, sizeof(ticks)) == sizeof(ticks));
	int64_t now_us = clock_mono_us();
	/* The last tick, a little late, still sends what was due before the end. */
	int64_t until_us =
	    l->plan->rate > 0 && now_us >= l->end_us ? l->end_us - 1 : now_us;
	struct conn *c;
	int64_t due_us;

	while (
	    (c = TAILQ_FIRST(&l->free_conns)) != NULL && take_due(l, until_us, &due_us)) {
		TAILQ_REMOVE(&l->free_conns, c, link);
		conn_ask(c, due_us);
	}
	bool over = now_us >= l->end_us ||
		    (l->plan->max_requests > 0 && l->sent >= l->plan->max_requests);
	if (over && (l->under_way == 0 || now_us > l->end_us + LINGER_US))
		finish(l, now_us);
}

static void
on_again(struct loop_wait *w)
{
	conn_open(CONTAINER_OF(w, struct conn, again));
}

/* --- connections --- */

static void
conn_open(struct conn *c)
{
	struct load *l = c->load;

	c->fd = net_connect(&l->plan->address);
	if (c->fd < 0) {
		l->tally->refused++;
		loop_wait_start(l->again, &c->again);
		return;
	}
	net_nodelay(c->fd);
	c->io = loop_io_new(l->loop, c->fd, LOOP_REQUESTS, on_io, c);
	c->state = CONNECTING;
	loop_io_want(c->io, LOOP_WRITE);
}

/* Closes, whatever the connection was doing, and counts what that means. */
static void
conn_close(struct conn *c)
{
	struct load *l = c->load;

	switch (c->state) {
	case CLOSED: return;
	case CONNECTING: l->tally->refused++; break;
	case FREE: TAILQ_REMOVE(&l->free_conns, c, link); break;
	case BUSY:
		l->under_way--;
		l->tally->lost++;
		break;
	case ANSWERED: break;
	}
	loop_io_free(c->io);
	c->io = NULL;
	close(c->fd);
	c->fd = -1;
	c->state = CLOSED;
	buf_clear(&c->in);
	buf_clear(&c->out);
}

/* Closes, and connects anew a little later. */
static void
conn_break(struct conn *c)
{
	conn_close(c);
	loop_wait_start(c->load->again, &c->again);
}

static void
on_io(void *arg, unsigned ready)
{
	struct conn *c = arg;

	if (c->state == CONNECTING)
		conn_connected(c);
	else if (ready & LOOP_READ)
		conn_receive(c);
	else
		conn_send(c);
}

static void
conn_connected(struct conn *c)
{
	if (net_connect_error(c->fd) != 0) {
		conn_break(c);
		return;
	}
	loop_io_want(c->io, LOOP_READ);
	conn_ready(c);
}

/* The connection may take the next request, now or when one is due. */
static void
conn_ready(struct conn *c)
{
	struct load *l = c->load;
	int64_t due_us;

	if (take_due(l, clock_mono_us(), &due_us)) {
		conn_ask(c, due_us);
		return;
	}
	c->state = FREE;
	TAILQ_INSERT_TAIL(&l->free_conns, c, link);
}

static void
conn_ask(struct conn *c, int64_t due_us)
{
	struct load *l = c->load;

	c->state = BUSY;
	c->started_us = due_us;
	l->sent++;
	l->under_way++;
	buf_clear(&c->out);
	c->user = load_ask(l->plan, &c->out, &l->body);
	conn_send(c);
}

static void
conn_send(struct conn *c)
{
	str rest = buf_str(&c->out);
	ssize_t n = send(c->fd, rest.p, rest.n, MSG_NOSIGNAL);

	if (n < 0 && !net_again(errno)) {
		conn_break(c);
		return;
	}
	buf_consume(&c->out, n > 0 ? (size_t)n : 0);
	loop_io_want(c->io,
	    buf_size(&c->out) > 0 ? LOOP_READ | LOOP_WRITE : LOOP_READ | LOOP_EDGE);
}

static void
conn_receive(struct conn *c)
{
	struct load *l = c->load;
	ssize_t n = recv(c->fd, l->scratch, sizeof(l->scratch), 0);

	if (n < 0 && net_again(errno))
		return;
	if (n <= 0 || c->state != BUSY) {
		conn_break(c);
		return;
	}
	if (n == sizeof(l->scratch))
		loop_io_want(c->io, LOOP_READ); /* there may be more */
	str bytes = { l->scratch, (size_t)n };
	if (buf_size(&c->in) > 0) {
		buf_add_str(&c->in, bytes);
		bytes = buf_str(&c->in);
	}
	if (conn_take(c, bytes))
		buf_clear(&c->in);
	else if (c->state == BUSY && buf_size(&c->in) == 0)
		buf_add_str(&c->in, bytes);
}

/* The value after `"name":` in a JSON answer, quotes taken off; empty without. */
static str
member(str body, str name)
{
	const char *at = memmem(body.p, body.n, name.p, name.n);

	if (at == NULL)
		return STR_NULL;
	str rest = { at + name.n, (size_t)(body.p + body.n - at) - name.n };
	str value;
	if (rest.n > 0 && rest.p[0] == '"') {
		str_cut((str){ rest.p + 1, rest.n - 1 }, '"', &value);
		return value;
	}
	size_t n = 0;
	while (n < rest.n && strchr(",}] ", rest.p[n]) == NULL)
		n++;
	return (str){ rest.p, n };
}

/* What an answer means for the numbers. */
static void
count(struct conn *c, int status, str body)
{
	struct load *l = c->load;
	int64_t now_us = clock_mono_us();

	if (now_us >= l->measure_us && now_us <= l->end_us)
		tally_answer(l->tally, status,
		    status < 400 ? STR_NULL : member(body, STR("\"error\":")),
		    now_us - c->started_us);
	l->tally->answers++;
	if (status != 200)
		return;
	l->tally->granted++;
	if (l->plan->record != NULL) {
		str coupon = member(body, STR("\"couponId\":"));
		str rank = member(body, STR("\"rank\":"));
		fprintf(l->plan->record,
		    "{\"couponId\":%.*s,\"userId\":%lld,\"rank\":%.*s}\n",
		    STR_ARG(coupon), (long long)c->user, STR_ARG(rank));
	}
}

/* Takes the answer when all of it is there. False: more must come, or it broke. */
static bool
conn_take(struct conn *c, str bytes)
{
	struct load *l = c->load;
	size_t scanned = 0;
	enum err err;

	switch (http_parse_response(bytes, &scanned, HTTP_GET, &l->head, &err)) {
	case HTTP_PARSE_MORE: return false;
	case HTTP_PARSE_BAD: conn_break(c); return false;
	case HTTP_PARSE_DONE: break;
	}
	size_t body_size =
	    l->head.framing == HTTP_BODY_LENGTH ? (size_t)l->head.content_length : 0;
	if (bytes.n < l->head.head_size + body_size)
		return false;
	if (bytes.n > l->head.head_size + body_size) {
		conn_break(c);
		return false;
	}
	count(c, l->head.status, (str){ bytes.p + l->head.head_size, body_size });
	l->under_way--;
	c->state = ANSWERED;
	if (l->head.keep_alive) {
		conn_ready(c);
	} else {
		conn_close(c);
		conn_open(c);
	}
	return true;
}
