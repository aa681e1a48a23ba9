/*
 * PostgreSQL for programs that may block: consumers, the operator's command, the direct
 * decider. One connection, used by one thread, opened again by itself. Every call has a
 * deadline; a call that misses it drops the connection (never PQcancel).
 */
#ifndef ONRUSH_STORE_PGSYNC_H
#define ONRUSH_STORE_PGSYNC_H

#include "store/pg.h"

struct pgsync;

enum {
	PGSYNC_MAX_QUEUE = 32 /* statements of one run */
};

/* Does not connect yet. dsn and note are copied. Ends the program (die) when the dsn
 * cannot be parsed. The server gives up a statement after three quarters of timeout_us,
 * so that its answer comes before the deadline, and a lock after at most a second. */
struct pgsync *pgsync_new(const char *dsn, const char *note, int64_t timeout_us);
void pgsync_free(struct pgsync *pg); /* NULL is fine */

/* Connects if it is not connected. ERR_OK or ERR_UNAVAILABLE (pgsync_message says why).
 */
enum err pgsync_connect(struct pgsync *pg);

/*
 * Statements are queued and then sent together as one pipeline, in one round trip:
 *
 *	pgsync_queue(pg, &begin, NULL);
 *	pgsync_queue(pg, &lock, &params);
 *	err = pgsync_run(pg);
 *	rows = pgsync_result(pg, 1);
 *
 * The parameters are borrowed until pgsync_run. Without BEGIN the statements of one run
 * are one transaction; with BEGIN it stays open for the next run. COMMIT is the last of
 * its run. When one fails, the rest is skipped, and an open transaction has been rolled
 * back when pgsync_run returns; when the connection is lost between two runs of one
 * transaction, the second ends with ERR_UNAVAILABLE.
 */
void pgsync_queue(
    struct pgsync *pg, const struct pg_stmt *stmt, const struct pg_params *params);

/* ERR_OK; ERR_UNAVAILABLE: not executed, or rolled back for certain; ERR_CONFLICT_RETRY:
 * 40001, 40P01 or a lock timeout, rolled back; ERR_INTERNAL: a statement failed, rolled
 * back, see pgsync_sqlstate; ERR_UNKNOWN_OUTCOME: the connection was lost while a commit
 * may have been under way, or the standby wait was cut. */
enum err pgsync_run(struct pgsync *pg);

/* The result of the i-th statement of the last run, borrowed until the next queue. */
const struct pg_result *pgsync_result(const struct pgsync *pg, int i);
const char *pgsync_sqlstate(const struct pgsync *pg); /* of the last failure */
const char *pgsync_message(const struct pgsync *pg);

/* Any SQL text, several statements in one transaction, no parameters: migrations. */
enum err pgsync_script(struct pgsync *pg, const char *sql);

extern const struct pg_stmt PGSYNC_BEGIN, PGSYNC_COMMIT, PGSYNC_ROLLBACK;

#endif
