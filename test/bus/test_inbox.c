/* The inbox: from its end on, only its own, through outages and a topic made anew. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "bus/inbox.h"
#include "bus/producer.h"

static struct loop *loop;

static int
setup(void **state)
{
	(void)state;
	loop = loop_new();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

/* What came in: numbers, in the order 0, 1, 2 … */
struct box {
	struct inbox *in;
	int count, want;
	bool in_order;
};

static void
on_reply(void *arg, str value)
{
	struct box *b = arg;
	char text[16];

	assert_true(value.n < sizeof(text));
	memcpy(text, value.p, value.n);
	text[value.n] = '\0';
	if (atoi(text) != b->count)
		b->in_order = false;
	b->count++;
}

static bool
is_ready(void *arg)
{
	struct box *b = arg;

	return inbox_partition(b->in) >= 0;
}

static bool
has_all(void *arg)
{
	struct box *b = arg;

	return b->count >= b->want;
}

static void
open_box(struct box *b, const char *brokers, const char *topic, const char *instance)
{
	const struct inbox_conf conf = { .brokers = brokers,
		.client_id = "test",
		.topic = topic,
		.instance = instance,
		.on_reply = on_reply,
		.arg = b };

	*b = (struct box){ .in_order = true };
	b->in = inbox_new(loop, &conf);
	assert_non_null(b->in);
	assert_int_equal(inbox_partition(b->in), -1);
}

static struct producer *
new_sender(const char *brokers)
{
	const struct producer_conf conf = { .brokers = brokers,
		.client_id = "test",
		.linger_us = 0,
		.timeout_us = 20 * SEC,
		.max_queue = 10000 };
	struct producer *p = producer_new(NULL, &conf);

	assert_non_null(p);
	return p;
}

static void
reply(struct producer *p, const char *topic, int32_t partition, const char *instance,
    int number)
{
	char value[16];
	struct record r = { .topic = topic, .partition = partition };

	snprintf(value, sizeof(value), "%d", number);
	r.key = str_of(instance);
	r.value = str_of(value);
	producer_send(p, &r, NULL, NULL);
}

static void
test_only_from_the_end(void **state)
{
	const char *topic = support_topic("inbox", 3);
	struct producer *p = new_sender(support_brokers());
	struct box b;

	(void)state;
	for (int part = 0; part < 3; part++)
		reply(p, topic, part, "me", 99);
	assert_true(producer_flush(p, 20 * SEC));
	open_box(&b, support_brokers(), topic, "me");
	assert_true(support_run_until(loop, is_ready, &b, 20 * SEC));
	for (int i = 0; i < 1000; i++)
		reply(p, topic, inbox_partition(b.in), "me", i);
	assert_true(producer_flush(p, 20 * SEC));
	b.want = 1000;
	assert_true(support_run_until(loop, has_all, &b, 20 * SEC));
	support_run_for(loop, 100 * MS);
	assert_int_equal(b.count, 1000);
	assert_true(b.in_order);
	inbox_free(b.in);
	producer_free(p);
}

/* The position is known from the moment that the partition is told, not later. */
static void
test_reply_at_once(void **state)
{
	const char *topic = support_topic("inbox", 1);
	struct producer *p = new_sender(support_brokers());
	struct box b;

	(void)state;
	assert_true(producer_warm(p, &topic, 1, 5 * SEC));
	for (int i = 0; i < 10; i++) {
		open_box(&b, support_brokers(), topic, "me");
		assert_true(support_run_until(loop, is_ready, &b, 20 * SEC));
		reply(p, topic, 0, "me", 0);
		assert_true(producer_flush(p, 20 * SEC)); /* while the loop stands */
		b.want = 1;
		assert_true(support_run_until(loop, has_all, &b, 20 * SEC));
		assert_int_equal(b.count, 1);
		assert_true(b.in_order);
		inbox_free(b.in);
	}
	producer_free(p);
}

