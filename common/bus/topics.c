/*
 * Topics for the operator's command: each call makes an instance of librdkafka, asks,
 * waits and destroys it. Creating and extending go through the admin API; what exists is
 * read from the metadata.
 */
#include "bus/topics.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "bus/kafka.h"

enum {
	DESTROY_WAIT_US = 5000000,
};

static const struct kafka_setting no_settings[] = { { NULL, NULL } };

/* --- one instance per call -----------------------------------------------------------
 */

static void PRINTF_LIKE(3, 4) say(char *err, size_t err_size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, err_size, fmt, ap);
	va_end(ap);
}

static rd_kafka_t *
open_admin(const char *brokers, char *err, size_t err_size)
{
	char why[KAFKA_ERROR_SIZE];
	rd_kafka_t *rk =
	    kafka_new(RD_KAFKA_PRODUCER, brokers, "onrush-admin", no_settings, NULL, why);

	if (rk == NULL)
		say(err, err_size, "Kafka at %s: %s", brokers, why);
	return rk;
}

static rd_kafka_t *
open_reader(const char *brokers, const char *group, char *err, size_t err_size)
{
	const struct kafka_setting settings[] = {
		{ "group.id", group },
		{ "enable.auto.commit", "false" },
		{ "enable.auto.offset.store", "false" },
		{ "auto.offset.reset", "earliest" },
		{ "enable.partition.eof", "true" },
		{ NULL, NULL },
	};
	char why[KAFKA_ERROR_SIZE];
	rd_kafka_t *rk =
	    kafka_new(RD_KAFKA_CONSUMER, brokers, "onrush-admin", settings, NULL, why);

	if (rk == NULL)
		say(err, err_size, "Kafka at %s: %s", brokers, why);
	return rk;
}

bool
topics_reachable(const char *brokers, int64_t timeout_us)
{
	char err[KAFKA_ERROR_SIZE];
	rd_kafka_t *rk = open_admin(brokers, err, sizeof(err));
	const rd_kafka_metadata_t *md;
	bool reachable;

	if (rk == NULL)
		return false;
	reachable = rd_kafka_metadata(rk, 0, NULL, &md, kafka_ms(timeout_us)) ==
		    RD_KAFKA_RESP_ERR_NO_ERROR;
	if (reachable)
		rd_kafka_metadata_destroy(md);
	kafka_destroy(rk, DESTROY_WAIT_US);
	return reachable;
}

/* --- topics_ensure -------------------------------------------------------------------
 */

/* One admin request: what to send, and what came back. */
struct admin {
	rd_kafka_t *rk;                /* borrowed */
	rd_kafka_queue_t *queue;       /* owned */
	rd_kafka_AdminOptions_t *opts; /* owned */
	rd_kafka_event_t *event;       /* owned; the answer, NULL before */
	int64_t until_us;
};

static void
admin_init(struct admin *a, rd_kafka_t *rk, rd_kafka_admin_op_t op, int64_t until_us)
{
	char why[KAFKA_ERROR_SIZE];

	*a = (struct admin){ .rk = rk, .until_us = until_us };
	a->queue = rd_kafka_queue_new(rk);
	a->opts = rd_kafka_AdminOptions_new(rk, op);
	rd_kafka_AdminOptions_set_request_timeout(
	    a->opts, kafka_ms_until(until_us), why, sizeof(why));
	rd_kafka_AdminOptions_set_operation_timeout(
	    a->opts, kafka_ms_until(until_us), why, sizeof(why));
}

/* The answer, or NULL with why. */
static rd_kafka_event_t *
admin_wait(struct admin *a, char *err, size_t err_size)
{
	a->event = rd_kafka_queue_poll(a->queue, kafka_ms_until(a->until_us));
	if (a->event == NULL) {
		say(err, err_size, "Kafka gave no answer in time");
		return NULL;
	}
	if (rd_kafka_event_error(a->event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
		say(err, err_size, "Kafka: %s", rd_kafka_event_error_string(a->event));
		return NULL;
	}
	return a->event;
}

static void
admin_fini(struct admin *a)
{
	if (a->event != NULL)
		rd_kafka_event_destroy(a->event);
	rd_kafka_AdminOptions_destroy(a->opts);
	rd_kafka_queue_destroy(a->queue);
}

/* The outcome for the one topic of a request. */
static bool
topic_done(const rd_kafka_topic_result_t **results, size_t count,
    rd_kafka_resp_err_t fine, char *err, size_t err_size)
{
	rd_kafka_resp_err_t code;

	ASSERT(count == 1);
	code = rd_kafka_topic_result_error(results[0]);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == fine)
		return true;
	say(err, err_size, "topic %s: %s", rd_kafka_topic_result_name(results[0]),
	    rd_kafka_topic_result_error_string(results[0]) != NULL
		? rd_kafka_topic_result_error_string(results[0])
		: rd_kafka_err2str(code));
	return false;
}

/* True when it exists afterwards, whoever made it. */
static bool
create(rd_kafka_t *rk, const struct topic_spec *spec, int64_t until_us, char *err,
    size_t err_size)
{
	rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(
	    spec->name, spec->partitions, spec->replication, err, err_size);
	const rd_kafka_topic_result_t **results;
	rd_kafka_event_t *event;
	struct admin a;
	size_t count;
	bool done = false;

	if (topic == NULL)
		return false;
	for (const char *const *c = spec->config; c != NULL && *c != NULL; c += 2)
		rd_kafka_NewTopic_set_config(topic, c[0], c[1]);
	admin_init(&a, rk, RD_KAFKA_ADMIN_OP_CREATETOPICS, until_us);
	rd_kafka_CreateTopics(rk, &topic, 1, a.opts, a.queue);
	if ((event = admin_wait(&a, err, err_size)) != NULL) {
		results = rd_kafka_CreateTopics_result_topics(
		    rd_kafka_event_CreateTopics_result(event), &count);
		done = topic_done(results, count, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS,
		    err, err_size);
	}
	admin_fini(&a);
	rd_kafka_NewTopic_destroy(topic);
	return done;
}

