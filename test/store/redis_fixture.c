#include "redis_fixture.h"

#include <stdio.h>
#include <stdlib.h>

static void
on_connect(struct redis *r, void *arg)
{
	struct fixture *f = arg;

	assert_true(redis_is_up(r));
	f->connects++;
}

const struct redis_reply *
say(struct fixture *f, const char *words)
{
	str argv[16];
	size_t argc = 0;
	str rest = str_of(words);

	while (rest.p != NULL && argc < 16)
		rest = str_cut(rest, ' ', &argv[argc++]);
	redsync_queue(f->admin, argc, argv);
	assert_int_equal(redsync_run(f->admin), ERR_OK);
	return redsync_reply(f->admin, 0);
}

int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->admin = redsync_new(test_redis_url(), TIMEOUT_US);
	say(f, "FLUSHALL");
	f->loop = loop_new();
	f->conf = (struct redis_conf){
		.url = test_redis_url(),
		.max_in_flight = 1000,
		.timeout_us = TIMEOUT_US,
		.on_connect = on_connect,
		.arg = f,
	};
	*state = f;
	return 0;
}

int
tear_down(void **state)
{
	struct fixture *f = *state;

	redis_free(f->redis);
	loop_free(f->loop);
	redsync_free(f->admin);
	free(f);
	return 0;
}

bool
is_up(void *arg)
{
	return redis_is_up(((struct fixture *)arg)->redis);
}

bool
is_down(void *arg)
{
	return !is_up(arg);
}

void
open_client(struct fixture *f)
{
	f->redis = redis_new(f->loop, &f->conf);
	assert_false(is_up(f));
	run_until(f->loop, is_up, f);
}

void
on_reply(void *arg, enum err err, const struct redis_reply *reply)
{
	struct call *call = arg;

	assert_int_equal(call->err, ERR_COUNT);
	assert_true((err == ERR_OK) == (reply != NULL));
	call->err = err;
	call->order = ++call->f->ended;
	call->value = redis_i64(reply);
	snprintf(call->text, sizeof(call->text), "%.*s", STR_ARG(redis_str(reply)));
}

struct call *
new_call(struct fixture *f)
{
	struct call *call = &f->calls[f->made++];

	assert_true(f->made <= MAX_CALLS);
	*call = (struct call){ .f = f, .err = ERR_COUNT };
	return call;
}

/* A command of words. */
struct call *
command(struct fixture *f, const char *words)
{
	struct call *call = new_call(f);
	str argv[16];
	size_t argc = 0;
	str rest = str_of(words);

	while (rest.p != NULL && argc < 16)
		rest = str_cut(rest, ' ', &argv[argc++]);
	redis_command(f->redis, argc, argv, on_reply, call);
	assert_int_equal(call->err, ERR_COUNT);
	return call;
}

struct redis_script add_script = {
	.lua = "return redis.call('INCRBY', KEYS[1], ARGV[1])",
};

struct call *
eval(struct fixture *f, const char *key, const char *by)
{
	struct call *call = new_call(f);
	const str keys[] = { str_of(key) }, args[] = { str_of(by) };

	redis_eval(f->redis, &add_script, 1, keys, 1, args, on_reply, call);
	assert_int_equal(call->err, ERR_COUNT);
	return call;
}

static bool
all_ended(void *arg)
{
	struct fixture *f = arg;

	return f->ended == f->made;
}

void
finish(struct fixture *f)
{
	run_until(f->loop, all_ended, f);
}
