/*
 * Redis for the loop: commands in the order of their replies, on a connection that comes
 * back by itself (redis_link). It is up after AUTH, SELECT and PING have been answered.
 *
 *   redis ── link ── out: bytes of the commands of this turn
 *         ├─ sent: commands that wait for a reply
 *         ├─ failed: commands that end at the end of this turn
 *         └─ spare: commands to be used again
 *
 * When the connection breaks, what was sent ends with ERR_UNAVAILABLE, and the one that
 * waited too long with ERR_TIMEOUT. Whether Redis did it is not known: nothing that must
 * be known is kept there.
 */
#include "store/redis.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/log.h"
#include "store/redis_link.h"

enum {
	KEEP_BYTES = 1024 /* of arguments in a command that is used again */
};

struct command {
	TAILQ_ENTRY(command) link; /* in sent, failed or spare */
	struct loop_wait wait;
	struct redis *redis;               /* borrowed */
	redis_cb *cb;                      /* NULL: nobody cares */
	void *arg;                         /* the caller's */
	enum err err;                      /* what it ends with unless a reply comes */
	const struct redis_script *script; /* borrowed, static; NULL: no EVALSHA */
	size_t argc;                       /* of EVAL and EVALSHA */
	struct buf tail; /* what follows their script: count, keys, arguments */
};

TAILQ_HEAD(commands, command);

struct redis {
	struct loop *loop; /* borrowed */
	struct redis_conf conf;
	struct redis_url url;
	struct redis_link link;
	atomic_bool up; /* written by the loop's thread, read by any */
	struct commands sent, failed, spare;
	size_t in_flight;         /* of sent */
	size_t hello_left;        /* replies until it is up */
	struct loop_waits *waits; /* owned; of sent */
	struct loop_job fail_job, free_job;
};

static void on_opened(struct redis_link *link);
static void on_reply(struct redis_link *link, const struct redis_reply *reply);
static void on_closed(struct redis_link *link);
static redis_cb on_hello;
static void on_deadline(struct loop_wait *wait);
static bool
eval_again(struct redis *r, struct command *cmd, const struct redis_reply *reply);
static void put_eval(struct redis *r, const struct command *cmd, bool by_hash);
static struct command *take_command(struct redis *r, redis_cb *cb, void *arg);
static bool accept_command(struct redis *r, struct command *cmd);
static void send_command(struct redis *r, struct command *cmd);
static void
end_command(struct command *cmd, enum err err, const struct redis_reply *reply);
static void end_sent(struct redis *r, bool draining);
static void run_failed(struct loop_job *job);
static void run_free(struct loop_job *job);

static const struct redis_link_hooks hooks = { on_opened, on_reply, on_closed };

struct redis *
redis_new(struct loop *loop, const struct redis_conf *conf)
{
	struct redis *r = xcalloc(1, sizeof(*r));

	ASSERT(conf->max_in_flight > 0 && conf->timeout_us > 0);
	redis_url_parse_or_die(conf->url, &r->url);
	r->loop = loop;
	r->conf = *conf;
	r->waits = loop_waits_new(loop, conf->timeout_us, on_deadline);
	r->fail_job.run = run_failed;
	r->free_job.run = run_free;
	TAILQ_INIT(&r->sent);
	TAILQ_INIT(&r->failed);
	TAILQ_INIT(&r->spare);
	redis_link_init(&r->link, loop, r->url.address, &hooks);
	return r;
}

void
redis_free(struct redis *r)
{
	if (r == NULL)
		return;
	r->up = false;
	redis_link_fini(&r->link);
	end_sent(r, true);
	/* Not now: jobs may still be in the loop's list. */
	loop_defer(r->loop, &r->free_job);
}

bool
redis_is_up(const struct redis *r)
{
	return r->up;
}

void
redis_command(struct redis *r, size_t argc, const str *argv, redis_cb *cb, void *arg)
{
	struct command *cmd = take_command(r, cb, arg);

	if (!accept_command(r, cmd))
		return;
	redis_put_command(&r->link.out, argc, argv);
	send_command(r, cmd);
}

void
redis_eval(struct redis *r, struct redis_script *script, size_t key_count,
    const str *keys, size_t arg_count, const str *args, redis_cb *cb, void *arg)
{
	struct command *cmd = take_command(r, cb, arg);
	char count[24];

	if (!accept_command(r, cmd))
		return;
	redis_hash_script(script);
	cmd->script = script;
	cmd->argc = 3 + key_count + arg_count;
	snprintf(count, sizeof(count), "%zu", key_count);
	redis_put_arg(&cmd->tail, str_of(count));
	for (size_t i = 0; i < key_count; i++)
		redis_put_arg(&cmd->tail, keys[i]);
	for (size_t i = 0; i < arg_count; i++)
		redis_put_arg(&cmd->tail, args[i]);
	put_eval(r, cmd, true);
	send_command(r, cmd);
}

/* --- the connection ------------------------------------------------------------------
 */

static void
on_opened(struct redis_link *link)
{
	struct redis *r = CONTAINER_OF(link, struct redis, link);
	size_t count = redis_put_hello(&link->out, &r->url);

	r->hello_left = count;
	for (size_t i = 0; i < count; i++)
		send_command(r, take_command(r, on_hello, r));
}

static void
on_hello(void *arg, enum err err, const struct redis_reply *reply)
{
	struct redis *r = arg;

	(void)reply;
	if (err != ERR_OK)
		redis_link_break(&r->link, "it did not take AUTH, SELECT and PING");
	else
		r->hello_left--;
	if (err != ERR_OK || r->hello_left > 0)
		return;
	redis_link_settled(&r->link);
	r->up = true;
	log_info("Redis connection ready");
	if (r->conf.on_connect != NULL)
		r->conf.on_connect(r, r->conf.arg);
}

