/* See parts.h. Knows nothing of messages and threads: consumer.c calls it on its own. */
#include "bus/parts.h"

#include <inttypes.h>
#include <stdlib.h>

#include "app/log.h"
#include "base/clock.h"
#include "bus/tries.h"

enum {
	COMMIT_EVERY_US = 200000,
	BACKOFF_MIN_US = 100000,
	BACKOFF_MAX_US = 30000000,
	SEEK_WAIT_MS = 20000, /* 2.0.2 waits a thousandth of it: see go_back */
	COMMITTED_WAIT_MS = 2000,
};

enum part_state {
	PART_AWAY,
	PART_FLOWING,
	PART_WAITING,
};

/* Offsets are those of the next record, as Kafka commits them; -1 is unknown. */
struct part {
	enum part_state state;
	int64_t acked;     /* everything before it is done with */
	int64_t committed; /* the last that was sent to the broker */
	int64_t back_to;   /* PART_WAITING: the first undecided record */
	int64_t resume_us; /* PART_WAITING: when, monotonic */
	struct tries tries;
};

static struct part *
part_at(struct parts *ps, int32_t partition)
{
	int32_t count = partition + 1;

	ASSERT(partition >= 0);
	if (count > ps->count) {
		ps->list = xrealloc(ps->list, sizeof(*ps->list) * (size_t)count);
		for (int32_t i = ps->count; i < count; i++)
			ps->list[i] = (struct part){ .state = PART_AWAY };
		ps->count = count;
	}
	return &ps->list[partition];
}

static rd_kafka_topic_partition_list_t *
list_of_one(const struct parts *ps, int32_t partition, int64_t offset)
{
	rd_kafka_topic_partition_list_t *one = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(one, ps->topic, partition)->offset = offset;
	return one;
}

static void
pause_part(const struct parts *ps, int32_t partition)
{
	rd_kafka_topic_partition_list_t *one = list_of_one(ps, partition, 0);

	rd_kafka_pause_partitions(ps->rk, one);
	rd_kafka_topic_partition_list_destroy(one);
}

static void
resume_part(const struct parts *ps, int32_t partition)
{
	rd_kafka_topic_partition_list_t *one = list_of_one(ps, partition, 0);

	rd_kafka_resume_partitions(ps->rk, one);
	rd_kafka_topic_partition_list_destroy(one);
}

/* --- assignment ----------------------------------------------------------------------
 */

/* Where the group stands, so that the lag is known before the first record comes. */
static void
look_up_committed(struct parts *ps, const rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_topic_partition_list_t *found = rd_kafka_topic_partition_list_copy(list);

	if (rd_kafka_committed(ps->rk, found, COMMITTED_WAIT_MS) ==
	    RD_KAFKA_RESP_ERR_NO_ERROR) {
		for (int i = 0; i < found->cnt; i++) {
			struct part *p = part_at(ps, found->elems[i].partition);

			if (found->elems[i].offset >= 0)
				p->acked = p->committed = found->elems[i].offset;
		}
	}
	rd_kafka_topic_partition_list_destroy(found);
}

void
parts_assign(struct parts *ps, const rd_kafka_topic_partition_list_t *list)
{
	parts_clear(ps);
	for (int i = 0; i < list->cnt; i++)
		*part_at(ps, list->elems[i].partition) =
		    (struct part){ .state = PART_FLOWING, .acked = -1, .committed = -1 };
	look_up_committed(ps, list);
}

/* librdkafka leaves a paused partition paused when it is revoked, for its next time. */
void
parts_clear(struct parts *ps)
{
	for (int32_t i = 0; i < ps->count; i++) {
		struct part *p = &ps->list[i];

		if (p->state == PART_WAITING)
			resume_part(ps, i);
		tries_fini(&p->tries);
		*p = (struct part){ .state = PART_AWAY };
	}
	ps->dirty = false;
}

void
parts_fini(struct parts *ps)
{
	for (int32_t i = 0; i < ps->count; i++)
		tries_fini(&ps->list[i].tries);
	free(ps->list);
	ps->list = NULL;
	ps->count = 0;
}

/* --- records -------------------------------------------------------------------------
 */

int
parts_deliver(struct parts *ps, int32_t partition, int64_t offset)
{
	struct part *p = part_at(ps, partition);

	if (p->acked < 0) /* nothing was ever committed here */
		p->acked = p->committed = offset;
	return tries_get(&p->tries, offset);
}

void
parts_ack(struct parts *ps, int32_t partition, int64_t offset)
{
	struct part *p = part_at(ps, partition);

	ASSERT(p->state != PART_AWAY);
	if (p->state == PART_WAITING && offset >= p->back_to)
		return; /* it comes again, after those that were not decided */
	if (offset >= p->acked) {
		p->acked = offset + 1;
		ps->dirty = true;
	}
	tries_forget(&p->tries, offset + 1);
}

/* 100 ms times 2^attempts, at most 30 s, plus or minus a fifth so that partitions and
 * members do not come back in step. */
static int64_t
backoff_us(int attempts)
{
	int64_t us = attempts < 9 ? (int64_t)BACKOFF_MIN_US << attempts : BACKOFF_MAX_US;
	uint64_t noise = (uint64_t)clock_mono_us() * UINT64_C(0x9e3779b97f4a7c15) >> 33;

	if (us > BACKOFF_MAX_US)
		us = BACKOFF_MAX_US;
	return us - us / 5 + (int64_t)(noise % (uint64_t)(us * 2 / 5 + 1));
}

