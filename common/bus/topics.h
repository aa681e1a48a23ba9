/* Topics: create them, list them, look at lags; for the operator's command. Blocking. */
#ifndef ONRUSH_BUS_TOPICS_H
#define ONRUSH_BUS_TOPICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "http/http_parse.h"

struct topic_spec {
	const char *name;
	int partitions, replication;
	const char *const *config; /* name, value, …, NULL: "retention.ms", "600000" */
};

/* Creates those that do not exist and raises the partition count of those that have
 * fewer; never lowers, never deletes. False with a sentence in err. */
bool topics_ensure(const char *brokers, const struct topic_spec *specs, size_t count,
    int64_t timeout_us, char *err, size_t err_size);

/* The brokers answer within timeout_us. */
bool topics_reachable(const char *brokers, int64_t timeout_us);

struct topic_lag {
	int32_t partition;
	int64_t low, high, committed; /* committed -1: none yet */
};
/* Fills at most max rows; the count, or -1 with a sentence in err. */
int topics_lag(const char *brokers, const char *group, const char *topic,
    struct topic_lag *rows, int max, int64_t timeout_us, char *err, size_t err_size);

/* Reads a topic from its beginning to its present end without a group and calls back for
 * each record; false from cb stops. Headers live as long as the call. */
struct topic_record {
	int32_t partition;
	int64_t offset, time_ms;
	str key, value;
	const struct http_header *headers;
	size_t header_count;
};
bool topics_scan(const char *brokers, const char *topic,
    bool (*cb)(void *arg, const struct topic_record *record), void *arg,
    int64_t timeout_us, char *err, size_t err_size);

#endif
