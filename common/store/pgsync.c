/*
 * PostgreSQL for programs that may block: what is queued, what a run's outcome means, and
 * that no transaction is left open by accident. libpq is used in non-blocking pipeline
 * mode: a blocking client and a server that each wait for the other to read would hang.
 *
 *   pgsync ── items[] ── statement and parameters (borrowed), result (owned)
 *          └─ link ── the connection; opened again by the next call when it was lost
 *
 * A connection that misses a deadline or answers out of turn is dropped, never cancelled
 * and never used again. Failures are not logged here: the caller handles them.
 */
#include "store/pgsync.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/pgsync_link.h"

struct item {
	const struct pg_stmt *stmt;     /* borrowed, static */
	const struct pg_params *params; /* borrowed until the run; may be NULL */
	PGresult *result;               /* owned; NULL if it never came */
	bool prepare;                   /* this run prepares the statement */
};

struct pgsync {
	char *dsn, *note; /* owned */
	int64_t timeout_us;
	struct pgsync_link link;
	struct item items[PGSYNC_MAX_QUEUE];
	int count;
	bool ran;   /* items are results; the next queue starts anew */
	bool in_tx; /* on link: BEGIN has been run, COMMIT has not */
};

const struct pg_stmt PGSYNC_BEGIN = { "begin", "BEGIN" };
const struct pg_stmt PGSYNC_COMMIT = { "commit", "COMMIT" };
const struct pg_stmt PGSYNC_ROLLBACK = { "rollback", "ROLLBACK" };

static enum err ensure_connection(struct pgsync *pg);
static bool send_items(struct pgsync *pg);
static bool send_item(struct pgsync *pg, int i);
static bool read_items(struct pgsync *pg);
static bool read_item(struct pgsync *pg, struct item *item);
static bool read_script(struct pgsync *pg);
static int commit_point(const struct pgsync *pg);
static bool starts_with(const struct pg_stmt *stmt, const char *word);
static enum err outcome(struct pgsync *pg, bool answered, int commit_at);
static enum err finish_call(struct pgsync *pg, bool answered, int commit_at);
static bool roll_back(struct pgsync *pg);
static void clear_items(struct pgsync *pg);

enum {
	NO_COMMIT = -1 /* a commit point: this call cannot have committed anything */
};

struct pgsync *
pgsync_new(const char *dsn, const char *note, int64_t timeout_us)
{
	struct pgsync *pg = xcalloc(1, sizeof(*pg));

	ASSERT(timeout_us > 0);
	pg_check_dsn(dsn);
	link_init(&pg->link, dsn);
	pg->dsn = xstrdup(dsn);
	pg->note = xstrdup(note);
	pg->timeout_us = timeout_us;
	return pg;
}

void
pgsync_free(struct pgsync *pg)
{
	if (pg == NULL)
		return;
	clear_items(pg);
	link_fini(&pg->link);
	free(pg->dsn);
	free(pg->note);
	free(pg);
}

enum err
pgsync_connect(struct pgsync *pg)
{
	link_start(&pg->link, pg->timeout_us);
	return ensure_connection(pg);
}

void
pgsync_queue(
    struct pgsync *pg, const struct pg_stmt *stmt, const struct pg_params *params)
{
	if (pg->ran)
		clear_items(pg);
	ASSERT(pg->count < PGSYNC_MAX_QUEUE);
	/* One outcome cannot tell of two transactions. */
	ASSERT(pg->count == 0 || !starts_with(pg->items[pg->count - 1].stmt, "COMMIT"));
	pg->items[pg->count++] = (struct item){ .stmt = stmt, .params = params };
}

enum err
pgsync_run(struct pgsync *pg)
{
	int commit_at;
	bool answered;
	enum err err;

	ASSERT(pg->count > 0 && !pg->ran);
	pg->ran = true;
	link_start(&pg->link, pg->timeout_us);
	err = ensure_connection(pg);
	if (err != ERR_OK)
		return err;
	commit_at = commit_point(pg);
	answered = send_items(pg) && read_items(pg) && link_read_sync(&pg->link);
	return finish_call(pg, answered, commit_at);
}

enum err
pgsync_script(struct pgsync *pg, const char *sql)
{
	PGconn *conn;
	bool answered;
	enum err err;

	clear_items(pg);
	link_start(&pg->link, pg->timeout_us);
	err = ensure_connection(pg);
	if (err != ERR_OK)
		return err;
	/* Several statements in one text are the simple protocol's, without pipeline. */
	conn = pg->link.conn;
	answered = PQexitPipelineMode(conn) == 1 && PQsendQuery(conn, sql) == 1 &&
		   read_script(pg) && PQenterPipelineMode(conn) == 1;
	/* The text may contain a COMMIT anywhere. */
	return finish_call(pg, answered, 0);
}

const struct pg_result *
pgsync_result(const struct pgsync *pg, int i)
{
	ASSERT(pg->ran && i >= 0 && i < pg->count && pg->items[i].result != NULL);
	return pg->items[i].result;
}

const char *
pgsync_sqlstate(const struct pgsync *pg)
{
	return pg->link.sqlstate;
}

const char *
pgsync_message(const struct pgsync *pg)
{
	return pg->link.message;
}

static enum err
ensure_connection(struct pgsync *pg)
{
	bool was_in_tx = pg->in_tx;

	if (link_is_alive(&pg->link))
		return ERR_OK;
	link_close(&pg->link);
	pg->in_tx = false;
	if (was_in_tx) {
		/* On a new connection the rest would run outside of the transaction. */
		link_note(&pg->link, "the connection was lost within a transaction");
		return ERR_UNAVAILABLE;
	}
	return link_open(&pg->link, pg->dsn, pg->note, pg->timeout_us) ? ERR_OK
								       : ERR_UNAVAILABLE;
}

