#include "gateway/limits/limit_share.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/redis.h"

#define TELL_US     (100 * CLOCK_US_PER_MS)
#define TIMEOUT_US  (100 * CLOCK_US_PER_MS)
#define NS_PER_US   INT64_C(1000)
#define FORGIVEN_AT 32 /* bursts: the most that a bucket in Redis is ever in debt */
#define EARLY_PART  4  /* of the burst: a copy that took it is told of at once */

enum {
	COMMON_SLOTS = 1 << 18,
	NOTES_MAX = 4096,   /* buckets that are told of at once */
	TELLING_MAX = 256,  /* by one script */
	REDIS_WAITING = 64, /* scripts without an answer */
	KEY_SIZE = 96,
	NUMBER_SIZE = 24,
};

/* A bucket from which something was taken. */
struct note {
	const struct limit_class *class; /* for ever */
	uint64_t subject;
	int64_t taken; /* what is told */
};

struct limit_share {
	struct loop *loop;         /* borrowed */
	struct limit_table *table; /* borrowed */
	struct redis *redis;       /* owned; NULL: there is none */
	struct loop_timer *timer;  /* owned */
	struct loop_job job;       /* tells at the end of the turn */
	struct telling *telling;   /* owned; being written for Redis, NULL: nothing is */
	bool waits;                /* the timer runs */
	bool ended;                /* the job frees it */
	size_t count;
	struct note notes[NOTES_MAX];
};

/* What Redis is told and has not answered. */
struct telling {
	struct limit_share *share; /* borrowed */
	size_t count;
	struct note notes[TELLING_MAX];
};

/* KEYS: buckets. ARGV, two for each: how long what was taken takes to come again, and the
 * longest debt, both in microseconds. The answer: when each is full, from now. Redis'
 * own clock is the only one in it. */
static struct redis_script tell_script = {
	.lua = "local t, out = redis.call('TIME'), {}\n"
	       "local now = t[1] * 1000000 + t[2]\n"
	       "for i, key in ipairs(KEYS) do\n"
	       "  local full = tonumber(redis.call('GET', key)) or 0\n"
	       "  full = math.max(full, now) + ARGV[2 * i - 1]\n"
	       "  full = math.min(full, now + ARGV[2 * i])\n"
	       "  redis.call('SET', key, string.format('%.0f', full), 'PX',\n"
	       "    string.format('%.0f', math.ceil((full - now) / 1000)))\n"
	       "  out[i] = full - now\n"
	       "end\n"
	       "return out\n",
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct limit_table *common; /* guarded by mutex; for ever; NULL: one worker */

static void on_timer(void *arg);
static void on_job(struct loop_job *job);
static void tell(struct limit_share *share);
static void on_reply(void *arg, enum err err, const struct redis_reply *reply);

/* --- life ----------------------------------------------------------------------------
 */

void
limit_share_start(int workers)
{
	if (workers > 1 && common == NULL)
		common = limit_table_new(COMMON_SLOTS);
}

struct limit_share *
limit_share_new(struct loop *loop, struct limit_table *table, const char *redis_url)
{
	struct limit_share *share;

	if (redis_url[0] == '\0' && common == NULL)
		return NULL;
	share = xcalloc(1, sizeof(*share));
	share->loop = loop;
	share->table = table;
	share->timer = loop_timer_new(loop, on_timer, share);
	share->job.run = on_job;
	if (redis_url[0] != '\0')
		share->redis = redis_new(loop, &(struct redis_conf){
						   .url = redis_url,
						   .max_in_flight = REDIS_WAITING,
						   .timeout_us = TIMEOUT_US,
					       });
	return share;
}

void
limit_share_free(struct limit_share *share)
{
	if (share == NULL)
		return;
	redis_free(share->redis);
	loop_timer_free(share->timer);
	share->ended = true;
	loop_defer(share->loop, &share->job);
}

bool
limit_share_is_wide(const struct limit_share *share)
{
	return share != NULL && share->redis != NULL && redis_is_up(share->redis);
}

/* --- what there is to tell -----------------------------------------------------------
 */

static bool
has_listener(const struct limit_share *share, const struct limit_class *class)
{
	return common != NULL || (class->everywhere && share->redis != NULL);
}

void
limit_share_note(struct limit_share *share, const struct limit_class *class,
    struct limit_bucket *bucket)
{
	if (share == NULL || !has_listener(share, class))
		return;
	if (bucket->taken == 0) {
		if (share->count == NOTES_MAX)
			return; /* told of when it is taken from again */
		share->notes[share->count++] = (struct note){ class, bucket->subject, 0 };
	}
	bucket->taken++;
	if (bucket->taken * EARLY_PART >= (uint64_t) class->is.burst) {
		loop_defer(share->loop, &share->job);
	} else if (!share->waits) {
		share->waits = true;
		loop_timer_set(share->timer, TELL_US);
	}
}

static void
on_timer(void *arg)
{
	struct limit_share *share = arg;

	share->waits = false;
	tell(share);
}

static void
on_job(struct loop_job *job)
{
	struct limit_share *share = CONTAINER_OF(job, struct limit_share, job);

	if (share->ended)
		free(share);
	else
		tell(share);
}

/* --- telling -------------------------------------------------------------------------
 */

static int64_t
now_ns(const struct limit_share *share)
{
	return loop_now_us(share->loop) * NS_PER_US;
}

/* The common table hears it and answers at once. */
static void
tell_process(
    struct limit_share *share, const struct note *note, struct limit_bucket *bucket)
{
	const struct limit_rate *rate = &note->class->rate;
	int64_t now = now_ns(share), backlog;
	struct limit_bucket *of_all;

