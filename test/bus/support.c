#include "support.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/uuid.h"
#include "bus/producer.h"
#include "bus/topics.h"

const char *
support_brokers(void)
{
	const char *brokers = getenv("TEST_KAFKA_BROKERS");

	if (brokers == NULL || brokers[0] == '\0')
		die("TEST_KAFKA_BROKERS is not set: these tests need a Kafka broker");
	return brokers;
}

const char *
support_name(const char *prefix)
{
	static char names[16][96];
	static unsigned next;
	char id[UUID_TEXT_SIZE];
	char *name = names[next++ % ARRAY_LEN(names)];

	uuid_format(uuid_new(), id);
	snprintf(name, sizeof(names[0]), "%s-%s", prefix, id);
	return name;
}

void
support_topic_create(const char *name, int partitions)
{
	const struct topic_spec spec = { name, partitions, 1, NULL };
	char err[256];

	if (!topics_ensure(support_brokers(), &spec, 1, 20 * SEC, err, sizeof(err)))
		fail_msg("%s", err);
}

const char *
support_topic(const char *prefix, int partitions)
{
	const char *name = support_name(prefix);

	support_topic_create(name, partitions);
	return name;
}

void
support_topic_delete(const char *name)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(name);
	rd_kafka_queue_t *queue;
	rd_kafka_event_t *event;
	rd_kafka_t *rk;
	char err[512];

	rd_kafka_conf_set(conf, "bootstrap.servers", support_brokers(), err, sizeof(err));
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, err, sizeof(err));
	assert_non_null(rk);
	queue = rd_kafka_queue_new(rk);
	rd_kafka_DeleteTopics(rk, &topic, 1, NULL, queue);
	event = rd_kafka_queue_poll(queue, 10000);
	assert_non_null(event);
	assert_int_equal(rd_kafka_event_error(event), RD_KAFKA_RESP_ERR_NO_ERROR);
	rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(queue);
	rd_kafka_DeleteTopic_destroy(topic);
	rd_kafka_destroy(rk);
}

/* --- the loop ------------------------------------------------------------------------
 */

struct run {
	struct loop *loop;
	struct loop_timer *timer;
	bool (*done)(void *arg);
	void *arg;
	int64_t until_us;
	bool in_time;
};

static void
on_tick(void *arg)
{
	struct run *r = arg;

	r->in_time = r->done != NULL && r->done(r->arg);
	if (r->in_time || clock_mono_us() >= r->until_us)
		loop_stop(r->loop);
	else
		loop_timer_set(r->timer, MS);
}

bool
support_run_until(
    struct loop *loop, bool (*done)(void *arg), void *arg, int64_t timeout_us)
{
	struct run r = { .loop = loop, .done = done, .arg = arg };

	r.until_us = clock_mono_us() + timeout_us;
	r.timer = loop_timer_new(loop, on_tick, &r);
	loop_timer_set(r.timer, 0);
	loop_run(loop);
	loop_timer_free(r.timer);
	return r.in_time;
}

void
support_run_for(struct loop *loop, int64_t us)
{
	support_run_until(loop, NULL, NULL, us);
}

/* --- consumers ------------------------------------------------------------------------
 */

struct consumer *
support_consumer(const char *topic, const char *group, const char *instance_id)
{
	const struct consumer_conf conf = { .brokers = support_brokers(),
		.client_id = "test",
		.group = group,
		.instance_id = instance_id,
		.topic = topic,
		.session_timeout_us = 30 * SEC };
	struct consumer *c = consumer_new(&conf);

	assert_non_null(c);
	return c;
}

void
support_fill(const char *brokers, const char *topic, int partitions, int from, int count)
{
	const struct producer_conf conf = { .brokers = brokers,
		.client_id = "test",
		.linger_us = 1 * MS,
		.timeout_us = 20 * SEC,
		.max_queue = 100000 };
	struct producer *p = producer_new(NULL, &conf);
	char value[16];

	assert_non_null(p);
	for (int i = from; i < from + count; i++) {
		for (int part = 0; part < partitions; part++) {
			struct record r = { .topic = topic, .partition = part };

			snprintf(value, sizeof(value), "%d", i);
			r.value = str_of(value);
			r.key = STR("key");
			producer_send(p, &r, NULL, NULL);
		}
	}
	assert_true(producer_flush(p, 20 * SEC));
	producer_free(p);
}

size_t
support_poll(struct consumer *c, struct message *m, size_t max, int64_t timeout_us)
{
	int64_t until_us = clock_mono_us() + timeout_us;
	size_t n = 0;

	while (n == 0 && clock_mono_us() < until_us)
		n = consumer_poll(c, m, max, 100 * MS);
	return n;
}

int
support_number(const struct message *m)
{
	char text[16];

	assert_true(m->value.n < sizeof(text));
	memcpy(text, m->value.p, m->value.n);
	text[m->value.n] = '\0';
	return atoi(text);
}

void
support_read(struct consumer *c, int first, int last)
{
	struct message m[BATCH];
	size_t n;

	while (first <= last) {
		n = support_poll(c, m, BATCH, 30 * SEC);
		assert_true(n > 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(support_number(&m[i]), first++);
		consumer_ack(c, m, n);
	}
	assert_int_equal(first, last + 1);
}

/* --- the mock cluster ----------------------------------------------------------------
 */

struct mock {
	rd_kafka_t *rk;
	rd_kafka_mock_cluster_t *cluster;
};

struct mock *
mock_new(void)
{
	struct mock *m = xcalloc(1, sizeof(*m));
	char err[512];

	m->rk = rd_kafka_new(RD_KAFKA_PRODUCER, NULL, err, sizeof(err));
	assert_non_null(m->rk);
	m->cluster = rd_kafka_mock_cluster_new(m->rk, 1);
	assert_non_null(m->cluster);
	return m;
}

void
mock_free(struct mock *m)
{
	rd_kafka_mock_cluster_destroy(m->cluster);
	rd_kafka_destroy(m->rk);
	free(m);
}

const char *
mock_brokers(const struct mock *m)
{
	return rd_kafka_mock_cluster_bootstraps(m->cluster);
}

void
mock_topic(struct mock *m, const char *name, int partitions)
{
	rd_kafka_mock_topic_create(m->cluster, name, partitions, 1);
}

void
mock_set_up(struct mock *m, bool up)
{
	if (up)
		rd_kafka_mock_broker_set_up(m->cluster, 1);
	else
		rd_kafka_mock_broker_set_down(m->cluster, 1);
}

void
mock_fail_produce(struct mock *m, int error, size_t count)
{
	for (size_t i = 0; i < count; i++)
		rd_kafka_mock_push_request_errors(
		    m->cluster, 0 /* Produce */, 1, (rd_kafka_resp_err_t)error);
}
