/*
 * The consumer: the group member and its messages; its partitions are in parts.c.
 *
 *   consumer ──parts──> what was acknowledged, who waits before going back
 *        └──held[]──> messages of the last poll, librdkafka's, released by the next poll
 *
 * One thread calls everything but the readers that say otherwise. librdkafka calls back
 * inside consumer_poll only (or while consumer_free waits), so nothing here is locked,
 * and a rebalance happens between two batches, never during the work on one.
 */
#include "bus/consumer.h"

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "app/log.h"
#include "base/clock.h"
#include "bus/kafka.h"
#include "bus/parts.h"

enum {
	LAG_EVERY_US = 1000000,
	LAG_AGAIN_US = 100000, /* while it is unknown */
	CLOSE_WAIT_US = 5000000,
	FAILED_WAIT_US = 100000,
};

struct consumer {
	rd_kafka_t *rk;          /* owned */
	char *topic, *client_id; /* owned */
	struct parts parts;
	rd_kafka_message_t **held; /* owned; [held_count] */
	size_t held_count, held_room;
	int64_t lag_due_us;
	_Atomic int64_t lag, last_poll_us;
	atomic_int assigned;
	atomic_bool failed;
};

static void release_held(struct consumer *c);
static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err,
    rd_kafka_topic_partition_list_t *list, void *opaque);
static void on_committed(rd_kafka_t *rk, rd_kafka_resp_err_t err,
    rd_kafka_topic_partition_list_t *list, void *opaque);
static void on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque);

/* --- librdkafka calls ----------------------------------------------------------------
 */

static void
take_over(struct consumer *c, const rd_kafka_topic_partition_list_t *list)
{
	parts_assign(&c->parts, list);
	log_info("kafka consumer %s: has %d partitions of %s", c->client_id, list->cnt,
	    c->topic);
	rd_kafka_assign(c->rk, list);
	atomic_store(&c->assigned, list->cnt);
}

/* All partitions go at once (eager). What was polled but not handed out will be the next
 * member's. After a loss others may have it already: a commit would set them back. */
static void
hand_over(struct consumer *c)
{
	bool lost = rd_kafka_assignment_lost(c->rk);

	release_held(c);
	if (!lost)
		parts_commit(&c->parts, true);
	parts_clear(&c->parts);
	log_info("kafka consumer %s: its partitions of %s were %s", c->client_id,
	    c->topic, lost ? "lost" : "revoked");
	rd_kafka_assign(c->rk, NULL);
	atomic_store(&c->assigned, 0);
}

static void
on_rebalance(rd_kafka_t *rk UNUSED, rd_kafka_resp_err_t err,
    rd_kafka_topic_partition_list_t *list, void *opaque)
{
	struct consumer *c = opaque;

	if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
		take_over(c, list);
	else
		hand_over(c);
	atomic_store(&c->lag, -1);
	c->lag_due_us = 0;
}

static void
on_committed(rd_kafka_t *rk UNUSED, rd_kafka_resp_err_t err,
    rd_kafka_topic_partition_list_t *list, void *opaque)
{
	struct consumer *c = opaque;

	parts_committed(&c->parts, err, list);
}

static void
on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
	struct consumer *c = opaque;
	char why[KAFKA_ERROR_SIZE];

	if (rd_kafka_fatal_error(rk, why, sizeof(why)) != RD_KAFKA_RESP_ERR_NO_ERROR) {
		if (!atomic_exchange(&c->failed, true))
			log_error(
			    "kafka consumer %s: cannot go on: %s", c->client_id, why);
		return;
	}
	kafka_log_error("consumer", c->client_id, (rd_kafka_resp_err_t)err, reason);
}

/* --- life ----------------------------------------------------------------------------
 */