static bool
extend(rd_kafka_t *rk, const struct topic_spec *spec, int64_t until_us, char *err,
    size_t err_size)
{
	rd_kafka_NewPartitions_t *more = rd_kafka_NewPartitions_new(
	    spec->name, (size_t)spec->partitions, err, err_size);
	const rd_kafka_topic_result_t **results;
	rd_kafka_event_t *event;
	struct admin a;
	size_t count;
	bool done = false;

	if (more == NULL)
		return false;
	admin_init(&a, rk, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, until_us);
	rd_kafka_CreatePartitions(rk, &more, 1, a.opts, a.queue);
	if ((event = admin_wait(&a, err, err_size)) != NULL) {
		results = rd_kafka_CreatePartitions_result_topics(
		    rd_kafka_event_CreatePartitions_result(event), &count);
		done =
		    topic_done(results, count, RD_KAFKA_RESP_ERR_NO_ERROR, err, err_size);
	}
	admin_fini(&a);
	rd_kafka_NewPartitions_destroy(more);
	return done;
}

/* Waits until there are so many partitions that all have leaders, which takes a moment
 * after they were made; 0 when that does not come in time, otherwise their number. */
static int
await_partitions(rd_kafka_t *rk, const struct topic_spec *spec, int wanted,
    int64_t until_us, char *err, size_t err_size)
{
	int count;

	do {
		count = kafka_partition_count(rk, spec->name, kafka_ms_until(until_us));
		if (count >= wanted)
			return count;
	} while (kafka_pause(until_us));
	say(err, err_size, "topic %s has %d partitions with leaders, not %d", spec->name,
	    count, wanted);
	return 0;
}

static bool
ensure(rd_kafka_t *rk, const struct topic_spec *spec, int64_t until_us, char *err,
    size_t err_size)
{
	int count;

	if (!create(rk, spec, until_us, err, err_size))
		return false;
	count = await_partitions(rk, spec, 1, until_us, err, err_size);
	if (count == 0 || count >= spec->partitions)
		return count > 0;
	return extend(rk, spec, until_us, err, err_size) &&
	       await_partitions(rk, spec, spec->partitions, until_us, err, err_size) > 0;
}

bool
topics_ensure(const char *brokers, const struct topic_spec *specs, size_t count,
    int64_t timeout_us, char *err, size_t err_size)
{
	int64_t until_us = clock_mono_us() + timeout_us;
	rd_kafka_t *rk = open_admin(brokers, err, err_size);
	size_t done = 0;

	if (rk == NULL)
		return false;
	while (done < count && ensure(rk, &specs[done], until_us, err, err_size))
		done++;
	kafka_destroy(rk, DESTROY_WAIT_US);
	return done == count;
}

/* --- topics_lag ----------------------------------------------------------------------
 */

static bool
fill_lag(rd_kafka_t *rk, const rd_kafka_topic_partition_t *at, struct topic_lag *row,
    int64_t until_us, char *err, size_t err_size)
{
	rd_kafka_resp_err_t failed;

	row->partition = at->partition;
	row->committed = at->offset >= 0 ? at->offset : -1;
	failed =
	    kafka_ends(rk, at->topic, at->partition, &row->low, &row->high, until_us);
	if (failed == RD_KAFKA_RESP_ERR_NO_ERROR)
		return true;
	say(err, err_size, "topic %s, partition %" PRId32 ": %s", at->topic,
	    at->partition, rd_kafka_err2str(failed));
	return false;
}

static int
fill_lags(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list, struct topic_lag *rows,
    int64_t until_us, char *err, size_t err_size)
{
	rd_kafka_resp_err_t failed =
	    rd_kafka_committed(rk, list, kafka_ms_until(until_us));

	if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) {
		say(err, err_size, "committed offsets: %s", rd_kafka_err2str(failed));
		return -1;
	}
	for (int i = 0; i < list->cnt; i++)
		if (!fill_lag(rk, &list->elems[i], &rows[i], until_us, err, err_size))
			return -1;
	return list->cnt;
}

int
topics_lag(const char *brokers, const char *group, const char *topic,
    struct topic_lag *rows, int max, int64_t timeout_us, char *err, size_t err_size)
{
	int64_t until_us = clock_mono_us() + timeout_us;
	rd_kafka_t *rk = open_reader(brokers, group, err, err_size);
	rd_kafka_topic_partition_list_t *list;
	int count, filled = -1;

	if (rk == NULL)
		return -1;
	count = kafka_partition_count(rk, topic, kafka_ms_until(until_us));
	if (count > max)
		count = max;
	if (count > 0) {
		list = rd_kafka_topic_partition_list_new(count);
		rd_kafka_topic_partition_list_add_range(list, topic, 0, count - 1);
		filled = fill_lags(rk, list, rows, until_us, err, err_size);
		rd_kafka_topic_partition_list_destroy(list);
	} else {
		say(err, err_size, "there is no topic %s at %s", topic, brokers);
	}
	kafka_destroy(rk, DESTROY_WAIT_US);
	return filled;
}
