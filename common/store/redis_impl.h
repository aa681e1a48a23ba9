/*
 * What redis.c and redsync.c share and nobody else sees: the URL, the bytes of commands
 * and the reading of replies (RESP2).
 */
#ifndef ONRUSH_STORE_REDIS_IMPL_H
#define ONRUSH_STORE_REDIS_IMPL_H

#include <hiredis/read.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "store/redis.h"

/* --- redis_url.c ---------------------------------------------------------------------
 */

struct redis_url {
	char address[272]; /* host:port, as net_resolve takes it */
	char user[128], password[512];
	int64_t db;
};

/* redis://[user:password@]host[:port][/db]; user may be empty, both may be escaped with
 * %xx. False if it is not that. */
bool redis_url_parse(const char *url, struct redis_url *out) MUST_USE;
/* The same for the start of a program: ends it with a sentence without the password. */
void redis_url_parse_or_die(const char *url, struct redis_url *out);

/* --- redis_wire.c --------------------------------------------------------------------
 */

/* "*<count>\r\n", followed by that many arguments. */
void redis_put_count(struct buf *out, size_t count);
void redis_put_arg(struct buf *out, str arg);
void redis_put_command(struct buf *out, size_t argc, const str *argv);
/* AUTH and SELECT where needed, and PING: what a new connection says; how many. */
size_t redis_put_hello(struct buf *out, const struct redis_url *url);
/* Fills in script->sha. Any thread. */
void redis_hash_script(struct redis_script *script);

/* --- redis_reply.c -------------------------------------------------------------------
 */

enum redis_type {
	REDIS_NIL,
	REDIS_STRING,
	REDIS_STATUS,
	REDIS_ERROR,
	REDIS_INTEGER,
	REDIS_ARRAY
};

/* A reply and all that is in it live in the arena of its reader. */
struct redis_reply {
	enum redis_type type;
	int64_t integer;
	str text;                      /* string, status or error */
	size_t count;                  /* of elements */
	struct redis_reply **elements; /* borrowed from the arena */
};

/* A reader that makes replies in `arena` (borrowed). The caller frees it with
 * redisReaderFree. */
redisReader *redis_reader_new(struct arena *arena);
/* Appends received bytes; false when the reply under way is too large. */
bool redis_reader_feed(redisReader *reader, const char *bytes, size_t size) MUST_USE;
/* The next complete reply, NULL if there is none; false when the bytes are no RESP. The
 * arena may be reset when the reply is not needed any more. */
bool redis_reader_next(redisReader *reader, const struct redis_reply **reply) MUST_USE;

/* ERR_OK for a reply that is not an error, else what it means: this Redis cannot at the
 * moment (it loads, is full or not the master): ERR_UNAVAILABLE; or the command was
 * wrong: ERR_INTERNAL. */
enum err redis_reply_err(const struct redis_reply *reply);

#endif
