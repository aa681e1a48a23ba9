/* Members of a group that come, go and die. */
#include "support.h"

#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/consumer.h"

/* Takes the batch as decided; how many that were. */
static int
decide(struct consumer *c, const struct message *m, size_t n, bool seen[2][1000])
{
	for (size_t i = 0; i < n; i++) {
		assert_false(seen[m[i].partition][support_number(&m[i])]);
		seen[m[i].partition][support_number(&m[i])] = true;
	}
	consumer_ack(c, m, n);
	return (int)n;
}

/* Takes part of the batch as decided and gives the rest back. */
static int
decide_half(struct consumer *c, const struct message *m, size_t n, bool seen[2][1000])
{
	int fresh = decide(c, m, n / 2, seen);

	consumer_retry(c, m + n / 2, n - n / 2, ERR_UNAVAILABLE);
	return fresh;
}

/* What one member holds when another joins is decided once, by one of them. */
static void
test_revoke_during_work(void **state)
{
	const char *topic = support_topic("revoke", 2), *group = support_name("group");
	struct consumer *c[2] = { support_consumer(topic, group, ""), NULL };
	bool seen[2][1000] = { { false } };
	struct message m[BATCH], other[1];
	int left = 2000;
	int64_t until_us;
	size_t n;

	(void)state;
	support_fill(support_brokers(), topic, 2, 0, 1000);
	n = support_poll(c[0], m, BATCH, 30 * SEC);
	assert_true(n > 0);
	assert_int_equal(consumer_assigned(c[0]), 2);
	c[1] = support_consumer(topic, group, "");
	assert_int_equal(
	    support_poll(c[1], other, 1, 2 * SEC), 0); /* c[0] holds a batch */
	left -= decide_half(c[0], m, n, seen);
	until_us = clock_mono_us() + 30 * SEC;
	/* So slowly that there is work left when each has its partition. */
	for (int turn = 0; consumer_assigned(c[0]) != 1 || consumer_assigned(c[1]) != 1;
	     turn++) {
		assert_true(clock_mono_us() < until_us);
		n = consumer_poll(c[turn % 2], m, 1, 20 * MS);
		left -= decide(c[turn % 2], m, n, seen);
	}
	assert_true(left > 0);
	for (int turn = 0; left > 0 && turn < 5000; turn++) {
		n = consumer_poll(c[turn % 2], m, 50, 5 * MS);
		if (turn % 64 < 2)
			left -= decide_half(c[turn % 2], m, n, seen);
		else
			left -= decide(c[turn % 2], m, n, seen);
	}
	assert_int_equal(left, 0);
	assert_int_equal(consumer_assigned(c[0]), 1);
	assert_int_equal(consumer_assigned(c[1]), 1);
	consumer_free(c[0]);
	consumer_free(c[1]);
}

/* A partition that was revoked while it waited, and then came back, flows. (librdkafka
 * leaves it paused.) */
static void
test_revoke_while_waiting(void **state)
{
	const char *topic = support_topic("revoke", 2), *group = support_name("group");
	struct consumer *c = support_consumer(topic, group, ""), *guest;
	int64_t next[2] = { 0, 0 };
	struct message m[BATCH], other[1];
	bool waits[2] = { false };
	size_t n = 0;

	(void)state;
	support_fill(support_brokers(), topic, 2, 0, 10);
	while (!waits[0] || !waits[1]) {
		n = support_poll(c, m, BATCH, 30 * SEC);
		for (size_t i = 0; i < n; i++)
			waits[m[i].partition] = true;
		if (waits[0] && waits[1])
			break; /* and hold it */
		consumer_retry(c, m, n, ERR_UNAVAILABLE);
	}
	guest = support_consumer(topic, group, "");
	assert_int_equal(support_poll(guest, other, 1, 2 * SEC), 0);
	consumer_retry(c, m, n, ERR_UNAVAILABLE);
	while (consumer_assigned(guest) <= 0) {
		n = consumer_poll(c, m, 1, 10 * MS);
		consumer_retry(c, m, n, ERR_UNAVAILABLE);
		n = consumer_poll(guest, other, 1, 10 * MS);
		consumer_retry(guest, other, n, ERR_UNAVAILABLE);
	}
	consumer_free(guest);
	while (next[0] < 10 || next[1] < 10) {
		n = support_poll(c, m, BATCH, 30 * SEC);
		assert_true(n > 0);
		for (size_t i = 0; i < n; i++)
			next[m[i].partition] = m[i].offset + 1;
		consumer_ack(c, m, n);
	}
	consumer_free(c);
}

/* Runs this program as a member: test_consumer --member TOPIC GROUP INSTANCE. */
static int
run_member(char **args)
{
	struct consumer *c = support_consumer(args[0], args[1], args[2]);
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
	support_fill(support_brokers(), topic, 1, 0, 10);
	pid = start_member(topic, group, "member-0");
	kill_member(pid);
	start_us = clock_mono_us();
	support_fill(support_brokers(), topic, 1, 10, 1);
	c = support_consumer(topic, group, "member-0");
	assert_true(support_poll(c, m, BATCH, 15 * SEC) > 0);
	assert_true(clock_mono_us() - start_us < 15 * SEC);
	consumer_free(c);
	/* And after an orderly end, too: no other member takes over meanwhile. */
	start_us = clock_mono_us();
	c = support_consumer(topic, group, "member-0");
	assert_true(support_poll(c, m, BATCH, 15 * SEC) > 0);
	assert_true(clock_mono_us() - start_us < 15 * SEC);
	consumer_free(c);
}

/* Two processes with one identity: the older one must end. */
static void
test_second_instance_fences_first(void **state)
{
	const char *topic = support_topic("fence", 1), *group = support_name("group");
	struct consumer *first = support_consumer(topic, group, "twin"), *second;
	struct message m[BATCH];
	int64_t start_us;

	(void)state;
	support_fill(support_brokers(), topic, 1, 0, 1);
	assert_true(support_poll(first, m, BATCH, 30 * SEC) > 0);
	second = support_consumer(topic, group, "twin");
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

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_revoke_during_work),
		cmocka_unit_test(test_revoke_while_waiting),
		cmocka_unit_test(test_killed_static_member_comes_back),
		cmocka_unit_test(test_second_instance_fences_first),
	};

	support_brokers();
	if (argc == 5 && strcmp(argv[1], "--member") == 0)
		return run_member(argv + 2);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
