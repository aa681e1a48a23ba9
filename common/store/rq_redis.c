/*
 * Redis as a step's I/O. The request is the callback's argument: it lives until it has
 * been resumed, also when its deadline passed long before.
 */
#include "store/redis.h"

static redis_cb on_reply;

rq_next
rq_redis(struct rq *rq, rq_step *next, struct redis *r, size_t argc, const str *argv)
{
	redis_command(r, argc, argv, on_reply, rq);
	return rq_started(rq, next);
}

rq_next
rq_redis_eval(struct rq *rq, rq_step *next, struct redis *r, struct redis_script *script,
    size_t key_count, const str *keys, size_t arg_count, const str *args)
{
	redis_eval(r, script, key_count, keys, arg_count, args, on_reply, rq);
	return rq_started(rq, next);
}

static void
on_reply(void *arg, enum err err, const struct redis_reply *reply)
{
	struct rq *rq = arg;

	rq->redis = reply;
	rq_resume(rq, err);
}
