/* The producer: reports, order, bounds, brokers that vanish, fatal errors. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "bus/producer.h"
#include "bus/topics.h"

enum {
	OUT_OF_ORDER_SEQUENCE = 45
};

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

static struct producer *
new_producer(struct loop *on, const char *brokers, size_t max_queue, int64_t timeout_us)
{
	const struct producer_conf conf = { .brokers = brokers,
		.client_id = "test",
		.linger_us = 500,
		.timeout_us = timeout_us,
		.max_queue = max_queue };
	struct producer *p = producer_new(on, &conf);

	assert_non_null(p);
	return p;
}

/* Counts reports by outcome. */
struct tally {
	int by_err[ERR_COUNT];
	int all, want;
};

static void
on_report(void *arg, enum err err)
{
	struct tally *t = arg;

	t->by_err[err]++;
	t->all++;
}

static bool
all_in(void *arg)
{
	struct tally *t = arg;

	return t->all >= t->want;
}

static void
send_text(struct producer *p, const char *topic, const char *key, const char *value,
    struct tally *t)
{
	const struct record r = {
		.topic = topic,
		.partition = -1,
		.key = str_of(key),
		.value = str_of(value),
	};

	t->want++;
	producer_send(p, &r, on_report, t);
}

static bool
is_up(void *arg)
{
	return producer_is_up(arg);
}

static bool
is_down(void *arg)
{
	return !producer_is_up(arg);
}

/* --- against the broker --------------------------------------------------------------
 */

struct order {
	int next[3]; /* by key */
	int count;
	bool right;
};

static bool
check_order(void *arg, const struct topic_record *r)
{
	struct order *o = arg;
	int key = r->key.p[0] - 'a', number;

	number = atoi(r->value.p);
	if (r->value.n != 6 || number != o->next[key])
		o->right = false;
	o->next[key]++;
	o->count++;
	return true;
}

static void
test_reports_and_order(void **state)
{
	const char *topic = support_topic("order", 3);
	struct producer *p = new_producer(loop, support_brokers(), 30000, 20 * SEC);
	struct order o = { .right = true };
	struct tally t = { 0 };
	char key[2] = "a", value[16], err[256];

	(void)state;
	for (int i = 0; i < 30000; i++) {
		key[0] = (char)('a' + i % 3);
		snprintf(value, sizeof(value), "%06d", i / 3);
		send_text(p, topic, key, value, &t);
	}
	assert_int_equal(t.all, 0); /* never before the loop runs */
	assert_int_equal(producer_queued(p), 30000);
	assert_true(support_run_until(loop, all_in, &t, 20 * SEC));
	assert_int_equal(t.by_err[ERR_OK], 30000);
	assert_int_equal(producer_queued(p), 0);
	assert_true(producer_is_up(p));
	assert_true(topics_scan(
	    support_brokers(), topic, check_order, &o, 20 * SEC, err, sizeof(err)));
	assert_int_equal(o.count, 30000);
	assert_true(o.right);
	producer_free(p);
}

static bool
check_headers(void *arg, const struct topic_record *r)
{
	int *seen = arg;

	(*seen)++;
	assert_int_equal(r->partition, 1);
	assert_int_equal(r->key.n, 0);
	assert_int_equal(r->header_count, 2);
	assert_true(str_eq(r->headers[0].name, STR("alpha")));
	assert_true(str_eq(r->headers[0].value, STR("one")));
	assert_true(str_eq(r->headers[1].name, STR("beta")));
	assert_true(str_eq(r->headers[1].value, STR("")));
	return true;
}

static void
test_headers_and_partition(void **state)
{
	const char *topic = support_topic("headers", 2);
	struct producer *p = new_producer(NULL, support_brokers(), 10, 20 * SEC);
	const struct http_header headers[] = {
		{ STR_INIT("alpha"), STR_INIT("one") },
		{ STR_INIT("beta"), STR_INIT("") },
	};
	const struct record r = { .topic = topic,
		.partition = 1,
		.value = STR("v"),
		.headers = headers,
		.header_count = 2 };
	struct tally t = { .want = 1 };
	char err[256];
	int seen = 0;

	(void)state;
	producer_send(p, &r, on_report, &t);
	producer_send(p, &r, NULL, NULL);
	assert_true(producer_flush(p, 20 * SEC));
	assert_int_equal(t.by_err[ERR_OK], 1);
	assert_true(topics_scan(
	    support_brokers(), topic, check_headers, &seen, 10 * SEC, err, sizeof(err)));
	assert_int_equal(seen, 2);
	producer_free(p);
}

