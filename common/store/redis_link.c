#include "store/redis_link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/log.h"
#include "base/clock.h"

#define CONNECT_US     CLOCK_US_PER_SEC
#define BACKOFF_MIN_US (50 * CLOCK_US_PER_MS)
#define BACKOFF_MAX_US CLOCK_US_PER_SEC

enum {
	READ_SIZE = 16384
};

static void on_timer(void *arg);
static void on_io(void *arg, unsigned ready);
static void start_resolving(struct redis_link *link);
static void step_resolving(struct redis_link *link);
static void start_connecting(struct redis_link *link, const struct net_addr *addr);
static void end_connecting(struct redis_link *link);
static void read_replies(struct redis_link *link);
static bool take_replies(struct redis_link *link);
static void run_flush(struct loop_job *job);
static void back_off(struct redis_link *link);
static void close_link(struct redis_link *link);

void
redis_link_init(struct redis_link *link, struct loop *loop, const char *address,
    const struct redis_link_hooks *hooks)
{
	*link = (struct redis_link){
		.loop = loop,
		.hooks = hooks,
		.address = address,
		.fd = -1,
		.flush_job.run = run_flush,
		.arena = arena_new(),
		.backoff_us = BACKOFF_MIN_US,
	};
	link->timer = loop_timer_new(loop, on_timer, link);
	loop_timer_set(link->timer, 0);
}

void
redis_link_fini(struct redis_link *link)
{
	link->state = LINK_DOWN;
	close_link(link);
	loop_timer_free(link->timer);
	link->timer = NULL;
	arena_free(link->arena);
	link->arena = NULL;
}

void
redis_link_flush(struct redis_link *link)
{
	loop_defer(link->loop, &link->flush_job);
}

void
redis_link_settled(struct redis_link *link)
{
	link->backoff_us = BACKOFF_MIN_US;
}

void
redis_link_break(struct redis_link *link, const char *why)
{
	if (link->state == LINK_BROKEN || link->state == LINK_DOWN)
		return;
	/* Once per outage: the attempts that follow fail for the same reason. */
	if (link->backoff_us == BACKOFF_MIN_US)
		log_warn("Redis connection lost: %s", why);
	else
		log_debug("Redis connection lost: %s", why);
	link->state = LINK_BROKEN;
	if (link->io != NULL)
		loop_io_want(link->io, 0);
	loop_timer_set(link->timer, 0);
}

static void
on_timer(void *arg)
{
	struct redis_link *link = arg;

	switch (link->state) {
	case LINK_DOWN: start_resolving(link); return;
	case LINK_RESOLVING: step_resolving(link); return;
	case LINK_CONNECTING: redis_link_break(link, "connecting took too long"); return;
	case LINK_OPEN: return;
	case LINK_BROKEN:
		link->state = LINK_DOWN;
		close_link(link);
		back_off(link);
		link->hooks->closed(link);
		return;
	}
	UNREACHABLE();
}

static void
on_io(void *arg, unsigned ready)
{
	struct redis_link *link = arg;

	switch (link->state) {
	case LINK_CONNECTING: end_connecting(link); return;
	case LINK_OPEN:
		if (ready & LOOP_WRITE)
			redis_link_flush(link);
		if (ready & LOOP_READ)
			read_replies(link);
		return;
	case LINK_DOWN:
	case LINK_RESOLVING:
	case LINK_BROKEN: return;
	}
	UNREACHABLE();
}

/* --- connecting ----------------------------------------------------------------------
 */

static void
start_resolving(struct redis_link *link)
{
	link->state = LINK_RESOLVING;
	link->resolve = resolve_start(link->address);
	step_resolving(link);
}

static void
step_resolving(struct redis_link *link)
{
	const struct net_addr *addrs;
	const char *why;
	size_t count;

	if (!resolve_done(link->resolve)) {
		loop_timer_set(link->timer, RESOLVE_POLL_US);
		return;
	}
	count = resolve_result(link->resolve, &addrs, &why);
	if (count == 0)
		redis_link_break(link, why);
	else
		start_connecting(link, &addrs[link->attempts++ % count]);
}

static void
start_connecting(struct redis_link *link, const struct net_addr *addr)
{
	link->state = LINK_CONNECTING;
	link->fd = net_connect(addr);
	resolve_free(link->resolve);
	link->resolve = NULL;
	if (link->fd < 0) {
		redis_link_break(link, strerror(errno));
		return;
	}
	link->io = loop_io_new(link->loop, link->fd, LOOP_ANSWERS, on_io, link);
	loop_io_want(link->io, LOOP_WRITE);
	loop_timer_set(link->timer, CONNECT_US);
}

static void
end_connecting(struct redis_link *link)
{
	int error = net_connect_error(link->fd);

	loop_timer_stop(link->timer);
	if (error != 0) {
		redis_link_break(link, strerror(error));
		return;
	}
	link->state = LINK_OPEN;
	link->reader = redis_reader_new(link->arena);
	loop_io_want(link->io, LOOP_READ);
	link->hooks->opened(link);
}

/* --- bytes ---------------------------------------------------------------------------
 */

static void
read_replies(struct redis_link *link)
{
	char bytes[READ_SIZE];
	ssize_t n = recv(link->fd, bytes, sizeof(bytes), 0);

	if (n < 0 && net_again(errno))
		return;
	if (n <= 0)
		redis_link_break(link, n == 0 ? "closed by the server" : strerror(errno));
	else if (!redis_reader_feed(link->reader, bytes, (size_t)n) ||
		 !take_replies(link))
		redis_link_break(link, "it sent what is no reply");
}

static bool
take_replies(struct redis_link *link)
{
	const struct redis_reply *reply;

	while (link->state == LINK_OPEN) {
		if (!redis_reader_next(link->reader, &reply))
			return false;
		if (reply == NULL)
			return true;
		link->hooks->reply(link, reply);
		arena_reset(link->arena);
	}
	return true;
}

static void
run_flush(struct loop_job *job)
{
	struct redis_link *link = CONTAINER_OF(job, struct redis_link, flush_job);
	ssize_t n;

	if (link->state != LINK_OPEN || buf_size(&link->out) == 0)
		return;
	n = send(link->fd, buf_str(&link->out).p, buf_size(&link->out), MSG_NOSIGNAL);
	if (n < 0 && !net_again(errno)) {
		redis_link_break(link, strerror(errno));
		return;
	}
	if (n > 0)
		buf_consume(&link->out, (size_t)n);
	loop_io_want(
	    link->io, buf_size(&link->out) > 0 ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

/* --- the end -------------------------------------------------------------------------
 */

static void
back_off(struct redis_link *link)
{
	loop_timer_set(link->timer, link->backoff_us);
	link->backoff_us *= 2;
	if (link->backoff_us > BACKOFF_MAX_US)
		link->backoff_us = BACKOFF_MAX_US;
}

static void
close_link(struct redis_link *link)
{
	resolve_free(link->resolve);
	link->resolve = NULL;
	loop_io_free(link->io);
	link->io = NULL;
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
	if (link->reader != NULL)
		redisReaderFree(link->reader);
	link->reader = NULL;
	arena_reset(link->arena);
	buf_fini(&link->out);
}
