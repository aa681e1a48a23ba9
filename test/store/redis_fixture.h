/* The Redis client under test and its calls; Redis is empty at the start. */
#ifndef ONRUSH_TEST_STORE_REDIS_FIXTURE_H
#define ONRUSH_TEST_STORE_REDIS_FIXTURE_H

#include "support.h"

#include "base/clock.h"
#include "store/redis.h"
#include "store/redsync.h"

enum {
	MAX_CALLS = 2000
};

struct fixture;

struct call {
	struct fixture *f;
	enum err err; /* ERR_COUNT: not called back yet */
	int64_t value;
	char text[64];
	int order; /* of the callbacks, from 1 */
};

struct fixture {
	struct loop *loop;
	struct redis *redis;
	struct redsync *admin;
	struct redis_conf conf;
	char url[256];
	struct call calls[MAX_CALLS];
	int made, ended, connects;
};

/* INCRBY key by */
extern struct redis_script add_script;

int set_up(void **state);
int tear_down(void **state);

/* Says words to Redis on a connection of its own. */
const struct redis_reply *say(struct fixture *f, const char *words);

/* Makes the client of f->conf and waits until it is up. */
void open_client(struct fixture *f);
bool is_up(void *fixture);
bool is_down(void *fixture);

/* Each takes the next of f->calls. */
struct call *new_call(struct fixture *f);
redis_cb on_reply;
struct call *command(struct fixture *f, const char *words);
struct call *eval(struct fixture *f, const char *key, const char *by);
/* Runs the loop until all have been called back. */
void finish(struct fixture *f);

#endif
