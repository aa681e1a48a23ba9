/*
 * Settles orders in batches in PostgreSQL: the one road from PENDING to COMPLETED or
 * FAILED, whoever walks it. The payment-worker does so for events of Kafka, the keeper
 * itself while Kafka is away; the order's row lock makes both safe together, and settling
 * an order again does nothing.
 *
 * Blocking; one thread at a time per settler.
 */
#ifndef ONRUSH_ORDER_SETTLER_H
#define ONRUSH_ORDER_SETTLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
	SETTLER_BATCH_MAX = 256 /* orders that are settled in one transaction */
};

struct settler;

struct settler_conf {
	const char *pg_dsn;
	const char *redis_url; /* "": rankings are not kept */
	const char *note;      /* application_name */
	int64_t timeout_us;    /* of a database round trip */
};

struct settler *settler_new(const struct settler_conf *conf);
void settler_free(struct settler *s); /* NULL is fine */

/*
 * Settles up to SETTLER_BATCH_MAX orders, in this order, in one transaction and commits
 * it. ERR_OK: (*outcomes)[i] says what became of order_ids[i], until the next call:
 *
 *	ERR_OK                  it is COMPLETED now
 *	ERR_ORDER_STATE         it is not PENDING (any more): nothing was done
 *	ERR_ORDER_UNKNOWN       there is no such order
 *	any other               it is FAILED now, for this reason
 *
 * ERR_UNAVAILABLE, ERR_CONFLICT_RETRY: nothing was settled. ERR_UNKNOWN_OUTCOME: perhaps;
 * settling the same orders again is harmless. ERR_INTERNAL: the database refused the
 * batch; an order in it may be the reason, so each should be tried alone.
 */
enum err settler_settle(struct settler *s, const int64_t *order_ids, size_t count,
    const enum err **outcomes) MUST_USE;

/* The same, but each order that is PENDING becomes FAILED for this reason. */
enum err settler_give_up(struct settler *s, const int64_t *order_ids, size_t count,
    enum err reason, const enum err **outcomes) MUST_USE;

/* Writes what the last batch sold to the rankings in Redis, as well as can be: losing it
 * costs nothing for good. Call it when the batch has been acknowledged. */
void settler_rank(struct settler *s);

/* Why the last call failed, for logs. */
const char *settler_message(const struct settler *s);

/* Is the database answering now? For telling a sick dependency from a sick order. */
bool settler_is_healthy(struct settler *s);

#endif