static rd_kafka_t *
connect_rk(
    struct consumer *c, const struct consumer_conf *conf, char err[KAFKA_ERROR_SIZE])
{
	rd_kafka_conf_t *callbacks = rd_kafka_conf_new();
	char session_ms[24];
	const struct kafka_setting settings[] = {
		{ "group.id", conf->group },
		{ "session.timeout.ms", session_ms },
		{ "heartbeat.interval.ms", "1000" },
		{ "max.poll.interval.ms", "300000" },
		{ "partition.assignment.strategy", "range" },
		{ "auto.offset.reset", "earliest" },
		{ "enable.auto.commit", "false" },
		{ "enable.auto.offset.store", "false" },
		{ "check.crcs", "true" },
		/* A resumed partition is asked for only when the fetch that waits for
		 * the other ones has come back. */
		{ "fetch.wait.max.ms", "100" },
		{ "fetch.error.backoff.ms", "50" },
		/* Above this much unread, fetching stops for up to a second: enough
		 * for that second, and a bound for memory. */
		{ "queued.min.messages", "50000" },
		{ "queued.max.messages.kbytes", "16384" },
		/* Last, because it may be absent. */
		{ conf->instance_id[0] != '\0' ? "group.instance.id" : NULL,
		    conf->instance_id },
		{ NULL, NULL },
	};

	snprintf(
	    session_ms, sizeof(session_ms), "%d", kafka_ms(conf->session_timeout_us));
	rd_kafka_conf_set_opaque(callbacks, c);
	rd_kafka_conf_set_rebalance_cb(callbacks, on_rebalance);
	rd_kafka_conf_set_offset_commit_cb(callbacks, on_committed);
	rd_kafka_conf_set_error_cb(callbacks, on_error);
	return kafka_new(
	    RD_KAFKA_CONSUMER, conf->brokers, conf->client_id, settings, callbacks, err);
}

