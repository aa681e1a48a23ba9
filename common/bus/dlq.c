/* Sending a record to its dead letter queue and waiting until it is there. */
#include "bus/dlq.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

enum {
	TOPIC_SIZE = 256 /* Kafka allows 249 characters */
};

/* The report may come after dlq_send has given up; then it is the last one to know. */
struct letter {
	enum err err;
	bool reported, abandoned;
};

static void
on_report(void *arg, enum err err)
{
	struct letter *l = arg;

	l->err = err;
	l->reported = true;
	if (l->abandoned)
		free(l);
}

static enum err
await_report(struct producer *p, struct letter *l, int64_t timeout_us)
{
	int64_t until_us = clock_mono_us() + timeout_us, left_us = timeout_us;
	enum err err;

	while (!l->reported && left_us > 0) {
		producer_poll(p, left_us);
		left_us = until_us - clock_mono_us();
	}
	if (!l->reported) {
		l->abandoned = true;
		return ERR_UNKNOWN_OUTCOME;
	}
	err = l->err;
	free(l);
	return err;
}

enum err
dlq_send(struct producer *p, const char *topic, const struct message *m, enum err error,
    const char *reason, const char *program, int64_t timeout_us)
{
	char name[TOPIC_SIZE], partition[16], offset[24], attempts[16];
	char time[CLOCK_ISO_SIZE];
	struct letter *l = xcalloc(1, sizeof(*l));

	snprintf(name, sizeof(name), "%s.dlq", topic);
	snprintf(partition, sizeof(partition), "%" PRId32, m->partition);
	snprintf(offset, sizeof(offset), "%" PRId64, m->offset);
	snprintf(attempts, sizeof(attempts), "%d", m->attempts);
	clock_format_iso(m->time_ms * CLOCK_US_PER_MS, time);

	const struct http_header headers[] = {
		{ STR_INIT("dlq-topic"), str_of(topic) },
		{ STR_INIT("dlq-partition"), str_of(partition) },
		{ STR_INIT("dlq-offset"), str_of(offset) },
		{ STR_INIT("dlq-time"), str_of(time) },
		{ STR_INIT("dlq-attempts"), str_of(attempts) },
		{ STR_INIT("dlq-error"), str_of(err_info(error)->code) },
		{ STR_INIT("dlq-reason"), str_of(reason) },
		{ STR_INIT("dlq-program"), str_of(program) },
	};
	const struct record record = {
		.topic = name,
		.partition = -1,
		.key = m->key,
		.value = m->value,
		.headers = headers,
		.header_count = ARRAY_LEN(headers),
	};

	producer_send(p, &record, on_report, l);
	return await_report(p, l, timeout_us);
}
