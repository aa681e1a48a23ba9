/*
 * The loop of a program that decides what a topic's events ask for, in batches:
 *
 *   poll ──> decode ──> decide ──> acknowledge ──> acknowledged
 *              │           │
 *              │           ├─ the batch is refused: its events one by one
 *              │           ├─ one is refused five times by a healthy system: dead letter
 *              │           └─ a system is away: the partition goes back and waits
 *              └─ not readable: dead letter, in its turn
 *
 * An event is acknowledged when it was decided or when the dead letter queue has it, and
 * never before one that stands before it in its partition. So a crash anywhere repeats
 * events, and deciding must be harmless to repeat.
 *
 * Owns the consumer and a producer for dead letters and replies. Knows nothing of what
 * the events mean. One thread, the program's main one.
 */
#ifndef ONRUSH_BUS_CONSUME_H
#define ONRUSH_BUS_CONSUME_H

#include <stddef.h>

#include "app/app.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct producer;
struct consume;

enum {
	CONSUME_BATCH_MAX = 256
};

/* Settings that every such program has: put CONSUME_CONF_ITEMS in its table. */
struct consume_settings {
	const char *brokers, *topic_prefix, *instance; /* owned by conf */
	int64_t batch_max;
};

#define CONSUME_CONF_ITEMS(type, member)                                                 \
	{ "ONRUSH_KAFKA_BROKERS", CONF_STRING, offsetof(type, member.brokers), NULL, 0,  \
		0, "Kafka brokers, as host:port,host:port." },                           \
	    { "ONRUSH_TOPIC_PREFIX", CONF_STRING, offsetof(type, member.topic_prefix),   \
		    "", 0, 0, "Put before the name of every topic and group." },         \
	    { "ONRUSH_INSTANCE", CONF_STRING, offsetof(type, member.instance), "", 0, 0, \
		    "Name of this copy in the consumer group, such as "                  \
		    "coupon-publisher-0: a restart gets its partitions back at once. "   \
		    "Empty: any name, with a rebalance." },                              \
	{                                                                                \
		"ONRUSH_BATCH_MAX", CONF_INT, offsetof(type, member.batch_max), "256",   \
		    1, CONSUME_BATCH_MAX,                                                \
		    "Events that are decided in one transaction, at most."               \
	}

/* What a program does with its events. All are called on the loop's thread. */
struct consume_ops {
	size_t event_size; /* of what decode fills */
	/* Reads a record into *event, whose strings may live in the arena. False with a
	 * sentence in *why (static or in the arena) when it is not such an event. */
	bool (*decode)(void *event, struct arena *arena, str text, const char **why);
	/*
	 * Decides `count` events, 1 or more, in one transaction. ERR_OK: every one is
	 * decided and committed. ERR_INTERNAL: all were refused and perhaps one of them
	 * is the reason, so each is tried alone. Any other: they come again, later.
	 */
	enum err (*decide)(
	    void *arg, struct arena *arena, const void *events, size_t count);
	/* The last batch has been acknowledged: what may be lost is done here. May be
	 * NULL.
	 */
	void (*acknowledged)(void *arg);
	/* Does what decide depends on answer now? Tells a sick dependency from a sick
	 * event. */
	bool (*is_healthy)(void *arg);
	/* Why decide failed, for people. */
	const char *(*message)(const void *arg);
	void *arg; /* borrowed for the loop's life */
};

struct consume_conf {
	const char *program;                     /* its name; static */
	const struct consume_settings *settings; /* borrowed for the loop's life */
	const char *topic, *group;               /* without the prefix; copied */
	const struct consume_ops *ops;           /* borrowed for the loop's life */
};

/* In the program's `start`: registers the metrics onrush_consumer_… and the readiness
 * check "consumer". NULL with an error logged when a setting is refused. */
struct consume *consume_new(struct app *app, const struct consume_conf *conf);
void consume_free(struct consume *c); /* NULL is fine */

/* The program's `run`: returns when a stop was asked for, or when the group does not take
 * this member any more; then the program ends with status 1, for its supervisor to begin
 * anew. */
void consume_run(struct consume *c, struct app *app);

/* For replies; polled by the loop. Borrowed for the loop's life. */
struct producer *consume_producer(const struct consume *c);

#endif
