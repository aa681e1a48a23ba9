/* Dead letters: what is in them, and that nothing is said to be there that is not. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "bus/dlq.h"
#include "bus/topics.h"

static struct producer *
new_producer(const char *brokers, int64_t timeout_us)
{
	const struct producer_conf conf = { .brokers = brokers,
		.client_id = "test",
		.timeout_us = timeout_us,
		.max_queue = 1 };
	struct producer *p = producer_new(NULL, &conf);

	assert_non_null(p);
	return p;
}

static const struct message letter = {
	.key = STR_INIT("key"),
	.value = STR_INIT("not \0 text"),
	.partition = 2,
	.offset = 1234567890123,
	.time_ms = 1795230245678,
	.attempts = 5,
};

static bool
check(void *arg, const struct topic_record *r)
{
	static const char *const want[][2] = {
		{ "dlq-topic", NULL },
		{ "dlq-partition", "2" },
		{ "dlq-offset", "1234567890123" },
		{ "dlq-time", "2026-11-21T03:04:05.678000Z" },
		{ "dlq-attempts", "5" },
		{ "dlq-error", "UNDECODABLE" },
		{ "dlq-reason", "payload must be an object." },
		{ "dlq-program", "test 1.0" },
	};
	int *count = arg;

	(*count)++;
	assert_true(str_eq(r->key, letter.key));
	assert_true(str_eq(r->value, letter.value));
	assert_int_equal(r->header_count, 8);
	for (size_t i = 0; i < r->header_count; i++) {
		assert_true(str_eq(r->headers[i].name, str_of(want[i][0])));
		if (want[i][1] != NULL)
			assert_true(str_eq(r->headers[i].value, str_of(want[i][1])));
	}
	return true;
}

static void
test_letter(void **state)
{
	const char *topic = support_name("source");
	struct producer *p = new_producer(support_brokers(), 20 * SEC);
	char name[128], err[256];
	int count = 0;

	(void)state;
	snprintf(name, sizeof(name), "%s.dlq", topic);
	support_topic_create(name, 1);
	assert_int_equal(dlq_send(p, topic, &letter, ERR_POISON,
			     "payload must be an object.", "test 1.0", 10 * SEC),
	    ERR_OK);
	producer_free(p);
	assert_true(topics_scan(
	    support_brokers(), name, check, &count, 10 * SEC, err, sizeof(err)));
	assert_int_equal(count, 1);
}

static void
test_not_delivered(void **state)
{
	struct producer *p = new_producer("127.0.0.1:1", 300 * MS);

	(void)state;
	assert_int_equal(dlq_send(p, "t", &letter, ERR_POISON, "why", "test", 15 * SEC),
	    ERR_UNAVAILABLE);
	producer_free(p);
}

/* The report comes after the waiting has ended: it must find nothing of ours. */
static void
test_too_late(void **state)
{
	struct mock *mock = mock_new();
	struct producer *p;

	(void)state;
	mock_topic(mock, "t.dlq", 1);
	mock_set_up(mock, false);
	p = new_producer(mock_brokers(mock), 60 * SEC);
	assert_int_equal(dlq_send(p, "t", &letter, ERR_POISON, "why", "test", 50 * MS),
	    ERR_UNKNOWN_OUTCOME);
	assert_int_equal(dlq_send(p, "t", &letter, ERR_POISON, "why", "test", 50 * MS),
	    ERR_OVERLOAD); /* the first one still fills the queue */
	mock_set_up(mock, true);
	assert_true(producer_flush(p, 30 * SEC));
	producer_free(p);
	mock_free(mock);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_letter),
		cmocka_unit_test(test_not_delivered),
		cmocka_unit_test(test_too_late),
	};

	support_brokers();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
