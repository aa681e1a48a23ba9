/* The consumer: acknowledgment, lag, going back, brokers that vanish. */
#include "support.h"

#include <stdlib.h>

#include "bus/consumer.h"
#include "bus/topics.h"

static void
test_ack_and_restart(void **state)
{
	const char *topic = support_topic("ack", 1), *group = support_name("group");
	struct consumer *c = support_consumer(topic, group, "");
	struct message m[BATCH];

	(void)state;
	support_fill(support_brokers(), topic, 1, 0, 1000);
	support_read(c, 0, 999);
	assert_int_equal(consumer_assigned(c), 1);
	consumer_free(c); /* commits */

	support_fill(support_brokers(), topic, 1, 1000, 10);
	c = support_consumer(topic, group, "");
	assert_int_equal(support_poll(c, m, 4, 30 * SEC), 4);
	assert_int_equal(support_number(&m[0]), 1000);
	assert_true(str_eq(m[0].key, STR("key")));
	assert_int_equal(m[0].offset, 1000);
	assert_int_equal(m[0].attempts, 0);
	assert_in_range(m[0].time_ms, clock_wall_us() / MS - 60000, clock_wall_us() / MS);
	consumer_ack(c, m, 2); /* two of four */
	consumer_free(c);

	c = support_consumer(topic, group, "");
	support_read(c, 1002, 1009);
	consumer_free(c);
	consumer_free(NULL);
}

/* Commits come by themselves while the consumer is polled, without free. */
static void
test_commits_while_idle(void **state)
{
	const char *topic = support_topic("idle", 1), *group = support_name("group");
	struct consumer *c = support_consumer(topic, group, "");
	struct message m[BATCH];
	struct topic_lag lag;
	int64_t until_us;
	char err[256];

	(void)state;
	support_fill(support_brokers(), topic, 1, 0, 5);
	support_read(c, 0, 4);
	until_us = clock_mono_us() + 15 * SEC;
	do {
		assert_int_equal(consumer_poll(c, m, BATCH, 100 * MS), 0);
		assert_int_equal(topics_lag(support_brokers(), group, topic, &lag, 1,
				     5 * SEC, err, sizeof(err)),
		    1);
	} while (lag.committed != 5 && clock_mono_us() < until_us);
	assert_int_equal(lag.committed, 5);
	assert_int_equal(lag.high, 5);
	consumer_free(c);
}

static void
test_lag(void **state)
{
	const char *topic = support_topic("lag", 2), *group = support_name("group");
	struct consumer *c = support_consumer(topic, group, "");
	int64_t until_us = clock_mono_us() + 10 * SEC;
	struct message m[BATCH];
	size_t n;

	(void)state;
	assert_int_equal(consumer_lag(c), -1);
	support_fill(support_brokers(), topic, 2, 0, 100);
	n = support_poll(c, m, 1, 30 * SEC);
	consumer_ack(c, m, n);
	while (consumer_lag(c) != 199 && clock_mono_us() < until_us)
		consumer_poll(c, m, 1, 1 * MS); /* looks, decides nothing */
	assert_int_equal(consumer_lag(c), 199);
	consumer_free(c);

	c = support_consumer(topic, group, "");
	until_us = clock_mono_us() + 10 * SEC;
	while (consumer_lag(c) < 0 && clock_mono_us() < until_us)
		consumer_poll(c, m, BATCH, 10 * MS);
	assert_int_equal(consumer_lag(c), 199);
	consumer_free(c);
}

/* --- going back ----------------------------------------------------------------------
 */