static bool
subscribe(struct consumer *c)
{
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
	rd_kafka_resp_err_t err;

	rd_kafka_poll_set_consumer(c->rk);
	rd_kafka_topic_partition_list_add(topics, c->topic, RD_KAFKA_PARTITION_UA);
	err = rd_kafka_subscribe(c->rk, topics);
	rd_kafka_topic_partition_list_destroy(topics);
	if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
		log_error("kafka consumer %s: %s: %s", c->client_id, c->topic,
		    rd_kafka_err2str(err));
	return err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

struct consumer *
consumer_new(const struct consumer_conf *conf)
{
	struct consumer *c = xcalloc(1, sizeof(*c));
	char err[KAFKA_ERROR_SIZE];

	c->topic = xstrdup(conf->topic);
	c->client_id = xstrdup(conf->client_id);
	atomic_store(&c->lag, -1);
	atomic_store(&c->assigned, -1);
	atomic_store(&c->last_poll_us, clock_mono_us());
	c->rk = connect_rk(c, conf, err);
	if (c->rk == NULL)
		log_error("kafka consumer %s: %s", conf->client_id, err);
	c->parts = (struct parts){ .rk = c->rk, .topic = c->topic, .name = c->client_id };
	if (c->rk == NULL || !subscribe(c)) {
		consumer_free(c);
		return NULL;
	}
	return c;
}

/* On a thread: each of these may take as long as it likes. */
static void
close_rk(void *arg)
{
	struct consumer *c = arg;

	parts_commit(&c->parts, true);
	rd_kafka_consumer_close(c->rk);
	rd_kafka_destroy(c->rk);
}

void
consumer_free(struct consumer *c)
{
	if (c == NULL)
		return;
	release_held(c);
	if (c->rk != NULL && !kafka_run_bounded(close_rk, c, CLOSE_WAIT_US)) {
		log_warn("kafka consumer %s: took too long to close and was left alone",
		    c->client_id);
		return; /* the thread still uses it */
	}
	parts_fini(&c->parts);
	free(c->held);
	free(c->topic);
	free(c->client_id);
	free(c);
}

/* --- messages ------------------------------------------------------------------------
 */

static void
release_held(struct consumer *c)
{
	for (size_t i = 0; i < c->held_count; i++)
		rd_kafka_message_destroy(c->held[i]);
	c->held_count = 0;
}

static void
hold(struct consumer *c, rd_kafka_message_t *rkm)
{
	if (c->held_count == c->held_room) {
		c->held_room = c->held_room == 0 ? 64 : c->held_room * 2;
		c->held = xrealloc(c->held, sizeof(*c->held) * c->held_room);
	}
	c->held[c->held_count++] = rkm;
}

/* Waits for one message and takes those that are there. Errors are logged and skipped. A
 * rebalance in between releases what was held. */
static void
fetch(struct consumer *c, size_t max, int wait_ms)
{
	rd_kafka_message_t *rkm;

	while (c->held_count < max && !atomic_load(&c->failed) &&
	       (rkm = rd_kafka_consumer_poll(c->rk, wait_ms)) != NULL) {
		wait_ms = 0;
		if (rkm->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
			hold(c, rkm);
			continue;
		}
		on_error(c->rk, rkm->err, rd_kafka_message_errstr(rkm), c);
		rd_kafka_message_destroy(rkm);
	}
}

static struct message
describe(struct consumer *c, rd_kafka_message_t *rkm)
{
	return (struct message){
		.key = { rkm->key, rkm->key_len },
		.value = { rkm->payload, rkm->len },
		.partition = rkm->partition,
		.offset = rkm->offset,
		.time_ms = rd_kafka_message_timestamp(rkm, NULL),
		.attempts = parts_deliver(&c->parts, rkm->partition, rkm->offset),
		.handle = rkm,
	};
}

/* A consumer that failed gives nothing, but its caller must not spin. */
static size_t
give_nothing(int64_t wait_us)
{
	const struct timespec pause = {
		.tv_nsec = (wait_us < FAILED_WAIT_US ? wait_us : FAILED_WAIT_US) * 1000
	};

	nanosleep(&pause, NULL);
	return 0;
}

size_t
consumer_poll(struct consumer *c, struct message *messages, size_t max, int64_t wait_us)
{
	int64_t now_us = clock_mono_us();
	int64_t until_us = now_us + wait_us, next_us;

	release_held(c);
	do {
		atomic_store(&c->last_poll_us, now_us);
		if (atomic_load(&c->failed))
			return give_nothing(until_us - now_us);
		next_us = parts_resume(&c->parts, now_us, until_us);
		next_us = parts_commit_due(&c->parts, now_us, next_us);
		fetch(c, max, kafka_ms(next_us - now_us));
		now_us = clock_mono_us();
	} while (c->held_count == 0 && now_us < until_us);
	for (size_t i = 0; i < c->held_count; i++)
		messages[i] = describe(c, c->held[i]);
	if (now_us >= c->lag_due_us && consumer_assigned(c) > 0) {
		atomic_store(&c->lag, parts_lag(&c->parts));
		c->lag_due_us =
		    now_us + (consumer_lag(c) < 0 ? LAG_AGAIN_US : LAG_EVERY_US);
	}
	return c->held_count;
}

void
consumer_ack(struct consumer *c, const struct message *messages, size_t count)
{
	for (size_t i = 0; i < count; i++)
		parts_ack(&c->parts, messages[i].partition, messages[i].offset);
}

void
consumer_retry(
    struct consumer *c, const struct message *messages, size_t count, enum err reason)
{
	for (size_t i = 0; i < count; i++)
		parts_retry(&c->parts, &messages[i], reason);
}

int64_t
consumer_lag(const struct consumer *c)
{
	return atomic_load(&c->lag);
}

int
consumer_assigned(const struct consumer *c)
{
	return atomic_load(&c->assigned);
}

int64_t
consumer_last_poll_us(const struct consumer *c)
{
	return atomic_load(&c->last_poll_us);
}

bool
consumer_failed(const struct consumer *c)
{
	return atomic_load(&c->failed);
}
