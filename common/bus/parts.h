/*
 * The partitions of one group member: what was acknowledged, what of it was committed,
 * and which ones wait before they go back; private to this folder.
 *
 *   away ──parts_assign──> flowing ──parts_retry──> waiting ──parts_resume──> flowing
 *
 * Waiting means paused in librdkafka. The position goes back to the first undecided
 * record only when the partition is resumed: librdkafka forgets what it fetched when it
 * pauses, so this is the way that a crash takes, too.
 *
 * Offsets are committed as explicit lists and never stored in librdkafka, where a stored
 * offset would outlive a seek.
 */
#ifndef ONRUSH_BUS_PARTS_H
#define ONRUSH_BUS_PARTS_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "bus/consumer.h"

struct part;

struct parts {
	rd_kafka_t *rk;    /* borrowed */
	const char *topic; /* borrowed */
	const char *name;  /* borrowed; for logs */
	struct part *list; /* owned; [count], by partition */
	int32_t count;
	bool dirty; /* something was acknowledged and not committed */
	int64_t commit_due_us;
};

void parts_fini(struct parts *ps); /* librdkafka's instance may be gone already */

/* Takes over these partitions, or leaves all. The caller tells librdkafka. */
void parts_assign(struct parts *ps, const rd_kafka_topic_partition_list_t *list);
void parts_clear(struct parts *ps);

/* Notes that the record will be handed out; how often it was tried before. */
int parts_deliver(struct parts *ps, int32_t partition, int64_t offset);
void parts_ack(struct parts *ps, int32_t partition, int64_t offset);
void parts_retry(struct parts *ps, const struct message *m, enum err reason);

/* Resumes what is due. The result is when the next one is, or until_us if that is first.
 */
int64_t parts_resume(struct parts *ps, int64_t now_us, int64_t until_us);

/* Commits what was acknowledged; `wait` for the broker's answer. */
void parts_commit(struct parts *ps, bool wait);
/* The same when the last one is long enough ago; the result is as that of parts_resume.
 */
int64_t parts_commit_due(struct parts *ps, int64_t now_us, int64_t until_us);
/* What became of a commit: a failed one is sent again with the next. */
void parts_committed(struct parts *ps, rd_kafka_resp_err_t err,
    const rd_kafka_topic_partition_list_t *list);

/* Records between what was acknowledged and the ends that the last fetch answers told;
 * -1 when one of them is not known. Makes no request. */
int64_t parts_lag(const struct parts *ps);

#endif