static void
wait_before(struct parts *ps, struct part *p, const struct message *m, enum err reason)
{
	int64_t wait_us = backoff_us(m->attempts);

	if (p->state == PART_FLOWING)
		pause_part(ps, m->partition);
	p->state = PART_WAITING;
	p->back_to = m->offset;
	p->resume_us = clock_mono_us() + wait_us;
	if (p->acked > m->offset) { /* acknowledged first, then not: it is not */
		p->acked = m->offset;
		ps->dirty = true;
	}
	log_warn("kafka consumer %s: %s[%" PRId32 "] goes back to %" PRId64 " in %" PRId64
		 " ms, attempt %d: %s",
	    ps->name, ps->topic, m->partition, m->offset, wait_us / CLOCK_US_PER_MS,
	    m->attempts + 1, err_info(reason)->code);
}

void
parts_retry(struct parts *ps, const struct message *m, enum err reason)
{
	struct part *p = part_at(ps, m->partition);

	ASSERT(p->state != PART_AWAY);
	tries_set(&p->tries, m->offset, m->attempts + 1);
	if (p->state == PART_FLOWING || m->offset < p->back_to)
		wait_before(ps, p, m, reason);
}

/* --- going back ----------------------------------------------------------------------
 */

static bool
seek(const struct parts *ps, int32_t partition, int64_t offset)
{
	rd_kafka_topic_partition_list_t *one = list_of_one(ps, partition, offset);
	rd_kafka_error_t *error = rd_kafka_seek_partitions(ps->rk, one, SEEK_WAIT_MS);
	rd_kafka_resp_err_t err = one->elems[0].err;

	if (error != NULL)
		err = rd_kafka_error_code(error);
	rd_kafka_error_destroy(error);
	rd_kafka_topic_partition_list_destroy(one);
	if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
		return true;
	log_warn("kafka consumer %s: %s[%" PRId32 "] could not go back: %s", ps->name,
	    ps->topic, partition, rd_kafka_err2name(err));
	return false;
}

/*
 * Resumes first, because only a seek wakes librdkafka's fetching thread; what that may
 * have fetched in between is of the time before the seek and is dropped by it. A seek
 * that failed or was not confirmed in time is done again after another pause.
 */
static void
go_back(struct parts *ps, int32_t partition, struct part *p)
{
	resume_part(ps, partition);
	if (seek(ps, partition, p->back_to)) {
		p->state = PART_FLOWING;
	} else {
		pause_part(ps, partition);
		p->resume_us = clock_mono_us() + BACKOFF_MIN_US;
	}
}

int64_t
parts_resume(struct parts *ps, int64_t now_us, int64_t until_us)
{
	for (int32_t i = 0; i < ps->count; i++) {
		struct part *p = &ps->list[i];

		if (p->state == PART_WAITING && p->resume_us <= now_us)
			go_back(ps, i, p);
		if (p->state == PART_WAITING && p->resume_us < until_us)
			until_us = p->resume_us;
	}
	return until_us;
}

/* --- offsets -------------------------------------------------------------------------
 */

/* Notes them as committed; a failure says otherwise later. */
static rd_kafka_topic_partition_list_t *
list_uncommitted(struct parts *ps)
{
	rd_kafka_topic_partition_list_t *list =
	    rd_kafka_topic_partition_list_new(ps->count);

	for (int32_t i = 0; i < ps->count; i++) {
		struct part *p = &ps->list[i];

		if (p->state == PART_AWAY || p->acked < 0 || p->acked == p->committed)
			continue;
		rd_kafka_topic_partition_list_add(list, ps->topic, i)->offset = p->acked;
		p->committed = p->acked;
	}
	return list;
}

void
parts_commit(struct parts *ps, bool wait)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t err;

	if (!ps->dirty)
		return;
	ps->dirty = false;
	list = list_uncommitted(ps);
	if (list->cnt > 0) {
		err = rd_kafka_commit(ps->rk, list, !wait);
		if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
			parts_committed(ps, err, list);
	}
	rd_kafka_topic_partition_list_destroy(list);
}

int64_t
parts_commit_due(struct parts *ps, int64_t now_us, int64_t until_us)
{
	if (!ps->dirty || now_us >= ps->commit_due_us) {
		ps->commit_due_us = now_us + COMMIT_EVERY_US;
		parts_commit(ps, false);
	}
	return ps->dirty && ps->commit_due_us < until_us ? ps->commit_due_us : until_us;
}

void
parts_committed(struct parts *ps, rd_kafka_resp_err_t err,
    const rd_kafka_topic_partition_list_t *list)
{
	if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	log_warn("kafka consumer %s: offsets of %s were not committed: %s", ps->name,
	    ps->topic, rd_kafka_err2name(err));
	for (int i = 0; list != NULL && i < list->cnt; i++) {
		struct part *p = part_at(ps, list->elems[i].partition);

		if (p->state != PART_AWAY && p->committed == list->elems[i].offset) {
			p->committed = -1;
			ps->dirty = true;
		}
	}
}

int64_t
parts_lag(const struct parts *ps)
{
	int64_t sum = 0, low, high, next;

	for (int32_t i = 0; i < ps->count; i++) {
		const struct part *p = &ps->list[i];

		if (p->state == PART_AWAY)
			continue;
		if (rd_kafka_get_watermark_offsets(ps->rk, ps->topic, i, &low, &high) !=
			RD_KAFKA_RESP_ERR_NO_ERROR ||
		    high < 0)
			return -1;
		next = p->acked > low ? p->acked : low;
		if (high > next)
			sum += high - next;
	}
	return sum;
}
