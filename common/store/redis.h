/*
 * Redis for the loop: one connection, pipelined, with our own deadlines and reconnect.
 * hiredis only formats commands and parses replies; the transport is ours. Losing Redis
 * is normal: commands end with ERR_UNAVAILABLE at once while it is away.
 */
#ifndef ONRUSH_STORE_REDIS_H
#define ONRUSH_STORE_REDIS_H

#include "app/loop.h"
#include "base/err.h"
#include "base/str.h"
#include "http/rq.h"

struct redis;
struct redis_reply;

struct redis_conf {
	const char *url;      /* redis://[user:password@]host[:port][/db] */
	size_t max_in_flight; /* commands; more get ERR_OVERLOAD */
	int64_t timeout_us; /* of a command; the connection is dropped then: this one ends
			     * with ERR_TIMEOUT, the others with ERR_UNAVAILABLE */
	/* Called each time a connection is ready, after SELECT and AUTH; may be NULL. */
	void (*on_connect)(struct redis *r, void *arg);
	void *arg;
};

/* A Lua script: loaded by itself, called by its hash, loaded again after NOSCRIPT. Make
 * them static; sha is filled in by redis_eval. */
struct redis_script {
	const char *lua;
	char sha[41];
};

/* err: ERR_OK and a reply; ERR_UNAVAILABLE: no connection, it was lost, or Redis loads or
 * is a replica; ERR_OVERLOAD; ERR_TIMEOUT; ERR_INTERNAL: Redis answered with an error,
 * which has been logged. The reply is borrowed until cb returns. */
typedef void redis_cb(void *arg, enum err err, const struct redis_reply *reply);

/* A malformed URL ends the program with a sentence: for its start. */
struct redis *redis_new(struct loop *loop, const struct redis_conf *conf);
void redis_free(struct redis *r);        /* pending get ERR_DRAINING; NULL is fine */
bool redis_is_up(const struct redis *r); /* from any thread */

/* cb (NULL: nobody cares) is called exactly once, from the loop, never before this
 * returns. Arguments are copied. */
void
redis_command(struct redis *r, size_t argc, const str *argv, redis_cb *cb, void *arg);
void redis_eval(struct redis *r, struct redis_script *script, size_t key_count,
    const str *keys, size_t arg_count, const str *args, redis_cb *cb, void *arg);

/* Replies. Each is right for any reply and NULL, and gives zero for another type. */
int64_t redis_i64(const struct redis_reply *reply); /* integer, or a string that is one */
str redis_str(const struct redis_reply *reply);     /* string or status; p NULL for nil */
size_t redis_count(const struct redis_reply *reply); /* elements of an array */
const struct redis_reply *redis_at(const struct redis_reply *reply, size_t i);

/* For a step; the next one sees rq->err and rq->redis. */
rq_next rq_redis(
    struct rq *rq, rq_step *next, struct redis *r, size_t argc, const str *argv) MUST_USE;
rq_next
rq_redis_eval(struct rq *rq, rq_step *next, struct redis *r, struct redis_script *script,
    size_t key_count, const str *keys, size_t arg_count, const str *args) MUST_USE;

#endif