static void
test_warm(void **state)
{
	const char *there = support_topic("warm", 1);
	const char *both[] = { there, support_name("nowhere") };
	struct producer *p = new_producer(loop, support_brokers(), 10, 20 * SEC);

	(void)state;
	assert_true(producer_warm(p, both, 1, 20 * SEC));
	assert_false(producer_warm(p, both, 2, 300 * MS));
	producer_free(p);
}

static void
test_unknown_topic_ends_in_time(void **state)
{
	struct producer *p = new_producer(loop, support_brokers(), 10, 1 * SEC);
	struct tally t = { 0 };

	(void)state;
	send_text(p, support_name("nowhere"), "k", "v", &t);
	assert_true(support_run_until(loop, all_in, &t, 8 * SEC));
	assert_int_equal(t.by_err[ERR_UNAVAILABLE], 1);
	producer_free(p);
}

static void
test_too_large_is_refused(void **state)
{
	const char *topic = support_topic("large", 1);
	struct producer *p = new_producer(loop, support_brokers(), 10, 1 * SEC);
	struct tally t = { .want = 1 };
	char *large = xcalloc(1, 2000000);
	const struct record r = {
		.topic = topic, .partition = -1, .value = { large, 2000000 }
	};

	(void)state;
	producer_send(p, &r, on_report, &t);
	free(large);
	assert_int_equal(t.all, 0);
	assert_true(support_run_until(loop, all_in, &t, 20 * SEC));
	assert_int_equal(t.by_err[ERR_UNAVAILABLE], 1);
	assert_int_equal(producer_queued(p), 0);
	producer_free(p);
}

/* --- without a broker ----------------------------------------------------------------
 */

/* Nothing listens there. */
#define NOBODY "127.0.0.1:1"

static void
test_full_queue_is_overload(void **state)
{
	struct producer *p = new_producer(loop, NOBODY, 100, 1 * SEC);
	struct tally t = { 0 };
	int64_t start_us = clock_mono_us();

	(void)state;
	for (int i = 0; i < 150; i++)
		send_text(p, "t", "k", "v", &t);
	assert_int_equal(t.all, 0);
	t.want = 50;
	assert_true(support_run_until(loop, all_in, &t, 20 * SEC));
	assert_int_equal(t.by_err[ERR_OVERLOAD], 50);
	t.want = 150;
	assert_true(support_run_until(loop, all_in, &t, 15 * SEC));
	assert_int_equal(t.by_err[ERR_UNAVAILABLE], 100);
	assert_true(clock_mono_us() - start_us < 8 * SEC); /* for a timeout of 1 s */
	assert_false(producer_is_up(p));
	producer_free(p);
}

static void
test_overload_without_loop(void **state)
{
	struct producer *p = new_producer(NULL, NOBODY, 1, 60 * SEC);
	struct tally t = { 0 };

	(void)state;
	send_text(p, "t", "k", "v", &t);
	send_text(p, "t", "k", "v", &t);
	assert_int_equal(t.all, 0);
	producer_poll(p, 0);
	assert_int_equal(t.by_err[ERR_OVERLOAD], 1);
	assert_false(producer_flush(p, 10 * MS));
	producer_free(p);
}

static void
test_flush_without_loop(void **state)
{
	struct producer *p = new_producer(NULL, NOBODY, 1, 300 * MS);
	struct tally t = { 0 };

	(void)state;
	send_text(p, "t", "k", "v", &t);
	assert_true(producer_flush(p, 15 * SEC));
	assert_int_equal(t.by_err[ERR_UNAVAILABLE], 1);
	producer_free(p);
}