static bool
send_items(struct pgsync *pg)
{
	for (int i = 0; i < pg->count; i++)
		if (!send_item(pg, i))
			return false;
	return PQpipelineSync(pg->link.conn) == 1;
}

static bool
send_item(struct pgsync *pg, int i)
{
	struct item *item = &pg->items[i];
	const struct pg_stmt *stmt = item->stmt;
	const struct pg_params *params = item->params;
	PGconn *conn = pg->link.conn;

	item->prepare = !pg_prepared_has(&pg->link.prepared, stmt);
	for (int j = 0; j < i; j++)
		if (pg->items[j].stmt == stmt)
			item->prepare = false;
	if (item->prepare && PQsendPrepare(conn, stmt->name, stmt->sql, 0, NULL) != 1)
		return false;
	return PQsendQueryPrepared(conn, stmt->name, params == NULL ? 0 : params->count,
		   params == NULL ? NULL : params->values, NULL, NULL, 0) == 1;
}

static bool
read_items(struct pgsync *pg)
{
	/* Behind the last item `at` stands for the sync. */
	for (pg->link.at = 0; pg->link.at < pg->count; pg->link.at++)
		if (!read_item(pg, &pg->items[pg->link.at]))
			return false;
	return true;
}

static bool
read_item(struct pgsync *pg, struct item *item)
{
	PGresult *prepared = NULL;
	ExecStatusType status;
	bool answered;

	if (item->prepare) {
		answered = link_read(&pg->link, &prepared);
		if (PQresultStatus(prepared) == PGRES_COMMAND_OK)
			pg_prepared_add(&pg->link.prepared, item->stmt);
		PQclear(prepared);
		if (!answered)
			return false;
	}
	answered = link_read(&pg->link, &item->result);
	status = PQresultStatus(item->result);
	/* Anything else has no place in a pipeline, such as COPY. */
	return answered &&
	       (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
		   status == PGRES_FATAL_ERROR || status == PGRES_PIPELINE_ABORTED);
}

/* Reads up to the NULL that ends a simple query. */
static bool
read_script(struct pgsync *pg)
{
	PGconn *conn = pg->link.conn;
	PGresult *result;

	do {
		if (!link_wait(&pg->link))
			return false;
		result = PQgetResult(conn);
		if (PQresultStatus(result) == PGRES_FATAL_ERROR)
			link_note_failure(&pg->link, result);
		PQclear(result);
		if (PQstatus(conn) == CONNECTION_BAD)
			return false;
	} while (result != NULL);
	return true;
}

/* The number of the item that commits; the count, for the sync, without BEGIN. */
static int
commit_point(const struct pgsync *pg)
{
	if (starts_with(pg->items[pg->count - 1].stmt, "COMMIT"))
		return pg->count - 1;
	if (pg->in_tx || starts_with(pg->items[0].stmt, "BEGIN"))
		return NO_COMMIT;
	return pg->count;
}

static bool
starts_with(const struct pg_stmt *stmt, const char *word)
{
	return strncasecmp(stmt->sql, word, strlen(word)) == 0;
}

/* What happened in the database, as far as it can be known. */
static enum err
outcome(struct pgsync *pg, bool answered, int commit_at)
{
	const struct pgsync_link *link = &pg->link;

	if (link->standby_cut) {
		link_note(&pg->link, "the wait for the synchronous standby was cut");
		return ERR_UNKNOWN_OUTCOME;
	}
	if (answered)
		return link->failure;
	link_note(&pg->link, "no answer came in time");
	if (commit_at == NO_COMMIT)
		return ERR_UNAVAILABLE;
	/* Lost, but a statement before the commit had failed: there was no commit. */
	if (link->failure != ERR_OK && link->failed_at < commit_at)
		return link->failure;
	/* Lost, but COMMIT itself had been answered. */
	if (link->failure == ERR_OK && commit_at < pg->count && link->at == pg->count)
		return ERR_OK;
	return ERR_UNKNOWN_OUTCOME;
}

static enum err
finish_call(struct pgsync *pg, bool answered, int commit_at)
{
	enum err err = outcome(pg, answered, commit_at);
	bool keep = answered && !pg_is_stale(pg->link.sqlstate);

	if (!keep || (err != ERR_OK && !roll_back(pg)))
		link_close(&pg->link);
	pg->in_tx = PQtransactionStatus(pg->link.conn) == PQTRANS_INTRANS;
	return err;
}

/* After a failure: no transaction stays open. False: then the connection must go. */
static bool
roll_back(struct pgsync *pg)
{
	PGconn *conn = pg->link.conn;
	PGresult *result = NULL;
	bool done;

	if (PQtransactionStatus(conn) == PQTRANS_IDLE)
		return true;
	done = PQsendQueryParams(conn, "ROLLBACK", 0, NULL, NULL, NULL, NULL, 0) == 1 &&
	       PQpipelineSync(conn) == 1 && link_read(&pg->link, &result) &&
	       link_read_sync(&pg->link) && PQtransactionStatus(conn) == PQTRANS_IDLE;
	PQclear(result);
	return done;
}

static void
clear_items(struct pgsync *pg)
{
	for (int i = 0; i < pg->count; i++)
		PQclear(pg->items[i].result);
	pg->count = 0;
	pg->ran = false;
}
