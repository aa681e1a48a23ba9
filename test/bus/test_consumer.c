/* The consumer: acknowledgment, going back, rebalances, death of a member. */
#include "support.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/log.h"
#include "base/die.h"
#include "bus/consumer.h"
#include "bus/producer.h"
#include "bus/topics.h"

enum {
	BATCH = 256
};

static struct consumer *
new_consumer(const char *topic, const char *group, const char *instance_id)
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

/* Values "0", "1", … into each partition. */
static void
fill(const char *brokers, const char *topic, int partitions, int from, int count)
{
	const struct producer_conf conf = { .brokers = brokers,
		.client_id = "test",
		.linger_us = 1 * MS,
		.timeout_us = 5 * SEC,
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
	assert_true(producer_flush(p, 10 * SEC));
	producer_free(p);
}

/* One batch, or none after timeout_us. */
static size_t
poll_batch(struct consumer *c, struct message *m, size_t max, int64_t timeout_us)
{
	int64_t until_us = clock_mono_us() + timeout_us;
	size_t n = 0;

	while (n == 0 && clock_mono_us() < until_us)
		n = consumer_poll(c, m, max, 100 * MS);
	return n;
}

static int
number(const struct message *m)
{
	char text[16];

	assert_true(m->value.n < sizeof(text));
	memcpy(text, m->value.p, m->value.n);
	text[m->value.n] = '\0';
	return atoi(text);
}

/* Reads values first..last of partition 0 in order, acknowledging each batch. */
static void
read_values(struct consumer *c, int first, int last)
{
	struct message m[BATCH];
	size_t n;

	while (first <= last) {
		n = poll_batch(c, m, BATCH, 10 * SEC);
		assert_true(n > 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(number(&m[i]), first++);
		consumer_ack(c, m, n);
	}
	assert_int_equal(first, last + 1);
}

static void
test_ack_and_restart(void **state)
{
	const char *topic = support_topic("ack", 1), *group = support_name("group");
	struct consumer *c = new_consumer(topic, group, "");
	struct message m[BATCH];

	(void)state;
	fill(support_brokers(), topic, 1, 0, 1000);
	read_values(c, 0, 999);
	assert_int_equal(consumer_assigned(c), 1);
	consumer_free(c); /* commits */

	fill(support_brokers(), topic, 1, 1000, 10);
	c = new_consumer(topic, group, "");
	assert_int_equal(poll_batch(c, m, 4, 10 * SEC), 4);
	assert_int_equal(number(&m[0]), 1000);
	assert_true(str_eq(m[0].key, STR("key")));
	assert_int_equal(m[0].offset, 1000);
	assert_int_equal(m[0].attempts, 0);
	assert_in_range(m[0].time_ms, clock_wall_us() / MS - 60000, clock_wall_us() / MS);
	consumer_ack(c, m, 2); /* two of four */
	consumer_free(c);

	c = new_consumer(topic, group, "");
	read_values(c, 1002, 1009);
	consumer_free(c);
	consumer_free(NULL);
}

/* Commits come by themselves while the consumer is polled, without free. */
static void
test_commits_while_idle(void **state)
{
	const char *topic = support_topic("idle", 1), *group = support_name("group");
	struct consumer *c = new_consumer(topic, group, "");
	struct message m[BATCH];
	struct topic_lag lag;
	char err[256];

	(void)state;
	fill(support_brokers(), topic, 1, 0, 5);
	read_values(c, 0, 4);
	assert_int_equal(consumer_poll(c, m, BATCH, 1 * SEC), 0);
	assert_int_equal(topics_lag(support_brokers(), group, topic, &lag, 1, 5 * SEC,
			     err, sizeof(err)),
	    1);
	assert_int_equal(lag.committed, 5);
	assert_int_equal(lag.high, 5);
	consumer_free(c);
}

static void
test_lag(void **state)
{
	const char *topic = support_topic("lag", 2), *group = support_name("group");
	struct consumer *c = new_consumer(topic, group, "");
	int64_t until_us = clock_mono_us() + 10 * SEC;
	struct message m[BATCH];
	size_t n;

	(void)state;
	assert_int_equal(consumer_lag(c), -1);
	fill(support_brokers(), topic, 2, 0, 100);
	n = poll_batch(c, m, 1, 10 * SEC);
	consumer_ack(c, m, n);
	while (consumer_lag(c) != 199 && clock_mono_us() < until_us)
		consumer_poll(c, m, 1, 1 * MS); /* looks, decides nothing */
	assert_int_equal(consumer_lag(c), 199);
	consumer_free(c);

	c = new_consumer(topic, group, "");
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
	struct consumer *c = new_consumer(topic, group, "");
	int64_t start_us, waited_us, least_us = 80 * MS;
	struct message m[BATCH];
	size_t n;

	(void)state;
	fill(support_brokers(), topic, 1, 0, 10);
	n = poll_batch(c, m, BATCH, 10 * SEC);
	for (int attempts = 0; attempts < 4; attempts++) {
		assert_true(n >= 1);
		assert_int_equal(number(&m[0]), 0);
		assert_int_equal(m[0].attempts, attempts);
		consumer_retry(c, m, n, ERR_UNAVAILABLE);
		start_us = clock_mono_us();
		n = poll_batch(c, m, BATCH, 10 * SEC);
		waited_us = clock_mono_us() - start_us;
		assert_in_range(waited_us, least_us, least_us * 3 / 2 + 150 * MS);
		least_us *= 2;
	}
	consumer_ack(c, m, n);
	if (n < 10)
		read_values(c, (int)n, 9);
	consumer_free(c);
}

static void
test_retry_in_the_middle(void **state)
{
	const char *topic = support_topic("middle", 1), *group = support_name("group");
	struct consumer *c = new_consumer(topic, group, "");
	struct message m[BATCH];
	size_t n;

	(void)state;
	fill(support_brokers(), topic, 1, 0, 10);
	do { /* until all ten came in one batch */
		n = poll_batch(c, m, BATCH, 10 * SEC);
		assert_int_equal(number(&m[0]), 0);
		if (n < 10)
			consumer_retry(c, m, n, ERR_UNAVAILABLE);
	} while (n < 10);
	consumer_retry(c, &m[4], 1, ERR_CONFLICT_RETRY);
	consumer_retry(c, &m[7], 1, ERR_CONFLICT_RETRY);
	consumer_ack(c, &m[0], 4);
	consumer_ack(c, &m[5], 2); /* they come again all the same */
	n = poll_batch(c, m, BATCH, 10 * SEC);
	assert_int_equal(n, 6);
	for (int i = 0; i < 6; i++)
		assert_int_equal(number(&m[i]), 4 + i);
	assert_true(m[0].attempts > m[1].attempts);
	assert_true(m[3].attempts > m[1].attempts);
	consumer_free(c); /* nothing of it was acknowledged */
	c = new_consumer(topic, group, "");
	read_values(c, 4, 9);
	consumer_free(c);
}

/* A partition in back-off does not hold up the others. */
static void
test_others_flow(void **state)
{
	const char *topic = support_topic("flow", 2), *group = support_name("group");
	struct consumer *c = new_consumer(topic, group, "");
	int next[2] = { 0, 0 }, attempts = 0;
	struct message m[BATCH];
	size_t n;

	(void)state;
	fill(support_brokers(), topic, 2, 0, 2000);
	while (next[0] < 2000 || next[1] < 2000) {
		n = poll_batch(c, m, BATCH, 10 * SEC);
		assert_true(n > 0);
		for (size_t i = 0; i < n; i++) {
			if (m[i].partition == 1 && next[0] < 2000) {
				assert_true(m[i].offset >= 0);
				attempts++;
				consumer_retry(c, &m[i], 1, ERR_UNAVAILABLE);
				continue;
			}
			assert_int_equal(number(&m[i]), next[m[i].partition]++);
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
	struct consumer *c = new_consumer(topic, group, "");
	int decided[PARTS] = { 0 }, left = PARTS * COUNT;
	struct message m[BATCH];
	size_t n;

	(void)state;
	srandom(7);
	fill(support_brokers(), topic, PARTS, 0, COUNT);
	for (int batches = 1; left > 0; batches++) {
		bool stopped[PARTS] = { false };

		n = poll_batch(c, m, (size_t)(1 + random() % BATCH), 15 * SEC);
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
			c = new_consumer(topic, group, "");
		}
	}
	consumer_free(c);
}

/* --- members that come and go --------------------------------------------------------
 */

/* Takes part of the batch as decided and gives the rest back. */
static int
decide_half(struct consumer *c, const struct message *m, size_t n, bool seen[2][1000])
{
	int fresh = 0;

	for (size_t i = 0; i < n / 2; i++) {
		assert_false(seen[m[i].partition][number(&m[i])]);
		seen[m[i].partition][number(&m[i])] = true;
		fresh++;
	}
	consumer_ack(c, m, n / 2);
	consumer_retry(c, m + n / 2, n - n / 2, ERR_UNAVAILABLE);
	return fresh;
}

/* What one member holds when another joins is decided once, by one of them. */
static void
test_revoke_during_work(void **state)
{
	const char *topic = support_topic("revoke", 2), *group = support_name("group");
	struct consumer *c[2] = { new_consumer(topic, group, ""), NULL };
	bool seen[2][1000] = { { false } };
	struct message m[BATCH], other[1];
	int left = 2000;
	size_t n;

	(void)state;
	fill(support_brokers(), topic, 2, 0, 1000);
	n = poll_batch(c[0], m, BATCH, 10 * SEC);
	assert_true(n > 0);
	assert_int_equal(consumer_assigned(c[0]), 2);
	c[1] = new_consumer(topic, group, "");
	assert_int_equal(poll_batch(c[1], other, 1, 2 * SEC), 0); /* c[0] holds a batch */
	left -= decide_half(c[0], m, n, seen);
	for (int turn = 0; left > 0 && turn < 5000; turn++) {
		n = consumer_poll(c[turn % 2], m, 50, 5 * MS);
		if (turn % 64 < 2) {
			left -= decide_half(c[turn % 2], m, n, seen);
			continue;
		}
		for (size_t i = 0; i < n; i++) {
			assert_false(seen[m[i].partition][number(&m[i])]);
			seen[m[i].partition][number(&m[i])] = true;
			left--;
		}
		consumer_ack(c[turn % 2], m, n);
	}
	assert_int_equal(left, 0);
	assert_int_equal(consumer_assigned(c[0]), 1);
	assert_int_equal(consumer_assigned(c[1]), 1);
	consumer_free(c[0]);
	consumer_free(c[1]);
}

/* Runs this program as a member: test_consumer --member TOPIC GROUP INSTANCE. */
static int
run_member(char **args)
{
	struct consumer *c = new_consumer(args[0], args[1], args[2]);
	struct message m[BATCH];
	size_t n;

	for (;;) {
		n = consumer_poll(c, m, BATCH, 100 * MS);
		consumer_ack(c, m, n);
		if (n > 0 && write(STDOUT_FILENO, "r", 1) != 1)
			return 1;
	}
}

/* Starts a member and waits until it reads. */
static pid_t
start_member(const char *topic, const char *group, const char *instance)
{
	char *const argv[] = { (char *)(uintptr_t) "member",
		(char *)(uintptr_t) "--member", (char *)(uintptr_t)topic,
		(char *)(uintptr_t)group, (char *)(uintptr_t)instance, NULL };
	posix_spawn_file_actions_t actions;
	int out[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(out), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&actions, out[0]);
	assert_int_equal(
	    posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(out[1]);
	assert_int_equal(read(out[0], &c, 1), 1);
	close(out[0]);
	return pid;
}

static void
kill_member(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* The session is 30 s long, but the same instance comes back at once. */
static void
test_killed_static_member_comes_back(void **state)
{
	const char *topic = support_topic("static", 1), *group = support_name("group");
	struct message m[BATCH];
	struct consumer *c;
	int64_t start_us;
	pid_t pid;

	(void)state;
	fill(support_brokers(), topic, 1, 0, 10);
	pid = start_member(topic, group, "member-0");
	kill_member(pid);
	start_us = clock_mono_us();
	fill(support_brokers(), topic, 1, 10, 1);
	c = new_consumer(topic, group, "member-0");
	assert_true(poll_batch(c, m, BATCH, 10 * SEC) > 0);
	assert_true(clock_mono_us() - start_us < 5 * SEC);
	consumer_free(c);
	/* And after an orderly end, too: no other member takes over meanwhile. */
	start_us = clock_mono_us();
	c = new_consumer(topic, group, "member-0");
	assert_true(poll_batch(c, m, BATCH, 10 * SEC) > 0);
	assert_true(clock_mono_us() - start_us < 5 * SEC);
	consumer_free(c);
}

/* Two processes with one identity: the older one must end. */
static void
test_second_instance_fences_first(void **state)
{
	const char *topic = support_topic("fence", 1), *group = support_name("group");
	struct consumer *first = new_consumer(topic, group, "twin"), *second;
	struct message m[BATCH];
	int64_t start_us;

	(void)state;
	fill(support_brokers(), topic, 1, 0, 1);
	assert_true(poll_batch(first, m, BATCH, 10 * SEC) > 0);
	second = new_consumer(topic, group, "twin");
	for (int i = 0; i < 200 && !consumer_failed(first); i++) {
		consumer_poll(first, m, BATCH, 50 * MS);
		consumer_poll(second, m, BATCH, 50 * MS);
	}
	assert_true(consumer_failed(first));
	assert_false(consumer_failed(second));
	start_us = clock_mono_us();
	assert_int_equal(consumer_poll(first, m, BATCH, 50 * MS), 0);
	assert_true(clock_mono_us() - start_us >= 50 * MS);
	consumer_free(first);
	consumer_free(second);
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
	assert_in_range(clock_mono_us() - start_us, 195 * MS, 300 * MS);
	assert_in_range(consumer_last_poll_us(c), start_us, clock_mono_us());
	assert_int_equal(consumer_assigned(c), 0);
	assert_int_equal(consumer_lag(c), -1);
	start_us = clock_mono_us();
	consumer_free(c);
	assert_true(clock_mono_us() - start_us < 5500 * MS);
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
	fill(conf.brokers, "t", 1, 0, 20);
	c = consumer_new(&conf);
	read_values(c, 0, 19);
	mock_set_up(mock, false);
	for (int i = 0; i < 10; i++) {
		struct message m[BATCH];

		assert_int_equal(consumer_poll(c, m, BATCH, 100 * MS), 0);
	}
	mock_set_up(mock, true);
	fill(conf.brokers, "t", 1, 20, 5);
	read_values(c, 20, 24);
	consumer_free(c);
	assert_int_equal(
	    topics_lag(conf.brokers, "g", "t", &lag, 1, 5 * SEC, err, sizeof(err)), 1);
	assert_int_equal(lag.committed, 25);
	mock_free(mock);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ack_and_restart),
		cmocka_unit_test(test_commits_while_idle),
		cmocka_unit_test(test_lag),
		cmocka_unit_test(test_retry_backs_off),
		cmocka_unit_test(test_retry_in_the_middle),
		cmocka_unit_test(test_others_flow),
		cmocka_unit_test(test_random_retries_skip_nothing),
		cmocka_unit_test(test_revoke_during_work),
		cmocka_unit_test(test_killed_static_member_comes_back),
		cmocka_unit_test(test_second_instance_fences_first),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_settings_are_refused),
		cmocka_unit_test(test_outage),
	};

	support_brokers();
	if (argc == 5 && strcmp(argv[1], "--member") == 0)
		return run_member(argv + 2);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
