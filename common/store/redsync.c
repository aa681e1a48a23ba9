/*
 * Redis for programs that may block: what is queued goes out in one write, then as many
 * replies are read, with poll(2) and one deadline for all of it. Both directions are
 * served at once, so that a large queue cannot block itself. A connection that fails in
 * any way is closed, and not opened again for a moment.
 */
#include "store/redsync.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/log.h"
#include "base/clock.h"
#include "http/net.h"
#include "store/redis_impl.h"
#include "store/resolve.h"

#define RETRY_US (500 * CLOCK_US_PER_MS)

enum {
	READ_SIZE = 16384
};

struct redsync {
	struct redis_url url;
	int64_t timeout_us;
	int64_t due_us;      /* of the run that is under way */
	int64_t retry_us;    /* no attempt to connect before */
	bool lost;           /* the outage has been logged */
	int fd;              /* -1: not connected */
	redisReader *reader; /* owned; of this connection */
	struct buf out;      /* the bytes of what is queued */
	size_t queued;
	size_t unread;                      /* replies of what redsync_start has sent */
	bool ran;                           /* there are replies, of the last run */
	struct arena *arena;                /* owned; the replies live there */
	const struct redis_reply **replies; /* owned; point into arena */
	size_t reply_count, reply_cap;
};

static bool is_alive(const struct redsync *r);
static bool connect_any(struct redsync *r);
static bool connect_to(struct redsync *r, const struct net_addr *addr);
static bool say_hello(struct redsync *r);
static bool exchange(struct redsync *r, struct buf *out, size_t count);
static bool wait_for(struct redsync *r, int events);
static bool send_some(struct redsync *r, struct buf *out);
static bool receive_some(struct redsync *r, size_t count);
static bool take_reply(struct redsync *r, const struct redis_reply *reply);
static void disconnect(struct redsync *r);

struct redsync *
redsync_new(const char *url, int64_t timeout_us)
{
	struct redsync *r = xcalloc(1, sizeof(*r));

	ASSERT(timeout_us > 0);
	redis_url_parse_or_die(url, &r->url);
	r->timeout_us = timeout_us;
	r->fd = -1;
	r->arena = arena_new();
	return r;
}

void
redsync_free(struct redsync *r)
{
	if (r == NULL)
		return;
	disconnect(r);
	arena_free(r->arena);
	buf_fini(&r->out);
	free(r->replies);
	free(r);
}

void
redsync_queue(struct redsync *r, size_t argc, const str *argv)
{
	r->ran = false;
	redis_put_command(&r->out, argc, argv);
	r->queued++;
}

/* A connection with nothing left to read; false when there is none to be had. */
static bool
prepare(struct redsync *r)
{
	struct buf nothing = { 0 };
	size_t unread = r->unread;

	r->due_us = clock_mono_us() + r->timeout_us;
	r->ran = false;
	r->unread = 0;
	if (r->fd >= 0 && unread > 0)
		return exchange(r, &nothing, unread);
	if (r->fd >= 0 && !is_alive(r))
		disconnect(r);
	return r->fd >= 0 || connect_any(r);
}

/* What was queued has been sent, or is dropped. */
static enum err
finish(struct redsync *r, bool done)
{
	buf_clear(&r->out);
	r->queued = 0;
	if (done)
		return ERR_OK;
	if (r->fd >= 0) {
		log_warn("Redis connection lost: %s gave no valid answer in time",
		    r->url.address);
		r->retry_us = clock_mono_us() + RETRY_US;
		r->lost = true;
		disconnect(r);
	}
	return ERR_UNAVAILABLE;
}

enum err
redsync_run(struct redsync *r)
{
	r->ran = prepare(r) && exchange(r, &r->out, r->queued);
	return finish(r, r->ran);
}

enum err
redsync_start(struct redsync *r)
{
	bool sent = prepare(r);

	while (sent && buf_size(&r->out) > 0)
		sent = wait_for(r, POLLOUT) && send_some(r, &r->out);
	if (sent)
		r->unread = r->queued;
	return finish(r, sent);
}

const struct redis_reply *
redsync_reply(const struct redsync *r, size_t i)
{
	if (!r->ran)
		return NULL;
	ASSERT(i < r->reply_count);
	return r->replies[i]->type == REDIS_ERROR ? NULL : r->replies[i];
}

/* --- the connection ------------------------------------------------------------------
 */

