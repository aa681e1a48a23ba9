/*
 * Decides batches of requests in PostgreSQL: the one road to a coupon, whoever walks it.
 * The coupon-publisher does so for events of Kafka, the coupon service itself while Kafka
 * is away; the campaign's row lock and the unique keys make both safe together.
 *
 * Blocking; one thread at a time per decider.
 */
#ifndef ONRUSH_COUPON_DECIDER_H
#define ONRUSH_COUPON_DECIDER_H

#include <stddef.h>

#include "coupon/coupon.h"

struct decider;

struct decider_conf {
	const char *pg_dsn;
	const char *redis_url; /* "": no marks are kept */
	const char *note;      /* application_name */
	struct sign_key *key;  /* borrowed for the decider's life */
	int64_t timeout_us;    /* of a database round trip */
};

struct decider *decider_new(const struct decider_conf *conf);
void decider_free(struct decider *d); /* NULL is fine */

/* What came of a batch. Valid until the next call. */
struct decided {
	struct coupon_decision *decisions; /* one for each request, in their order */
	struct chain_head *heads;          /* one for each campaign that gave something */
	size_t head_count;
};

/*
 * Decides up to COUPON_BATCH_MAX requests in one transaction and commits it. ERR_OK:
 * every decision is committed, grants and refusals alike. ERR_UNAVAILABLE,
 * ERR_CONFLICT_RETRY: nothing was decided. ERR_UNKNOWN_OUTCOME: perhaps committed;
 * deciding the same requests again gives the same answers. ERR_INTERNAL: the database
 * refused the batch; a request in it may be the reason, so each should be tried alone.
 *
 * After a commit the filter's marks in Redis are written as well as can be: losing them
 * costs speed only.
 */
enum err decider_decide(struct decider *d, const struct coupon_request *requests,
    size_t count, struct decided *out) MUST_USE;

/* Writes what the last batch means for the filter to Redis, as well as can be: losing it
 * costs speed only. Call it when the batch has been answered. */
void decider_mark(struct decider *d);

/* Why the last call failed, for logs. */
const char *decider_message(const struct decider *d);

/* Is the database answering now? For telling a sick dependency from a sick record. */
bool decider_is_healthy(struct decider *d);

#endif