	pthread_mutex_lock(&mutex);
	of_all =
	    limit_table_use(common, note->class->id, note->subject, now, rate->depth_ns);
	limit_charge(rate, now, note->taken, &of_all->full_ns);
	backlog = of_all->full_ns - now;
	pthread_mutex_unlock(&mutex);
	limit_learn(rate, now, backlog, 0, &bucket->full_ns);
}

/* Sends what was gathered for Redis. */
static void
send_telling(struct limit_share *share)
{
	struct telling *telling = share->telling;
	char keys[TELLING_MAX][KEY_SIZE], numbers[2 * TELLING_MAX][NUMBER_SIZE];
	str key_list[TELLING_MAX], number_list[2 * TELLING_MAX];

	for (size_t i = 0; i < telling->count; i++) {
		const struct note *note = &telling->notes[i];
		const struct limit_rate *rate = &note->class->rate;

		snprintf(keys[i], KEY_SIZE, "limit:%s:%" PRIx64, note->class->is.name,
		    note->subject);
		snprintf(numbers[2 * i], NUMBER_SIZE, "%" PRId64,
		    (note->taken * rate->interval_ns + NS_PER_US - 1) / NS_PER_US);
		snprintf(numbers[2 * i + 1], NUMBER_SIZE, "%" PRId64,
		    FORGIVEN_AT * rate->depth_ns / NS_PER_US);
		key_list[i] = str_of(keys[i]);
		number_list[2 * i] = str_of(numbers[2 * i]);
		number_list[2 * i + 1] = str_of(numbers[2 * i + 1]);
	}
	share->telling = NULL;
	redis_eval(share->redis, &tell_script, telling->count, key_list,
	    2 * telling->count, number_list, on_reply, telling);
}

static void
tell_redis(struct limit_share *share, const struct note *note)
{
	if (share->telling == NULL) {
		share->telling = xmalloc(sizeof(*share->telling));
		share->telling->share = share;
		share->telling->count = 0;
	}
	share->telling->notes[share->telling->count++] = *note;
	if (share->telling->count == TELLING_MAX)
		send_telling(share);
}

/* Tells of all notes. */
static void
tell(struct limit_share *share)
{
	bool wide = limit_share_is_wide(share);

	for (size_t i = 0; i < share->count; i++) {
		struct note *note = &share->notes[i];
		struct limit_bucket *bucket =
		    limit_table_find(share->table, note->class->id, note->subject);

		/* It may have been pushed out, and be noted twice when it came back. */
		if (bucket == NULL || bucket->taken == 0)
			continue;
		note->taken = bucket->taken;
		bucket->taken = 0;
		if (note->class->everywhere && wide)
			tell_redis(share, note);
		else if (common != NULL)
			tell_process(share, note, bucket);
	}
	share->count = 0;
	if (share->telling != NULL)
		send_telling(share);
}

/* What was taken while Redis could not hear it is not told again: by the time it is back
 * most of it has come again. */
static void
on_reply(void *arg, enum err err, const struct redis_reply *reply)
{
	struct telling *telling = arg;
	struct limit_share *share = telling->share;

	for (size_t i = 0; err == ERR_OK && i < telling->count; i++) {
		const struct note *note = &telling->notes[i];
		struct limit_bucket *bucket =
		    limit_table_find(share->table, note->class->id, note->subject);

		if (bucket != NULL)
			limit_learn(&note->class->rate, now_ns(share),
			    redis_i64(redis_at(reply, i)) * NS_PER_US, bucket->taken,
			    &bucket->full_ns);
	}
	free(telling);
}
