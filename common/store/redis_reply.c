/*
 * Replies: hiredis' reader parses the bytes and calls the functions below, which build
 * the reply in an arena. So a reply costs no malloc, is freed with a reset, and has
 * limits: what the other side announces is not believed before it has arrived.
 */
#include <string.h>

#include "store/redis_impl.h"

enum {
	MAX_ELEMENTS = 1 << 20,
	MAX_REPLY_BYTES = 64 << 20
};

static void *create_string(const redisReadTask *task, char *text, size_t size);
static void *create_array(const redisReadTask *task, int count);
static void *create_integer(const redisReadTask *task, long long value);
static void *create_nil(const redisReadTask *task);
static void free_nothing(void *reply);
static struct redis_reply *attach(const redisReadTask *task, enum redis_type type);

static redisReplyObjectFunctions functions = {
	.createString = create_string,
	.createArray = create_array,
	.createInteger = create_integer,
	.createNil = create_nil,
	.freeObject = free_nothing,
};

redisReader *
redis_reader_new(struct arena *arena)
{
	redisReader *reader = redisReaderCreateWithFunctions(&functions);

	ASSERT(reader != NULL);
	reader->privdata = arena;
	return reader;
}

bool
redis_reader_feed(redisReader *reader, const char *bytes, size_t size)
{
	return reader->len - reader->pos + size <= MAX_REPLY_BYTES &&
	       redisReaderFeed(reader, bytes, size) == REDIS_OK;
}

bool
redis_reader_next(redisReader *reader, const struct redis_reply **reply)
{
	void *next = NULL;
	bool valid = redisReaderGetReply(reader, &next) == REDIS_OK;

	*reply = next;
	return valid;
}

enum err
redis_reply_err(const struct redis_reply *reply)
{
	static const char *const passing[] = { "LOADING", "BUSY", "MASTERDOWN",
		"READONLY", "CLUSTERDOWN", "TRYAGAIN", "OOM" };

	if (reply->type != REDIS_ERROR)
		return ERR_OK;
	for (size_t i = 0; i < ARRAY_LEN(passing); i++)
		if (str_starts(reply->text, str_of(passing[i])))
			return ERR_UNAVAILABLE;
	return ERR_INTERNAL;
}

/* --- for whoever gets a reply --------------------------------------------------------
 */

int64_t
redis_i64(const struct redis_reply *reply)
{
	int64_t value = 0;

	if (reply == NULL)
		return 0;
	if (reply->type == REDIS_INTEGER)
		return reply->integer;
	return str_to_i64(redis_str(reply), INT64_MIN, INT64_MAX, &value) ? value : 0;
}

str
redis_str(const struct redis_reply *reply)
{
	if (reply == NULL || (reply->type != REDIS_STRING && reply->type != REDIS_STATUS))
		return STR_NULL;
	return reply->text;
}

size_t
redis_count(const struct redis_reply *reply)
{
	return reply == NULL ? 0 : reply->count;
}

const struct redis_reply *
redis_at(const struct redis_reply *reply, size_t i)
{
	return i < redis_count(reply) ? reply->elements[i] : NULL;
}

/* --- for the reader ------------------------------------------------------------------
 */

static void *
create_string(const redisReadTask *task, char *text, size_t size)
{
	enum redis_type type = task->type == REDIS_REPLY_ERROR    ? REDIS_ERROR
			       : task->type == REDIS_REPLY_STATUS ? REDIS_STATUS
								  : REDIS_STRING;
	struct redis_reply *reply = attach(task, type);

	reply->text = arena_str(task->privdata, (str){ text, size });
	return reply;
}

static void *
create_array(const redisReadTask *task, int count)
{
	struct redis_reply *reply;

	/* NULL is the reader's "out of memory": it gives up. */
	if (count < 0 || count > MAX_ELEMENTS)
		return NULL;
	reply = attach(task, REDIS_ARRAY);
	reply->count = (size_t)count;
	reply->elements =
	    arena_alloc(task->privdata, (size_t)count * sizeof(reply->elements[0]));
	return reply;
}

static void *
create_integer(const redisReadTask *task, long long value)
{
	struct redis_reply *reply = attach(task, REDIS_INTEGER);

	reply->integer = value;
	return reply;
}

static void *
create_nil(const redisReadTask *task)
{
	return attach(task, REDIS_NIL);
}

static void
free_nothing(void *reply)
{
	(void)reply;
}

/* A new reply at its place in the array that it is an element of. */
static struct redis_reply *
attach(const redisReadTask *task, enum redis_type type)
{
	struct redis_reply *reply = ARENA_NEW(task->privdata, struct redis_reply);
	struct redis_reply *parent = task->parent == NULL ? NULL : task->parent->obj;

	reply->type = type;
	if (parent != NULL)
		parent->elements[task->idx] = reply;
	return reply;
}