static void
test_two_share_a_partition(void **state)
{
	const char *topic = support_topic("inbox", 1);
	struct producer *p = new_sender(support_brokers());
	struct box a, b;

	(void)state;
	open_box(&a, support_brokers(), topic, "a");
	open_box(&b, support_brokers(), topic, "b");
	assert_true(support_run_until(loop, is_ready, &a, 20 * SEC));
	assert_true(support_run_until(loop, is_ready, &b, 20 * SEC));
	for (int i = 0; i < 100; i++) {
		reply(p, topic, 0, "a", i);
		reply(p, topic, 0, i % 2 == 0 ? "b" : "nobody", i / 2);
	}
	assert_true(producer_flush(p, 20 * SEC));
	a.want = 100;
	b.want = 50;
	assert_true(support_run_until(loop, has_all, &a, 20 * SEC));
	assert_true(support_run_until(loop, has_all, &b, 20 * SEC));
	support_run_for(loop, 100 * MS);
	assert_int_equal(a.count, 100);
	assert_int_equal(b.count, 50);
	assert_true(a.in_order && b.in_order);
	inbox_free(a.in);
	inbox_free(b.in);
	producer_free(p);
}

static bool
is_lost(void *arg)
{
	return !is_ready(arg);
}

/* First there is no topic, then there is one, then it is deleted and made anew. */
static void
test_topic_comes_and_goes(void **state)
{
	const char *topic = support_name("inbox");
	struct producer *p = new_sender(support_brokers());
	struct box b;

	(void)state;
	open_box(&b, support_brokers(), topic, "me");
	support_run_for(loop, 300 * MS);
	assert_false(is_ready(&b));
	support_topic_create(topic, 3);
	assert_true(support_run_until(loop, is_ready, &b, 15 * SEC));
	reply(p, topic, inbox_partition(b.in), "me", 0);
	assert_true(producer_flush(p, 20 * SEC));
	b.want = 1;
	assert_true(support_run_until(loop, has_all, &b, 20 * SEC));

	support_topic_delete(topic);
	assert_true(support_run_until(loop, is_lost, &b, 15 * SEC));
	support_topic_create(topic, 3);
	assert_true(support_run_until(loop, is_ready, &b, 15 * SEC));
	producer_free(p); /* knows only the old one */
	p = new_sender(support_brokers());
	reply(p, topic, inbox_partition(b.in), "me", 1);
	assert_true(producer_flush(p, 20 * SEC));
	b.want = 2;
	assert_true(support_run_until(loop, has_all, &b, 20 * SEC));
	assert_true(b.in_order);
	inbox_free(b.in);
	producer_free(p);
}

/* Replies that were written while the inbox could not read are not skipped. */
static void
test_outage(void **state)
{
	struct mock *m = mock_new();
	struct producer *p = new_sender(mock_brokers(m));
	struct box b;

	(void)state;
	mock_topic(m, "t", 1);
	open_box(&b, mock_brokers(m), "t", "me");
	assert_true(support_run_until(loop, is_ready, &b, 20 * SEC));
	for (int round = 0; round < 3; round++) {
		reply(p, "t", 0, "me", round * 2);
		assert_true(producer_flush(p, 20 * SEC));
		b.want = round * 2 + 1;
		assert_true(support_run_until(loop, has_all, &b, 20 * SEC));
		mock_set_up(m, false);
		reply(p, "t", 0, "me", round * 2 + 1);
		support_run_for(loop, 700 * MS);
		assert_int_equal(inbox_partition(b.in), 0);
		mock_set_up(m, true);
		assert_true(producer_flush(p, 20 * SEC));
		b.want = round * 2 + 2;
		assert_true(support_run_until(loop, has_all, &b, 20 * SEC));
	}
	assert_int_equal(b.count, 6);
	assert_true(b.in_order);
	inbox_free(b.in);
	producer_free(p);
	mock_free(m);
}

static void
test_nobody_there(void **state)
{
	int64_t start_us;
	struct box b;

	(void)state;
	open_box(&b, "127.0.0.1:1", "t", "me");
	support_run_for(loop, 200 * MS);
	assert_false(is_ready(&b));
	start_us = clock_mono_us();
	inbox_free(b.in);
	inbox_free(NULL);
	assert_true(clock_mono_us() - start_us < 10 * SEC);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_only_from_the_end),
		TEST(test_reply_at_once),
		TEST(test_two_share_a_partition),
		TEST(test_topic_comes_and_goes),
		TEST(test_outage),
		TEST(test_nobody_there),
	};

	support_brokers();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
