/* What the tests of common/bus share: a broker, topics of their own, a loop that runs
 * until something is true, and librdkafka's mock cluster. */
#ifndef ONRUSH_TEST_BUS_SUPPORT_H
#define ONRUSH_TEST_BUS_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdbool.h>

#include "app/loop.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "bus/consumer.h"

#define MS  CLOCK_US_PER_MS
#define SEC CLOCK_US_PER_SEC

/* TEST_KAFKA_BROKERS; ends the program when it is not set. */
const char *support_brokers(void);

/* A name that no other test and no earlier run has: "<prefix>-<random>". Static, good for
 * the next 16 calls. */
const char *support_name(const char *prefix);
/* A new topic with such a name. */
const char *support_topic(const char *prefix, int partitions);

void support_topic_create(const char *name, int partitions);
void support_topic_delete(const char *name);

/* Runs the loop until done(arg); false after timeout_us. */
bool support_run_until(
    struct loop *loop, bool (*done)(void *arg), void *arg, int64_t timeout_us);
/* Runs it for some time. */
void support_run_for(struct loop *loop, int64_t us);

enum {
	BATCH = 256
};

struct consumer *
support_consumer(const char *topic, const char *group, const char *instance_id);
/* Values "0", "1", … into each partition, with the key "key". */
void
support_fill(const char *brokers, const char *topic, int partitions, int from, int count);
/* One batch, or none after timeout_us. */
size_t
support_poll(struct consumer *c, struct message *m, size_t max, int64_t timeout_us);
/* The value as a number. */
int support_number(const struct message *m);
/* Reads values first..last of the only partition in order and acknowledges them. */
void support_read(struct consumer *c, int first, int last);

/* One broker inside this process that can be told to misbehave. */
struct mock;
struct mock *mock_new(void);
void mock_free(struct mock *m);
const char *mock_brokers(const struct mock *m);
void mock_topic(struct mock *m, const char *name, int partitions);
void mock_set_up(struct mock *m, bool up);
/* The next `count` produce requests fail with this error. */
void mock_fail_produce(struct mock *m, int error, size_t count);

#endif
