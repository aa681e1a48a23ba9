/*
 * PostgreSQL for the loop: a few connections in pipeline mode, each with a bounded number
 * of statements in flight, and a bounded queue in front. An answer counts only after the
 * pipeline's sync: TUPLES_OK alone is not a commit.
 *
 * Nothing here blocks. A connection that breaks is opened again with back-off; statements
 * that were sent on it end with ERR_UNKNOWN_OUTCOME, those that were not go to another or
 * end with ERR_UNAVAILABLE. No PQcancel ever: cancelling a commit that waits for a
 * standby would report success for what may be lost.
 */
#ifndef ONRUSH_STORE_PGPOOL_H
#define ONRUSH_STORE_PGPOOL_H

#include "app/loop.h"
#include "store/pg.h"

struct pgpool;

struct pgpool_conf {
	const char *dsn;       /* libpq's; borrowed for the pool's life */
	const char *role_note; /* application_name, such as "coupon" */
	size_t conns;          /* 2 to 4 */
	size_t max_in_flight;  /* statements per connection, 64 */
	size_t max_queue;      /* that wait; more get ERR_OVERLOAD */
	int64_t timeout_us;    /* from queued to synced; then ERR_UNKNOWN_OUTCOME if sent
				* (the connection is dropped), ERR_UNAVAILABLE if not. The
				* server gives a statement up after three quarters of it and
				* a lock after at most a second: ERR_CONFLICT_RETRY */
};

/*
 * err: ERR_OK with result; ERR_OVERLOAD: not executed; ERR_UNAVAILABLE: not executed or
 * rolled back; ERR_UNKNOWN_OUTCOME: sent, no answer; ERR_CONFLICT_RETRY: 40001, 40P01 or
 * a timeout of the server, rolled back; ERR_INTERNAL: the statement failed and was rolled
 * back, sqlstate (5 characters) says why. The result is borrowed until the callback
 * returns.
 */
typedef void
pgpool_cb(void *arg, enum err err, const struct pg_result *result, const char *sqlstate);

/* Connects from the loop. A dsn that cannot be parsed ends the program with a sentence.
 */
struct pgpool *pgpool_new(struct loop *loop, const struct pgpool_conf *conf);
void pgpool_free(struct pgpool *pool); /* pending get ERR_DRAINING; NULL is fine */

/* Runs one statement in its own transaction. params are copied when they cannot be sent
 * at once. cb is called exactly once, from the loop, never before this returns. */
void pgpool_exec(struct pgpool *pool, const struct pg_stmt *stmt,
    const struct pg_params *params, pgpool_cb *cb, void *arg);

/* At least one connection is ready. From any thread. */
bool pgpool_is_up(const struct pgpool *pool);
void
pgpool_stats(const struct pgpool *pool, size_t *conns, size_t *in_flight, size_t *queued);

#endif