static void
test_retry_backs_off(void **state)
{
	const char *topic = support_topic("retry", 1), *group = support_name("group");
	struct consumer *c = support_consumer(topic, group, "");
	int64_t start_us, waited_us, least_us = 80 * MS;
	struct message m[BATCH];
	size_t n;

	(void)state;
	support_fill(support_brokers(), topic, 1, 0, 10);
	n = support_poll(c, m, BATCH, 30 * SEC);
	for (int attempts = 0; attempts < 4; attempts++) {
		assert_true(n >= 1);
		assert_int_equal(support_number(&m[0]), 0);
		assert_int_equal(m[0].attempts, attempts);
		start_us = clock_mono_us();
		consumer_retry(c, m, n, ERR_UNAVAILABLE);
		n = support_poll(c, m, BATCH, 30 * SEC);
		waited_us = clock_mono_us() - start_us;
		assert_in_range(waited_us, least_us, least_us * 3 / 2 + 5 * SEC);
		least_us *= 2;
	}
	consumer_ack(c, m, n);
	if (n < 10)
		support_read(c, (int)n, 9);
	consumer_free(c);
}

static void
test_retry_in_the_middle(void **state)
{
	const char *topic = support_topic("middle", 1), *group = support_name("group");
	struct consumer *c = support_consumer(topic, group, "");
	struct message m[BATCH];
	size_t n;

	(void)state;
	support_fill(support_brokers(), topic, 1, 0, 10);
	do { /* until all ten came in one batch */
		n = support_poll(c, m, BATCH, 30 * SEC);
		assert_int_equal(support_number(&m[0]), 0);
		if (n < 10)
			consumer_retry(c, m, n, ERR_UNAVAILABLE);
	} while (n < 10);
	consumer_retry(c, &m[4], 1, ERR_CONFLICT_RETRY);
	consumer_retry(c, &m[7], 1, ERR_CONFLICT_RETRY);
	consumer_ack(c, &m[0], 4);
	consumer_ack(c, &m[5], 2); /* they come again all the same */
	n = support_poll(c, m, BATCH, 30 * SEC);
	assert_int_equal(n, 6);
	for (int i = 0; i < 6; i++)
		assert_int_equal(support_number(&m[i]), 4 + i);
	assert_true(m[0].attempts > m[1].attempts);
	assert_true(m[3].attempts > m[1].attempts);
	consumer_free(c); /* nothing of it was acknowledged */
	c = support_consumer(topic, group, "");
	support_read(c, 4, 9);
	consumer_free(c);
}

/* A partition in back-off does not hold up the others. */
static void
test_others_flow(void **state)
{
	const char *topic = support_topic("flow", 2), *group = support_name("group");
	struct consumer *c = support_consumer(topic, group, "");
	int next[2] = { 0, 0 }, attempts = 0;
	struct message m[BATCH];
	size_t n;

	(void)state;
	support_fill(support_brokers(), topic, 2, 0, 2000);
	while (next[0] < 2000 || next[1] < 2000) {
		n = support_poll(c, m, BATCH, 30 * SEC);
		assert_true(n > 0);
		for (size_t i = 0; i < n; i++) {
			if (m[i].partition == 1 && next[0] < 2000) {
				assert_true(m[i].offset >= 0);
				attempts++;
				consumer_retry(c, &m[i], 1, ERR_UNAVAILABLE);
				continue;
			}
			assert_int_equal(support_number(&m[i]), next[m[i].partition]++);
			consumer_ack(c, &m[i], 1);
		}
	}
	consumer_free(c);
}

/*
 * Whatever is retried when, whatever is acknowledged behind it, and however often the
 * consumer starts anew: each partition's records are decided once, in order.
 */
