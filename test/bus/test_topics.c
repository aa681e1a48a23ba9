/* Creating, extending, lags and scans of topics. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "bus/consumer.h"
#include "bus/producer.h"
#include "bus/topics.h"

static void
put(const char *topic, int32_t partition, int count)
{
	const struct producer_conf conf = { .brokers = support_brokers(),
		.client_id = "test",
		.timeout_us = 20 * SEC,
		.max_queue = 10000 };
	struct producer *p = producer_new(NULL, &conf);
	struct record r = { .topic = topic, .partition = partition, .value = STR("v") };

	assert_non_null(p);
	for (int i = 0; i < count; i++)
		producer_send(p, &r, NULL, NULL);
	assert_true(producer_flush(p, 20 * SEC));
	producer_free(p);
}

static void
test_ensure(void **state)
{
	static const char *const config[] = { "retention.ms", "600000", "cleanup.policy",
		"delete", NULL };
	struct topic_spec specs[] = {
		{ support_name("one"), 1, 1, config },
		{ support_name("two"), 2, 1, NULL },
	};
	struct topic_lag rows[8];
	char err[256];

	(void)state;
	/* Create, do nothing, extend, never lower. */
	assert_true(
	    topics_ensure(support_brokers(), specs, 2, 20 * SEC, err, sizeof(err)));
	assert_true(
	    topics_ensure(support_brokers(), specs, 2, 20 * SEC, err, sizeof(err)));
	specs[0].partitions = 4;
	specs[1].partitions = 1;
	assert_true(
	    topics_ensure(support_brokers(), specs, 2, 20 * SEC, err, sizeof(err)));
	assert_int_equal(topics_lag(support_brokers(), "g", specs[0].name, rows, 8,
			     10 * SEC, err, sizeof(err)),
	    4);
	assert_int_equal(topics_lag(support_brokers(), "g", specs[1].name, rows, 8,
			     10 * SEC, err, sizeof(err)),
	    2);
}

static void
test_ensure_says_why_not(void **state)
{
	static const char *const config[] = { "no.such.setting", "1", NULL };
	struct topic_spec spec = { support_name("bad"), 1, 1, config };
	char err[256] = "";

	(void)state;
	assert_false(
	    topics_ensure(support_brokers(), &spec, 1, 10 * SEC, err, sizeof(err)));
	assert_non_null(strstr(err, spec.name));
	assert_non_null(strstr(err, "no.such.setting"));
	spec.config = NULL;
	spec.replication = 9;
	assert_false(
	    topics_ensure(support_brokers(), &spec, 1, 10 * SEC, err, sizeof(err)));
	assert_non_null(strstr(err, "eplication"));
	assert_false(topics_ensure("127.0.0.1:1", &spec, 1, 500 * MS, err, sizeof(err)));
	assert_true(err[0] != '\0');
}

static void
test_reachable(void **state)
{
	int64_t start_us;

	(void)state;
	assert_true(topics_reachable(support_brokers(), 20 * SEC));
	start_us = clock_mono_us();
	assert_false(topics_reachable("127.0.0.1:1", 300 * MS));
	assert_true(clock_mono_us() - start_us < 5 * SEC);
}

static void
test_lag(void **state)
{
	const char *topic = support_topic("lag", 2), *group = support_name("group");
	const struct consumer_conf conf = { .brokers = support_brokers(),
		.client_id = "test",
		.group = group,
		.instance_id = "",
		.topic = topic,
		.session_timeout_us = 30 * SEC };
	struct consumer *c = consumer_new(&conf);
	struct message m[64];
	struct topic_lag rows[2];
	char err[256];
	size_t n = 0;

	(void)state;
	put(topic, 1, 10);
	assert_int_equal(topics_lag(support_brokers(), group, topic, rows, 2, 10 * SEC,
			     err, sizeof(err)),
	    2);
	assert_int_equal(rows[0].high, 0);
	assert_int_equal(rows[1].partition, 1);
	assert_int_equal(rows[1].low, 0);
	assert_int_equal(rows[1].high, 10);
	assert_int_equal(rows[1].committed, -1);
	while (n == 0)
		n = consumer_poll(c, m, 4, 100 * MS);
	consumer_ack(c, m, n);
	consumer_free(c);
	assert_int_equal(topics_lag(support_brokers(), group, topic, rows, 1, 10 * SEC,
			     err, sizeof(err)),
	    1); /* no more than there is room for */
	assert_int_equal(topics_lag(support_brokers(), group, topic, rows, 2, 10 * SEC,
			     err, sizeof(err)),
	    2);
	assert_int_equal(rows[1].committed, (int64_t)n);
	assert_int_equal(rows[0].committed, -1);
	assert_int_equal(topics_lag(support_brokers(), group, support_name("none"), rows,
			     2, 1 * SEC, err, sizeof(err)),
	    -1);
	assert_non_null(strstr(err, "none"));
}

struct tally {
	int count, stop_after;
	const char *grows; /* put one more when the first is seen */
};

static bool
count_record(void *arg, const struct topic_record *r)
{
	struct tally *t = arg;

	assert_true(str_eq(r->value, STR("v")));
	if (t->count++ == 0 && t->grows != NULL)
		put(t->grows, 0, 5);
	return t->count != t->stop_after;
}

static void
test_scan(void **state)
{
	const char *topic = support_topic("scan", 3);
	struct tally t = { 0 };
	char err[256];

	(void)state;
	assert_true(topics_scan(
	    support_brokers(), topic, count_record, &t, 10 * SEC, err, sizeof(err)));
	assert_int_equal(t.count, 0);
	put(topic, 0, 10);
	put(topic, 2, 500);
	t = (struct tally){ .grows = topic };
	assert_true(topics_scan(
	    support_brokers(), topic, count_record, &t, 10 * SEC, err, sizeof(err)));
	assert_int_equal(t.count, 510); /* not those that came meanwhile */
	t = (struct tally){ .stop_after = 7 };
	assert_true(topics_scan(
	    support_brokers(), topic, count_record, &t, 10 * SEC, err, sizeof(err)));
	assert_int_equal(t.count, 7);
	assert_false(topics_scan(support_brokers(), support_name("none"), count_record,
	    &t, 1 * SEC, err, sizeof(err)));
	assert_non_null(strstr(err, "none"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ensure),
		cmocka_unit_test(test_ensure_says_why_not),
		cmocka_unit_test(test_reachable),
		cmocka_unit_test(test_lag),
		cmocka_unit_test(test_scan),
	};

	support_brokers();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
