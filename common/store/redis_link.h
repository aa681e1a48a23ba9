/*
 * Below redis.c: a stream of replies from one address that comes back by itself. It knows
 * bytes and replies, not commands.
 *
 *   DOWN ─> RESOLVING ─> CONNECTING ─> OPEN
 *    ^          │            │          │
 *    └──────────┴─── BROKEN <┴──────────┘    after a back-off
 */
#ifndef ONRUSH_STORE_REDIS_LINK_H
#define ONRUSH_STORE_REDIS_LINK_H

#include "app/loop.h"
#include "store/redis_impl.h"
#include "store/resolve.h"

struct redis_link;

/* Called from the loop. `reply` is borrowed until it returns. */
struct redis_link_hooks {
	void (*opened)(struct redis_link *link);
	void (*reply)(struct redis_link *link, const struct redis_reply *reply);
	void (*closed)(struct redis_link *link); /* after opened, or without it */
};

enum redis_link_state {
	LINK_DOWN, /* the timer will connect */
	LINK_RESOLVING,
	LINK_CONNECTING,
	LINK_OPEN,
	LINK_BROKEN, /* the timer will close it, outside of its own callbacks */
};

struct redis_link {
	struct loop *loop;                    /* borrowed */
	const struct redis_link_hooks *hooks; /* borrowed, static */
	const char *address;                  /* borrowed; host:port */
	enum redis_link_state state;
	struct resolve *resolve;   /* owned; in RESOLVING */
	size_t attempts;           /* each takes the name's next address */
	int fd;                    /* -1: none */
	struct loop_io *io;        /* owned; on fd */
	struct loop_timer *timer;  /* owned */
	struct loop_job flush_job; /* one send(2) at the end of the turn */
	struct buf out;            /* append here, then redis_link_flush */
	struct arena *arena;       /* owned; of the reply under way */
	redisReader *reader;       /* owned; in OPEN */
	int64_t backoff_us;        /* before the next attempt */
};

void redis_link_init(struct redis_link *link, struct loop *loop, const char *address,
    const struct redis_link_hooks *hooks);
/* Closes without a hook. flush_job may still be queued: the memory must stay until the
 * loop has run its jobs. */
void redis_link_fini(struct redis_link *link);

/* Sends what is in `out` at the end of the turn. */
void redis_link_flush(struct redis_link *link);
/* The other side talks as it should: the next outage begins with the shortest wait. */
void redis_link_settled(struct redis_link *link);
/* Closes it in the next turn and connects again after a back-off; does nothing when it is
 * closed already. */
void redis_link_break(struct redis_link *link, const char *why);

#endif