static void
on_reply(struct redis_link *link, const struct redis_reply *reply)
{
	struct redis *r = CONTAINER_OF(link, struct redis, link);
	struct command *cmd = TAILQ_FIRST(&r->sent);
	enum err err = redis_reply_err(reply);

	if (cmd == NULL) {
		redis_link_break(link, "it answered what nobody asked");
		return;
	}
	TAILQ_REMOVE(&r->sent, cmd, link);
	if (err != ERR_OK && eval_again(r, cmd, reply))
		return;
	r->in_flight--;
	if (err != ERR_OK)
		log_warn("Redis answered: %.*s", STR_ARG(reply->text));
	/* Another one is the master now, and the address may lead there. */
	if (err != ERR_OK && str_starts(reply->text, STR("READONLY")))
		redis_link_break(link, "it has become a replica");
	end_command(cmd, err, err == ERR_OK ? reply : NULL);
}

static void
on_closed(struct redis_link *link)
{
	struct redis *r = CONTAINER_OF(link, struct redis, link);

	r->up = false;
	end_sent(r, false);
}

static void
on_deadline(struct loop_wait *wait)
{
	struct command *cmd = CONTAINER_OF(wait, struct command, wait);

	cmd->err = ERR_TIMEOUT;
	redis_link_break(&cmd->redis->link, "a command was not answered in time");
}

/* --- commands ------------------------------------------------------------------------
 */

/* Redis has forgotten the script: sends its text this time. */
static bool
eval_again(struct redis *r, struct command *cmd, const struct redis_reply *reply)
{
	if (cmd->script == NULL || !str_starts(reply->text, STR("NOSCRIPT")))
		return false;
	put_eval(r, cmd, false);
	TAILQ_INSERT_TAIL(&r->sent, cmd, link);
	redis_link_flush(&r->link);
	return true;
}

static void
put_eval(struct redis *r, const struct command *cmd, bool by_hash)
{
	struct buf *out = &r->link.out;

	redis_put_count(out, cmd->argc);
	redis_put_arg(out, by_hash ? STR("EVALSHA") : STR("EVAL"));
	redis_put_arg(out, str_of(by_hash ? cmd->script->sha : cmd->script->lua));
	buf_add_str(out, buf_str(&cmd->tail));
}

static struct command *
take_command(struct redis *r, redis_cb *cb, void *arg)
{
	struct command *cmd = TAILQ_FIRST(&r->spare);

	if (cmd == NULL)
		cmd = xcalloc(1, sizeof(*cmd));
	else
		TAILQ_REMOVE(&r->spare, cmd, link);
	cmd->redis = r;
	cmd->cb = cb;
	cmd->arg = arg;
	cmd->script = NULL;
	return cmd;
}

/* False: it ends at the end of the turn, because no callback runs before the call that it
 * was given to has returned. */
static bool
accept_command(struct redis *r, struct command *cmd)
{
	if (!r->up || r->link.state != LINK_OPEN)
		cmd->err = ERR_UNAVAILABLE;
	else if (r->in_flight >= r->conf.max_in_flight)
		cmd->err = ERR_OVERLOAD;
	else
		return true;
	TAILQ_INSERT_TAIL(&r->failed, cmd, link);
	loop_defer(r->loop, &r->fail_job);
	return false;
}

/* Its bytes are in link.out. */
static void
send_command(struct redis *r, struct command *cmd)
{
	cmd->err = ERR_UNAVAILABLE;
	TAILQ_INSERT_TAIL(&r->sent, cmd, link);
	r->in_flight++;
	loop_wait_start(r->waits, &cmd->wait);
	redis_link_flush(&r->link);
}

/* The command is in no list any more: calls back and keeps it for the next. */
static void
end_command(struct command *cmd, enum err err, const struct redis_reply *reply)
{
	struct redis *r = cmd->redis;

	loop_wait_stop(&cmd->wait);
	if (cmd->cb != NULL)
		cmd->cb(cmd->arg, err, reply);
	if (cmd->tail.cap > KEEP_BYTES)
		buf_fini(&cmd->tail);
	buf_clear(&cmd->tail);
	TAILQ_INSERT_HEAD(&r->spare, cmd, link);
}

/* All at once: what the callbacks send now belongs to the next connection. */
static void
end_sent(struct redis *r, bool draining)
{
	struct commands lost = TAILQ_HEAD_INITIALIZER(lost);
	struct command *cmd;

	TAILQ_CONCAT(&lost, &r->sent, link);
	r->in_flight = 0;
	while ((cmd = TAILQ_FIRST(&lost)) != NULL) {
		TAILQ_REMOVE(&lost, cmd, link);
		end_command(cmd, draining ? ERR_DRAINING : cmd->err, NULL);
	}
}

static void
run_failed(struct loop_job *job)
{
	struct redis *r = CONTAINER_OF(job, struct redis, fail_job);
	struct command *cmd;

	while ((cmd = TAILQ_FIRST(&r->failed)) != NULL) {
		TAILQ_REMOVE(&r->failed, cmd, link);
		end_command(cmd, cmd->err, NULL);
	}
}

static void
run_free(struct loop_job *job)
{
	struct redis *r = CONTAINER_OF(job, struct redis, free_job);
	struct command *cmd;

	while ((cmd = TAILQ_FIRST(&r->failed)) != NULL) {
		TAILQ_REMOVE(&r->failed, cmd, link);
		end_command(cmd, ERR_DRAINING, NULL);
	}
	while ((cmd = TAILQ_FIRST(&r->spare)) != NULL) {
		TAILQ_REMOVE(&r->spare, cmd, link);
		buf_fini(&cmd->tail);
		free(cmd);
	}
	loop_waits_free(r->waits);
	free(r);
}