/* Between two runs there is nothing to read but the end. */
static bool
is_alive(const struct redsync *r)
{
	struct pollfd p = { .fd = r->fd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

static bool
connect_any(struct redsync *r)
{
	struct resolve *resolve;
	const struct net_addr *addrs;
	const char *why = "its name was not resolved in time";
	size_t count = 0;
	bool connected = false;

	if (clock_mono_us() < r->retry_us)
		return false;
	resolve = resolve_start(r->url.address);
	while (!resolve_done(resolve) && clock_mono_us() < r->due_us)
		poll(NULL, 0, RESOLVE_POLL_US / 1000);
	if (resolve_done(resolve))
		count = resolve_result(resolve, &addrs, &why);
	for (size_t i = 0; i < count && !connected; i++) {
		connected = connect_to(r, &addrs[i]) && say_hello(r);
		if (!connected)
			disconnect(r);
	}
	if (!connected)
		r->retry_us = clock_mono_us() + RETRY_US;
	if (connected)
		log_info("Redis connection ready");
	else if (!r->lost)
		log_warn("Redis at %s cannot be used: %s", r->url.address,
		    count > 0 ? "no connection or no welcome in time" : why);
	r->lost = !connected;
	resolve_free(resolve);
	return connected;
}

static bool
connect_to(struct redsync *r, const struct net_addr *addr)
{
	r->fd = net_connect(addr);
	if (r->fd < 0 || !wait_for(r, POLLOUT) || net_connect_error(r->fd) != 0)
		return false;
	r->reader = redis_reader_new(r->arena);
	return true;
}

static bool
say_hello(struct redsync *r)
{
	struct buf hello = { 0 };
	size_t count = redis_put_hello(&hello, &r->url);
	bool welcome = exchange(r, &hello, count);

	for (size_t i = 0; i < r->reply_count; i++)
		welcome = welcome && r->replies[i]->type != REDIS_ERROR;
	buf_fini(&hello);
	return welcome;
}

static void
disconnect(struct redsync *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	if (r->reader != NULL)
		redisReaderFree(r->reader);
	r->reader = NULL;
}

/* --- bytes ---------------------------------------------------------------------------
 */

/* Writes all of `out` and reads `count` replies. */
static bool
exchange(struct redsync *r, struct buf *out, size_t count)
{
	r->reply_count = 0;
	arena_reset(r->arena);
	while (r->reply_count < count) {
		if (!send_some(r, out) ||
		    !wait_for(r, buf_size(out) > 0 ? POLLIN | POLLOUT : POLLIN) ||
		    !receive_some(r, count))
			return false;
	}
	return true;
}

/* Until one of poll's events; false when the deadline has passed. */
static bool
wait_for(struct redsync *r, int events)
{
	struct pollfd p = { .fd = r->fd, .events = (short)events };

	for (;;) {
		int64_t left_us = r->due_us - clock_mono_us();
		int ready;

		if (left_us <= 0)
			return false;
		ready = poll(&p, 1, (int)((left_us + 999) / CLOCK_US_PER_MS));
		if (ready > 0)
			return true;
		ASSERT(ready == 0 || errno == EINTR);
	}
}

static bool
send_some(struct redsync *r, struct buf *out)
{
	ssize_t n;

	if (buf_size(out) == 0)
		return true;
	n = send(r->fd, buf_str(out).p, buf_size(out), MSG_NOSIGNAL);
	if (n > 0)
		buf_consume(out, (size_t)n);
	return n >= 0 || net_again(errno);
}

static bool
receive_some(struct redsync *r, size_t count)
{
	const struct redis_reply *reply;
	char bytes[READ_SIZE];
	ssize_t n = recv(r->fd, bytes, sizeof(bytes), 0);

	if (n < 0 && net_again(errno))
		return true;
	if (n <= 0 || !redis_reader_feed(r->reader, bytes, (size_t)n))
		return false;
	for (;;) {
		if (!redis_reader_next(r->reader, &reply))
			return false;
		if (reply == NULL)
			return true;
		/* A reply too many is no Redis. */
		if (r->reply_count == count || !take_reply(r, reply))
			return false;
	}
}

static bool
take_reply(struct redsync *r, const struct redis_reply *reply)
{
	enum err err = redis_reply_err(reply);

	if (err != ERR_OK)
		log_warn("Redis answered: %.*s", STR_ARG(reply->text));
	if (r->reply_count == r->reply_cap) {
		r->reply_cap = r->reply_cap == 0 ? 64 : r->reply_cap * 2;
		r->replies = xrealloc(r->replies, r->reply_cap * sizeof(r->replies[0]));
	}
	r->replies[r->reply_count++] = reply;
	/* It loads, or is a replica: it is not the one to talk to now. */
	return err != ERR_UNAVAILABLE;
}