static void
test_random_retries_skip_nothing(void **state)
{
	enum {
		PARTS = 3,
		COUNT = 3000
	};
	const char *topic = support_topic("random", PARTS),
		   *group = support_name("group");
	struct consumer *c = support_consumer(topic, group, "");
	int decided[PARTS] = { 0 }, left = PARTS * COUNT;
	struct message m[BATCH];
	size_t n;

	(void)state;
	srandom(7);
	support_fill(support_brokers(), topic, PARTS, 0, COUNT);
	for (int batches = 1; left > 0; batches++) {
		bool stopped[PARTS] = { false };

		n = support_poll(c, m, (size_t)(1 + random() % BATCH), 15 * SEC);
		assert_true(n > 0);
		for (size_t i = 0; i < n; i++) {
			int part = m[i].partition;

			if (!stopped[part] && random() % 200 == 0) {
				stopped[part] = true;
				consumer_retry(c, &m[i], 1, ERR_UNAVAILABLE);
			} else if (!stopped[part]) {
				assert_int_equal(m[i].offset, decided[part]);
				decided[part]++;
				left--;
				consumer_ack(c, &m[i], 1);
			} else if (random() % 2 == 0) {
				consumer_ack(c, &m[i], 1);
			}
		}
		if (batches % 40 == 0) {
			consumer_free(c);
			c = support_consumer(topic, group, "");
		}
	}
	consumer_free(c);
}

/* --- without a broker ----------------------------------------------------------------
 */

static void
test_nobody_there(void **state)
{
	const struct consumer_conf conf = { .brokers = "127.0.0.1:1",
		.client_id = "test",
		.group = "g",
		.instance_id = "i",
		.topic = "t",
		.session_timeout_us = 30 * SEC };
	struct consumer *c = consumer_new(&conf);
	int64_t start_us = clock_mono_us();
	struct message m[1];

	(void)state;
	assert_non_null(c);
	assert_int_equal(consumer_poll(c, m, 1, 200 * MS), 0);
	assert_in_range(clock_mono_us() - start_us, 195 * MS, 5 * SEC);
	assert_in_range(consumer_last_poll_us(c), start_us, clock_mono_us());
	assert_int_equal(consumer_assigned(c), -1);
	assert_int_equal(consumer_lag(c), -1);
	start_us = clock_mono_us();
	consumer_free(c);
	assert_true(clock_mono_us() - start_us < 10 * SEC);
}

static void
test_settings_are_refused(void **state)
{
	struct consumer_conf conf = { .brokers = "127.0.0.1:1",
		.client_id = "test",
		.group = "g",
		.instance_id = "",
		.topic = "t",
		.session_timeout_us = 3 * 3600 * SEC }; /* more than an hour */

	(void)state;
	assert_null(consumer_new(&conf));
}

/* The broker goes away while something is to be committed, and comes back. */
static void
test_outage(void **state)
{
	struct mock *mock = mock_new();
	struct consumer_conf conf = { .brokers = mock_brokers(mock),
		.client_id = "test",
		.group = "g",
		.instance_id = "",
		.topic = "t",
		.session_timeout_us = 30 * SEC };
	struct topic_lag lag;
	struct consumer *c;
	char err[256];

	(void)state;
	mock_topic(mock, "t", 1);
	support_fill(conf.brokers, "t", 1, 0, 20);
	c = consumer_new(&conf);
	support_read(c, 0, 19);
	mock_set_up(mock, false);
	for (int i = 0; i < 10; i++) {
		struct message m[BATCH];

		assert_int_equal(consumer_poll(c, m, BATCH, 100 * MS), 0);
	}
	mock_set_up(mock, true);
	support_fill(conf.brokers, "t", 1, 20, 5);
	support_read(c, 20, 24);
	consumer_free(c);
	assert_int_equal(
	    topics_lag(conf.brokers, "g", "t", &lag, 1, 5 * SEC, err, sizeof(err)), 1);
	assert_int_equal(lag.committed, 25);
	mock_free(mock);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ack_and_restart),
		cmocka_unit_test(test_commits_while_idle),
		cmocka_unit_test(test_lag),
		cmocka_unit_test(test_retry_backs_off),
		cmocka_unit_test(test_retry_in_the_middle),
		cmocka_unit_test(test_others_flow),
		cmocka_unit_test(test_random_retries_skip_nothing),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_settings_are_refused),
		cmocka_unit_test(test_outage),
	};

	support_brokers();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
