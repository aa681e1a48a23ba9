/* Redis for programs that may block: connects by itself, every call has a deadline. */
#ifndef ONRUSH_STORE_REDSYNC_H
#define ONRUSH_STORE_REDSYNC_H

#include "base/err.h"
#include "base/str.h"
#include "store/redis.h"

struct redsync;

/* url as in redis_conf; copied. A malformed one ends the program. */
struct redsync *redsync_new(const char *url, int64_t timeout_us);
void redsync_free(struct redsync *r); /* NULL is fine */

/* Queues a command; nothing is sent yet. */
void redsync_queue(struct redsync *r, size_t argc, const str *argv);
/* Sends what was queued in one write and reads all replies. ERR_OK, or ERR_UNAVAILABLE
 * with the queue dropped; after a failure it does not try to connect again for 500 ms, so
 * that a consumer does not wait for a dead Redis with every batch. */
enum err redsync_run(struct redsync *r);
/* Sends what was queued and leaves its replies, which nobody needs, to be read by the
 * next start or run: the caller does not wait for Redis. Errors like redsync_run's; those
 * of this queue may show at the next. */
enum err redsync_start(struct redsync *r);
/* The i-th reply of the last run, borrowed until the next run; NULL if it was an error
 * (which has been logged) or the run failed. */
const struct redis_reply *redsync_reply(const struct redsync *r, size_t i);

#endif