static void
test_free_ends_everything(void **state)
{
	struct producer *p = new_producer(loop, NOBODY, 10, 60 * SEC);
	struct tally t = { 0 };

	(void)state;
	for (int i = 0; i < 12; i++)
		send_text(p, "t", "k", "v", &t);
	producer_free(p);
	assert_int_equal(t.by_err[ERR_UNKNOWN_OUTCOME], 10);
	assert_int_equal(t.by_err[ERR_OVERLOAD], 2);
}

static void
test_settings_are_refused(void **state)
{
	struct producer_conf conf = { .brokers = NOBODY,
		.client_id = "test",
		.linger_us = 2 * SEC,
		.timeout_us = 1 * SEC, /* less than linger */
		.max_queue = 1 };

	(void)state;
	assert_null(producer_new(loop, &conf));
	producer_free(NULL);
}

/* --- against the mock cluster --------------------------------------------------------
 */

/* Nothing is sent: connections alone tell. */
static void
test_up_and_down(void **state)
{
	struct mock *m = mock_new();
	struct producer *p = new_producer(loop, mock_brokers(m), 10, 1 * SEC);

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_true(support_run_until(loop, is_up, p, 15 * SEC));
		mock_set_up(m, false);
		assert_true(support_run_until(loop, is_down, p, 15 * SEC));
		support_run_for(loop, 600 * MS);
		assert_false(producer_is_up(p));
		mock_set_up(m, true);
	}
	assert_true(support_run_until(loop, is_up, p, 15 * SEC));
	producer_free(p);
	mock_free(m);
}

static void
test_short_outage_loses_nothing(void **state)
{
	struct mock *m = mock_new();
	struct producer *p = new_producer(loop, mock_brokers(m), 100, 20 * SEC);
	struct tally t = { 0 };

	(void)state;
	mock_topic(m, "t", 1);
	send_text(p, "t", "k", "v", &t);
	assert_true(support_run_until(loop, all_in, &t, 20 * SEC));
	mock_set_up(m, false);
	for (int i = 0; i < 50; i++)
		send_text(p, "t", "k", "v", &t);
	support_run_for(loop, 500 * MS);
	assert_int_equal(t.all, 1);
	mock_set_up(m, true);
	assert_true(support_run_until(loop, all_in, &t, 15 * SEC));
	assert_int_equal(t.by_err[ERR_OK], 51);
	producer_free(p);
	mock_free(m);
}

/* The broker's view of the sequence differs: librdkafka's instance is done for, the
 * producer is not. */
static void
test_fatal_error_starts_anew(void **state)
{
	struct mock *m = mock_new();
	struct producer *p = new_producer(loop, mock_brokers(m), 100, 20 * SEC);
	struct tally t = { 0 };

	(void)state;
	mock_topic(m, "t", 1);
	send_text(p, "t", "k", "v", &t);
	assert_true(support_run_until(loop, all_in, &t, 20 * SEC));
	assert_int_equal(t.by_err[ERR_OK], 1);
	mock_fail_produce(m, OUT_OF_ORDER_SEQUENCE, 1);
	send_text(p, "t", "k", "v", &t);
	assert_true(support_run_until(loop, all_in, &t, 20 * SEC));
	assert_int_equal(t.by_err[ERR_UNKNOWN_OUTCOME] + t.by_err[ERR_UNAVAILABLE], 1);
	assert_int_equal(producer_queued(p), 0);
	support_run_for(loop, 50 * MS);
	for (int i = 0; i < 10; i++)
		send_text(p, "t", "k", "v", &t);
	assert_true(support_run_until(loop, all_in, &t, 20 * SEC));
	assert_int_equal(t.by_err[ERR_OK], 11);
	assert_true(producer_is_up(p));
	producer_free(p);
	mock_free(m);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_reports_and_order),
		TEST(test_headers_and_partition),
		TEST(test_warm),
		TEST(test_unknown_topic_ends_in_time),
		TEST(test_too_large_is_refused),
		TEST(test_full_queue_is_overload),
		TEST(test_overload_without_loop),
		TEST(test_flush_without_loop),
		TEST(test_free_ends_everything),
		TEST(test_settings_are_refused),
		TEST(test_up_and_down),
		TEST(test_short_outage_loses_nothing),
		TEST(test_fatal_error_starts_anew),
	};

	support_brokers();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
