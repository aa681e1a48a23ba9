/*
 * The Kafka consumer of a blocking program: a group member with manual acknowledgment.
 *
 *	while (!app_stopping(app)) {
 *		n = consumer_poll(c, messages, 256, 100 * MS);
 *		err = decide(messages, n);
 *		if (err_info(err)->ack)
 *			consumer_ack(c, messages, n);
 *		else
 *			consumer_retry(c, messages, n, err);
 *	}
 *
 * Eager `range` assignment with static membership (group.instance.id), so that a killed
 * and restarted consumer gets its partitions back at once. auto.offset.reset=earliest.
 * Sync commits on revoke and close, none when the assignment was lost.
 */
#ifndef ONRUSH_BUS_CONSUMER_H
#define ONRUSH_BUS_CONSUMER_H

#include "base/err.h"
#include "base/str.h"
#include "http/http_parse.h"

struct consumer;

struct consumer_conf {
	const char *brokers, *client_id;
	const char *group;       /* "COUPON" */
	const char *instance_id; /* "coupon-publisher-0"; "" for dynamic membership */
	const char *topic;
	int64_t session_timeout_us; /* 30 s */
};

/* Borrowed from the consumer until the next poll. */
struct message {
	str key, value;
	int32_t partition;
	int64_t offset;
	int64_t time_ms; /* of the record, wall */
	int attempts;    /* how often it was retried before */
	void *handle;    /* private */
};

struct consumer *consumer_new(const struct consumer_conf *conf); /* NULL: error logged */
/* Commits what was acknowledged and closes, at most 5 s. A dynamic member leaves its
 * group; a static one keeps its place until it is back or session_timeout_us has passed.
 * NULL is fine. */
void consumer_free(struct consumer *c);

/*
 * Waits up to wait_us for a first message, then takes what is already there, up to max,
 * in the order of each partition. 0: none came. Partitions in back-off give nothing.
 */
size_t
consumer_poll(struct consumer *c, struct message *messages, size_t max, int64_t wait_us);

/* The messages are done with: their offsets are committed, asynchronously and at least
 * once a second, synchronously on revoke and close. Order within a partition matters:
 * acknowledging one acknowledges all before it. */
void consumer_ack(struct consumer *c, const struct message *messages, size_t count);

/* The messages were not decided: their partitions are paused, go back to the first of
 * them, and resume after a back-off of 100 ms times 2^attempts with jitter, at most 30 s.
 * The reason is logged. */
void consumer_retry(
    struct consumer *c, const struct message *messages, size_t count, enum err reason);

/* Records that this member is behind, summed over its partitions; -1 while unknown.
 * From any thread. */
int64_t consumer_lag(const struct consumer *c);
/* Partitions assigned now, which may be none; -1 before the group's first word. From any
 * thread. */
int consumer_assigned(const struct consumer *c);
/* Monotonic time of the last consumer_poll, for a watchdog. From any thread. */
int64_t consumer_last_poll_us(const struct consumer *c);
/* It cannot go on, for good: another process took over its instance_id, or the group
 * refuses it. consumer_poll gives nothing any more; the program must end. From any
 * thread.
 */
bool consumer_failed(const struct consumer *c);

#endif
