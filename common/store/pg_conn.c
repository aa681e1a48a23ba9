/*
 * A PostgreSQL connection before its first statement: the parameters it is opened with,
 * the session settings, and the meaning of what the server says. Used by pgsync and
 * pgpool; it never waits and owns no connection.
 */
#include "store/pg_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/log.h"
#include "base/clock.h"

enum {
	MAX_KEYWORDS = 16,
	USER_TIMEOUT_MS = 3000,
	LOCK_TIMEOUT_MS = 1000,
	IDLE_IN_TRANSACTION_MS = 5000
};

/* For PQconnectStartParams; keys end with a NULL. */
struct keywords {
	const char **keys, **values; /* borrowed */
	size_t count;
};

static void add_keyword(struct keywords *k, const char *key, const char *value);
static void on_notice(void *arg, const PGresult *notice);
static bool is_standby_cut(const PGresult *notice);

/*
 * One round trip sets everything and shows what must be looked at. All our statements
 * find rows by key, and a prepared one is planned once: a plan that was made while a
 * table was empty (a scan, a hash of all of it) must not be what runs when it has
 * millions of rows.
 */
static const char setup_sql[] =
    "SELECT current_setting('synchronous_commit'),"
    " set_config('TimeZone', 'UTC', false),"
    " set_config('DateStyle', 'ISO, YMD', false),"
    " set_config('bytea_output', 'hex', false),"
    " set_config('standard_conforming_strings', 'on', false),"
    " set_config('statement_timeout', $1, false),"
    " set_config('lock_timeout', $2, false),"
    " set_config('idle_in_transaction_session_timeout', $3, false),"
    " set_config('plan_cache_mode', 'force_generic_plan', false),"
    " set_config('enable_seqscan', 'off', false),"
    " set_config('enable_hashjoin', 'off', false),"
    " set_config('enable_mergejoin', 'off', false),"
    /* A scan that is switched off but cannot be avoided seems so dear to the planner
     * that it compiles the statement: 107 ms for 100 rows were measured. */
    " set_config('jit', 'off', false)";

PGconn *
pg_open(const char *dsn, const char *note, int64_t patience_us,
    const struct pg_names *names, bool *standby_cut)
{
	const char *keys[MAX_KEYWORDS + 1] = { NULL }, *values[MAX_KEYWORDS + 1];
	struct keywords k = { keys, values, 0 };
	char user_timeout[16], name[64];
	int64_t half_ms = patience_us / CLOCK_US_PER_MS / 2;
	PGconn *conn;

	snprintf(user_timeout, sizeof(user_timeout), "%d",
	    half_ms < USER_TIMEOUT_MS ? (int)half_ms : USER_TIMEOUT_MS);
	snprintf(name, sizeof(name), "onrush-%s", note);
	/* What stands before dbname may be said otherwise in the dsn. */
	add_keyword(&k, "keepalives_idle", "5");
	add_keyword(&k, "keepalives_interval", "2");
	add_keyword(&k, "keepalives_count", "2");
	add_keyword(&k, "tcp_user_timeout", user_timeout);
	add_keyword(&k, "target_session_attrs", "read-write");
	add_keyword(&k, "gssencmode", "disable"); /* looking for credentials may block */
	add_keyword(&k, "dbname", dsn);
	add_keyword(&k, "client_encoding", "UTF8");
	add_keyword(&k, "application_name", name);
	if (names != NULL && names->count > 0) {
		add_keyword(&k, "host", buf_str(&names->host).p);
		add_keyword(&k, "hostaddr", buf_str(&names->hostaddr).p);
		add_keyword(&k, "port", buf_str(&names->port).p);
	}
	conn = PQconnectStartParams(keys, values, 1);
	ASSERT(conn != NULL);
	*standby_cut = false;
	PQsetNoticeReceiver(conn, on_notice, standby_cut);
	return conn;
}

static void
add_keyword(struct keywords *k, const char *key, const char *value)
{
	ASSERT(k->count < MAX_KEYWORDS);
	k->keys[k->count] = key;
	k->values[k->count++] = value;
}

void
pg_check_dsn(const char *dsn)
{
	char *why = NULL;
	PQconninfoOption *options = PQconninfoParse(dsn, &why);

	/* A URI that cannot be parsed is quoted in libpq's sentence: not its password. */
	if (options == NULL && strchr(dsn, '@') != NULL)
		why = NULL;
	if (options == NULL)
		die("ONRUSH_PG_DSN: must be a connection string of libpq, such as "
		    "\"host=db dbname=onrush user=onrush\" or "
		    "postgresql://user@host/db.%s%s",
		    why != NULL ? " " : "", why != NULL ? why : "");
	PQconninfoFree(options);
}

