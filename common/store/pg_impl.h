/*
 * What pgsync and pgpool share and nobody else sees: how a connection is opened and set
 * up, what a SQLSTATE means, and which statements a connection has prepared.
 */
#ifndef ONRUSH_STORE_PG_IMPL_H
#define ONRUSH_STORE_PG_IMPL_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/pg.h"
#include "store/pg_names.h"

/*
 * Begins to connect: PQconnectPoll goes on. Never NULL; PQstatus says CONNECTION_BAD for
 * a dsn that cannot be parsed. A read-only server is passed over, and one that does not
 * answer for 3 s or half of patience_us is given up (tcp_user_timeout), so that the
 * next host gets its turn; unless the dsn says otherwise. `names` (NULL: none) has the
 * addresses of the dsn's hosts; without it libpq resolves names and blocks.
 *
 * *standby_cut (borrowed for the connection's life) becomes true when the server says
 * that it stopped waiting for the synchronous standby: the commit that is under way is
 * local only, so its outcome is unknown whatever the server answers.
 */
PGconn *pg_open(const char *dsn, const char *note, int64_t patience_us,
    const struct pg_names *names, bool *standby_cut);

/* Ends the program with a sentence if the dsn is not one. */
void pg_check_dsn(const char *dsn);

/* Sends the one statement that sets the session up; the connection is in pipeline mode.
 * No statement runs longer on the server than somebody waits here (timeout_us). */
bool pg_send_setup(PGconn *conn, int64_t timeout_us) MUST_USE;
/* True if its result allows to work on this connection; logs why not. */
bool pg_setup_valid(const PGresult *result) MUST_USE;

/* What a statement that failed with this SQLSTATE means; it was rolled back. */
enum err pg_classify(const char *sqlstate);

/* The SQLSTATE says that this connection should be opened anew once it is idle: its
 * prepared statements are stale or its server became a standby. */
bool pg_is_stale(const char *sqlstate);

/* libpq's messages end in a newline; this copies without. */
void pg_copy_message(char *out, size_t size, const char *message);

/* The statements that are prepared on a connection. All zero is none. */
struct pg_prepared {
	const struct pg_stmt **stmts; /* owned; the statements are static */
	size_t count, cap;
};

bool pg_prepared_has(const struct pg_prepared *p, const struct pg_stmt *stmt);
void pg_prepared_add(struct pg_prepared *p, const struct pg_stmt *stmt);
void pg_prepared_remove(struct pg_prepared *p, const struct pg_stmt *stmt);
void pg_prepared_fini(struct pg_prepared *p); /* empty and usable again */

#endif
