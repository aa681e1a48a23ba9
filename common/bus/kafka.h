/*
 * What the files of this folder share about librdkafka; private to it. Settings, logging
 * and a bounded end: instances are made here, with one table of common settings, and
 * destroyed here, on a thread of their own, because librdkafka may take as long as it
 * likes.
 */
#ifndef ONRUSH_BUS_KAFKA_H
#define ONRUSH_BUS_KAFKA_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/die.h"
#include "base/str.h"

enum {
	KAFKA_ERROR_SIZE = 512 /* what librdkafka asks for its sentences */
};

/* A table of these ends with a row whose name is NULL. */
struct kafka_setting {
	const char *name, *value;
};

/* An instance with the common settings and those of the table. conf (may be NULL) brings
 * callbacks and events and is taken over in every case. NULL with a sentence
 * in err[KAFKA_ERROR_SIZE] when a setting is refused. */
rd_kafka_t *kafka_new(rd_kafka_type_t type, const char *brokers, const char *client_id,
    const struct kafka_setting *settings, rd_kafka_conf_t *conf,
    char err[KAFKA_ERROR_SIZE]) MUST_USE;

/* Destroys the instance on a thread and waits for that at most timeout_us; afterwards the
 * thread goes on alone. NULL is fine. */
void kafka_destroy(rd_kafka_t *rk, int64_t timeout_us);

/* Logs an error that librdkafka reported to a "consumer" or the like of this name.
 * Failing connections are logged by librdkafka itself, once per cause. */
void kafka_log_error(
    const char *what, const char *name, rd_kafka_resp_err_t err, const char *reason);

/* Starts a thread that gets no signals. */
pthread_t kafka_thread(void *(*run)(void *arg), void *arg);

/* Runs work(arg) on a thread and waits at most timeout_us. False when it is still
 * running then: it goes on alone and arg stays its own. */
bool kafka_run_bounded(void (*work)(void *arg), void *arg, int64_t timeout_us) MUST_USE;

/* For librdkafka's timeouts: rounded up; never negative, which would mean for ever. */
int kafka_ms(int64_t us);
/* The same for what is left until a monotonic time. */
int kafka_ms_until(int64_t deadline_us);

/* Blocking: the number of partitions of a topic of which each has a leader; 0 when that
 * is not known, not the case, or there is no such topic. */
int kafka_partition_count(rd_kafka_t *rk, const char *topic, int timeout_ms);

/* Blocking: the first offset of a partition and the one after its last, asked for until
 * they are told: a partition that was just made has a leader which does not know it yet.
 */
rd_kafka_resp_err_t kafka_ends(rd_kafka_t *rk, const char *topic, int32_t partition,
    int64_t *low, int64_t *high, int64_t until_us);

/* Sleeps for a moment between two such questions; false when it is too late for that. */
bool kafka_pause(int64_t until_us);

#endif
