/* Reading a topic from its beginning to the end it had when the reading began; apart from
 * topics.c, which asks about topics but never reads them. */
#include "bus/topics.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "bus/kafka.h"

enum {
	DESTROY_WAIT_US = 5000000,
	MAX_HEADERS = 64, /* more of them are left out */
};

struct scan {
	rd_kafka_t *rk;    /* owned */
	const char *topic; /* borrowed */
	bool (*cb)(void *arg, const struct topic_record *record);
	void *arg;     /* borrowed */
	int64_t *ends; /* owned; [count]; 0 once the partition has been read */
	int count, open;
	int64_t until_us;
	bool stopped; /* by the callback */
};

/* Notes where each partition ends now, and begins to read all of them. */
static bool
start(struct scan *s)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__NOENT;
	int64_t low;

	s->count = kafka_partition_count(s->rk, s->topic, kafka_ms_until(s->until_us));
	s->ends = xcalloc((size_t)s->count, sizeof(*s->ends));
	for (int i = 0; i < s->count; i++) {
		err = kafka_ends(s->rk, s->topic, i, &low, &s->ends[i], s->until_us);
		if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
			break;
		if (low == s->ends[i])
			s->ends[i] = 0;
		else
			s->open++;
		rd_kafka_topic_partition_list_add(list, s->topic, i)->offset = low;
	}
	if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
		err = rd_kafka_assign(s->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	return err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void
end_partition(struct scan *s, int32_t partition)
{
	if (s->ends[partition] > 0) {
		s->ends[partition] = 0;
		s->open--;
	}
}

static size_t
read_headers(const rd_kafka_message_t *m, struct http_header headers[MAX_HEADERS])
{
	rd_kafka_headers_t *all;
	const char *name;
	const void *value;
	size_t count = 0, size;

	if (rd_kafka_message_headers(m, &all) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return 0;
	while (count < MAX_HEADERS && rd_kafka_header_get_all(all, count, &name, &value,
					  &size) == RD_KAFKA_RESP_ERR_NO_ERROR) {
		headers[count].name = str_of(name);
		headers[count].value = (str){ value, size };
		count++;
	}
	return count;
}

static void
on_message(struct scan *s, const rd_kafka_message_t *m)
{
	struct http_header headers[MAX_HEADERS];
	const struct topic_record record = {
		.partition = m->partition,
		.offset = m->offset,
		.time_ms = rd_kafka_message_timestamp(m, NULL),
		.key = { m->key, m->key_len },
		.value = { m->payload, m->len },
		.headers = headers,
		.header_count = read_headers(m, headers),
	};

	if (m->offset >= s->ends[m->partition]) {
		end_partition(s, m->partition);
		return; /* it came after we began */
	}
	s->stopped = !s->cb(s->arg, &record);
	if (m->offset + 1 == s->ends[m->partition])
		end_partition(s, m->partition);
}

static void
read_on(struct scan *s)
{
	rd_kafka_message_t *m;

	while (s->open > 0 && !s->stopped && clock_mono_us() < s->until_us) {
		m = rd_kafka_consumer_poll(s->rk, kafka_ms_until(s->until_us));
		if (m == NULL)
			continue;
		/* The end may be a record that was compacted away or a transaction's
		 * marker, and then only this says that it was reached. */
		if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
			end_partition(s, m->partition);
		else if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR)
			on_message(s, m);
		rd_kafka_message_destroy(m);
	}
}

bool
topics_scan(const char *brokers, const char *topic,
    bool (*cb)(void *arg, const struct topic_record *record), void *arg,
    int64_t timeout_us, char *err, size_t err_size)
{
	const struct kafka_setting settings[] = {
		{ "group.id", "onrush-admin" }, /* for rd_kafka_assign; never joined */
		{ "enable.auto.commit", "false" },
		{ "enable.auto.offset.store", "false" },
		{ "auto.offset.reset", "earliest" },
		{ "enable.partition.eof", "true" },
		{ NULL, NULL },
	};
	struct scan s = { .topic = topic, .cb = cb, .arg = arg };
	char why[KAFKA_ERROR_SIZE];
	bool done = false;

	s.until_us = clock_mono_us() + timeout_us;
	s.rk = kafka_new(RD_KAFKA_CONSUMER, brokers, "onrush-admin", settings, NULL, why);
	if (s.rk == NULL) {
		snprintf(err, err_size, "Kafka at %s: %s", brokers, why);
		return false;
	}
	rd_kafka_poll_set_consumer(s.rk);
	if (!start(&s)) {
		snprintf(err, err_size, "there is no topic %s with leaders at %s", topic,
		    brokers);
	} else {
		read_on(&s);
		done = s.open == 0 || s.stopped;
		if (!done)
			snprintf(err, err_size,
			    "topic %s: %d partitions were not read in time", topic,
			    s.open);
	}
	free(s.ends);
	kafka_destroy(s.rk, DESTROY_WAIT_US);
	return done;
}