bool
pg_send_setup(PGconn *conn, int64_t timeout_us)
{
	char statement[16], lock[16], idle[16];
	const char *values[] = { statement, lock, idle };
	/* Less than the caller's patience, so that the server's answer comes first. */
	int statement_ms = (int)(timeout_us / CLOCK_US_PER_MS * 3 / 4);
	int lock_ms = statement_ms / 2;

	if (statement_ms < 1)
		statement_ms = 1;
	if (lock_ms > LOCK_TIMEOUT_MS)
		lock_ms = LOCK_TIMEOUT_MS;
	if (lock_ms < 1)
		lock_ms = 1;
	snprintf(statement, sizeof(statement), "%d", statement_ms);
	snprintf(lock, sizeof(lock), "%d", lock_ms);
	snprintf(idle, sizeof(idle), "%d", IDLE_IN_TRANSACTION_MS);
	return PQsendQueryParams(conn, setup_sql, 3, NULL, values, NULL, NULL, 0) == 1 &&
	       PQpipelineSync(conn) == 1;
}

bool
pg_setup_valid(const PGresult *result)
{
	if (PQresultStatus(result) != PGRES_TUPLES_OK) {
		log_error("PostgreSQL refused the session settings: %s",
		    PQresultErrorMessage(result));
		return false;
	}
	if (str_eq(pg_str(result, 0, 0), STR("off"))) {
		log_error("synchronous_commit is off for this role or database; "
			  "it must be on, or a committed answer could be lost");
		return false;
	}
	return true;
}

enum err
pg_classify(const char *sqlstate)
{
	static const struct {
		const char *prefix;
		enum err err;
	} table[] = {
		{ "40003", ERR_UNKNOWN_OUTCOME }, /* statement completion unknown */
		{ "40", ERR_CONFLICT_RETRY },     /* serialization, deadlock */
		{ "55P03", ERR_CONFLICT_RETRY },  /* lock timeout */
		{ "57014", ERR_CONFLICT_RETRY },  /* statement timeout */
		{ "26000", ERR_CONFLICT_RETRY },  /* prepared statement is gone */
		{ "08", ERR_UNAVAILABLE },        /* connection */
		{ "25006", ERR_UNAVAILABLE },     /* read only: a standby */
		{ "25P03", ERR_UNAVAILABLE },     /* idle in transaction for too long */
		{ "53", ERR_UNAVAILABLE },        /* memory, disk, connections */
		{ "57", ERR_UNAVAILABLE },        /* shutdown, starting up */
		{ "58", ERR_UNAVAILABLE },        /* I/O error */
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (strncmp(sqlstate, table[i].prefix, strlen(table[i].prefix)) == 0)
			return table[i].err;
	return ERR_INTERNAL;
}

bool
pg_is_stale(const char *sqlstate)
{
	/* 0A000 is what a statement gets whose result changed with a migration. */
	return strcmp(sqlstate, "26000") == 0 || strcmp(sqlstate, "0A000") == 0 ||
	       strcmp(sqlstate, "25006") == 0;
}

void
pg_copy_message(char *out, size_t size, const char *message)
{
	size_t n = strlen(message);

	while (n > 0 && message[n - 1] == '\n')
		n--;
	if (n > size - 1)
		n = size - 1;
	memcpy(out, message, n);
	out[n] = '\0';
}

static void
on_notice(void *arg, const PGresult *notice)
{
	bool *standby_cut = arg;
	const char *text = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
	const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);

	if (is_standby_cut(notice))
		*standby_cut = true;
	/* Without a severity it is libpq's own remark. */
	if (severity == NULL || strcmp(severity, "WARNING") == 0)
		log_warn("PostgreSQL: %s", text != NULL ? text : "(no message)");
	else
		log_debug("PostgreSQL: %s", text != NULL ? text : "(no message)");
}

/* By the server's source file, because the message is in the server's language. */
static bool
is_standby_cut(const PGresult *notice)
{
	const char *file = PQresultErrorField(notice, PG_DIAG_SOURCE_FILE);

	return file != NULL && strcmp(file, "syncrep.c") == 0;
}

/* --- prepared statements -------------------------------------------------------------
 */

bool
pg_prepared_has(const struct pg_prepared *p, const struct pg_stmt *stmt)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->stmts[i] == stmt)
			return true;
	return false;
}

void
pg_prepared_add(struct pg_prepared *p, const struct pg_stmt *stmt)
{
	if (p->count == p->cap) {
		p->cap = p->cap == 0 ? 16 : p->cap * 2;
		p->stmts = xrealloc(p->stmts, p->cap * sizeof(p->stmts[0]));
	}
	p->stmts[p->count++] = stmt;
}

void
pg_prepared_remove(struct pg_prepared *p, const struct pg_stmt *stmt)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->stmts[i] == stmt)
			p->stmts[i--] = p->stmts[--p->count];
}

void
pg_prepared_fini(struct pg_prepared *p)
{
	free(p->stmts);
	*p = (struct pg_prepared){ 0 };
}
