/*
 * One connection of the pool, from connecting to closing.
 *
 *   DOWN ─> RESOLVING ─> CONNECTING ─> SETUP ─> READY ─> RETIRING
 *    ^          │            │           │        │         │
 *    └──────────┴── BROKEN <─┴───────────┴────────┴─────────┘    after a back-off
 *
 * Each unit is [PREPARE] EXECUTE SYNC; its outcome counts when the sync is answered. A
 * failure anywhere, a wrong answer or a missed deadline breaks the connection: the timer
 * then closes it outside of its own callbacks, and all that was sent on it is unknown.
 */
#include "store/pgpool_impl.h"

#include <stdlib.h>
#include <string.h>

#include "app/log.h"
#include "base/clock.h"

#define CONNECT_US     (6 * CLOCK_US_PER_SEC)
#define BACKOFF_MIN_US (50 * CLOCK_US_PER_MS)
#define BACKOFF_MAX_US (2 * CLOCK_US_PER_SEC)

static void enter(struct pgpool_conn *c, enum pgpool_state state);
static void on_timer(void *arg);
static void on_io(void *arg, unsigned ready);
static void start_resolving(struct pgpool_conn *c);
static void step_resolving(struct pgpool_conn *c);
static void start_connecting(struct pgpool_conn *c);
static void step_connecting(struct pgpool_conn *c);
static void want_connecting(struct pgpool_conn *c, PostgresPollingStatusType status);
static void start_setup(struct pgpool_conn *c);
static pgpool_cb on_setup;
static bool read_results(struct pgpool_conn *c);
static bool take_result(struct pgpool_conn *c, PGresult *result);
static bool take_error(
    struct pgpool_conn *c, struct pgpool_unit *unit, PGresult *result, bool preparing);
static void end_unit(struct pgpool_conn *c);
static void flush(struct pgpool_conn *c);
static void close_conn(struct pgpool_conn *c, enum err err);

void
pgpool_conn_init(struct pgpool_conn *c, struct pgpool *pool)
{
	c->pool = pool;
	c->state = CONN_DOWN;
	TAILQ_INIT(&c->sent);
	c->backoff_us = BACKOFF_MIN_US;
	pg_names_init(&c->names, pool->conf.dsn);
	c->timer = loop_timer_new(pool->loop, on_timer, c);
	loop_timer_set(c->timer, 0);
}

void
pgpool_conn_fini(struct pgpool_conn *c)
{
	enter(c, CONN_DOWN);
	close_conn(c, ERR_DRAINING);
	loop_timer_free(c->timer);
	c->timer = NULL;
	pg_names_fini(&c->names);
}

bool
pgpool_conn_has_room(const struct pgpool_conn *c)
{
	return c->state == CONN_READY && c->in_flight < c->pool->conf.max_in_flight;
}

void
pgpool_conn_send(
    struct pgpool_conn *c, struct pgpool_unit *unit, const char *const *values)
{
	const struct pg_stmt *stmt = unit->stmt;
	bool sent = true;

	unit->conn = c;
	TAILQ_INSERT_TAIL(&c->sent, unit, link);
	c->in_flight++;
	c->pool->sent++;
	if (!pg_prepared_has(&c->prepared, stmt)) {
		pg_prepared_add(&c->prepared, stmt);
		unit->preparing = true;
		sent = PQsendPrepare(c->pg, stmt->name, stmt->sql, 0, NULL) == 1;
	}
	sent = sent && PQsendQueryPrepared(
			   c->pg, stmt->name, unit->count, values, NULL, NULL, 0) == 1;
	if (sent && PQpipelineSync(c->pg) == 1)
		flush(c);
	else
		pgpool_conn_break(c, PQerrorMessage(c->pg));
}

void
pgpool_conn_break(struct pgpool_conn *c, const char *why)
{
	int line = (int)strcspn(why, "\n"); /* libpq goes on with guesses */

	if (c->state == CONN_BROKEN)
		return;
	/* Once per outage: the attempts that follow fail for the same reason. */
	if (c->backoff_us == BACKOFF_MIN_US)
		log_warn("PostgreSQL connection lost: %.*s", line, why);
	else
		log_debug("PostgreSQL connection lost: %.*s", line, why);
	if (c->state != CONN_READY && c->state != CONN_RETIRING)
		c->names.failures++;
	enter(c, CONN_BROKEN);
	if (c->io != NULL)
		loop_io_want(c->io, 0);
	loop_timer_set(c->timer, 0);
}

/* The one place that changes the state. */
static void
enter(struct pgpool_conn *c, enum pgpool_state state)
{
	if (c->state == CONN_READY)
		c->pool->ready--;
	if (state == CONN_READY)
		c->pool->ready++;
	c->state = state;
}

static void
on_timer(void *arg)
{
	struct pgpool_conn *c = arg;

	switch (c->state) {
	case CONN_DOWN: start_resolving(c); return;
	case CONN_RESOLVING: step_resolving(c); return;
	case CONN_CONNECTING: step_connecting(c); return;
	case CONN_SETUP: pgpool_conn_break(c, "the session set-up took too long"); return;
	case CONN_READY:
	case CONN_RETIRING: return;
	case CONN_BROKEN:
		enter(c, CONN_DOWN);
		close_conn(c, ERR_UNKNOWN_OUTCOME);
		loop_timer_set(c->timer, c->backoff_us);
		c->backoff_us *= 2;
		if (c->backoff_us > BACKOFF_MAX_US)
			c->backoff_us = BACKOFF_MAX_US;
		pgpool_move_queue(c->pool);
		return;
	}
	UNREACHABLE();
}

static void
on_io(void *arg, unsigned ready)
{
	struct pgpool_conn *c = arg;
	bool open = true;

	switch (c->state) {
	case CONN_CONNECTING:
		/* The step replaces the io, which must not happen in its callback. */
		loop_io_want(c->io, 0);
		loop_timer_set(c->timer, 0);
		return;
	case CONN_SETUP:
	case CONN_READY:
	case CONN_RETIRING:
		if (ready & LOOP_READ)
			open = PQconsumeInput(c->pg) == 1;
		/* Also after the end: answers may have come before it. */
		if (!read_results(c) || !open)
			pgpool_conn_break(c, PQerrorMessage(c->pg));
		else if (c->state != CONN_BROKEN)
			flush(c);
		return;
	case CONN_DOWN:
	case CONN_RESOLVING:
	case CONN_BROKEN: return;
	}
	UNREACHABLE();
}

/* --- connecting ----------------------------------------------------------------------
 */

static void
start_resolving(struct pgpool_conn *c)
{
	pg_names_start(&c->names);
	enter(c, CONN_RESOLVING);
	step_resolving(c);
}

static void
step_resolving(struct pgpool_conn *c)
{
	const char *why;

	if (!pg_names_done(&c->names))
		loop_timer_set(c->timer, RESOLVE_POLL_US);
	else if (pg_names_take(&c->names, &why))
		start_connecting(c);
	else
		pgpool_conn_break(c, why);
}

static void
start_connecting(struct pgpool_conn *c)
{
	const struct pgpool_conf *conf = &c->pool->conf;

	c->due_us = loop_now_us(c->pool->loop) + CONNECT_US;
	c->pg =
	    pg_open(conf->dsn, conf->role_note, CONNECT_US, &c->names, &c->standby_cut);
	enter(c, CONN_CONNECTING);
	if (PQstatus(c->pg) == CONNECTION_BAD)
		pgpool_conn_break(c, PQerrorMessage(c->pg));
	else
		want_connecting(c, PGRES_POLLING_WRITING);
}

static void
step_connecting(struct pgpool_conn *c)
{
	PostgresPollingStatusType status;

	if (loop_now_us(c->pool->loop) >= c->due_us) {
		pgpool_conn_break(c, "connecting took too long");
		return;
	}
	/* The step may close the socket and open another one under the same number. */
	loop_io_free(c->io);
	c->io = NULL;
	status = PQconnectPoll(c->pg);
	if (status == PGRES_POLLING_FAILED)
		pgpool_conn_break(c, PQerrorMessage(c->pg));
	else if (status == PGRES_POLLING_OK)
		start_setup(c);
	else
		want_connecting(c, status);
}

static void
want_connecting(struct pgpool_conn *c, PostgresPollingStatusType status)
{
	c->io = loop_io_new(c->pool->loop, PQsocket(c->pg), LOOP_ANSWERS, on_io, c);
	loop_io_want(c->io, status == PGRES_POLLING_READING ? LOOP_READ : LOOP_WRITE);
	loop_timer_set(c->timer, c->due_us - loop_now_us(c->pool->loop));
}

/* The session set-up is a unit like others, but of nobody's and with connecting's
 * deadline. */
static void
start_setup(struct pgpool_conn *c)
{
	c->io = loop_io_new(c->pool->loop, PQsocket(c->pg), LOOP_ANSWERS, on_io, c);
	enter(c, CONN_SETUP);
	loop_timer_set(c->timer, c->due_us - loop_now_us(c->pool->loop));
	c->setup = (struct pgpool_unit){ .pool = c->pool, .cb = on_setup, .arg = c };
	c->setup.conn = c;
	TAILQ_INSERT_TAIL(&c->sent, &c->setup, link);
	if (PQsetnonblocking(c->pg, 1) == 0 && PQenterPipelineMode(c->pg) == 1 &&
	    pg_send_setup(c->pg, c->pool->conf.timeout_us))
		flush(c);
	else
		pgpool_conn_break(c, PQerrorMessage(c->pg));
}

static void
on_setup(void *arg, enum err err, const struct pg_result *result, const char *sqlstate)
{
	struct pgpool_conn *c = arg;

	(void)sqlstate;
	if (c->state != CONN_SETUP)
		return;
	if ((err != ERR_OK && err != ERR_INTERNAL) || !pg_setup_valid(result)) {
		pgpool_conn_break(c, "the session could not be set up");
		return;
	}
	loop_timer_stop(c->timer);
	c->backoff_us = BACKOFF_MIN_US;
	c->names.failures = 0;
	enter(c, CONN_READY);
	log_info("PostgreSQL connection ready, %zu of %zu", (size_t)c->pool->ready,
	    c->pool->conf.conns);
}

/* --- answers -------------------------------------------------------------------------
 */

/* All that can be read without waiting. False: the connection is of no use any more. */
static bool
read_results(struct pgpool_conn *c)
{
	int nulls = 0;

	while (!TAILQ_EMPTY(&c->sent) && !PQisBusy(c->pg)) {
		PGresult *result = PQgetResult(c->pg);

		/* One NULL ends a statement; two say that libpq expects no more. */
		nulls = result == NULL ? nulls + 1 : 0;
		if (nulls == 2 || (result != NULL && !take_result(c, result)))
			return false;
	}
	return true;
}

/* Takes the result over. False: it is not one that may come now. */
static bool
take_result(struct pgpool_conn *c, PGresult *result)
{
	struct pgpool_unit *unit = TAILQ_FIRST(&c->sent);
	bool preparing = unit->preparing;

	unit->preparing = false;
	switch (PQresultStatus(result)) {
	case PGRES_FATAL_ERROR: return take_error(c, unit, result, preparing);
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
		if (preparing)
			break;
		PQclear(unit->result);
		unit->result = result;
		return true;
	case PGRES_PIPELINE_ABORTED: break;
	case PGRES_PIPELINE_SYNC:
		PQclear(result);
		/* A sync without an answer before it is not this unit's. */
		if (unit->result == NULL)
			return false;
		end_unit(c);
		return true;
	case PGRES_EMPTY_QUERY:
	case PGRES_COPY_OUT:
	case PGRES_COPY_IN:
	case PGRES_COPY_BOTH:
	case PGRES_BAD_RESPONSE:
	case PGRES_NONFATAL_ERROR:
	case PGRES_SINGLE_TUPLE: PQclear(result); return false;
	}
	PQclear(result);
	return true;
}

/* The first error of a unit is its outcome: the rest of the unit is skipped or, when the
 * commit itself failed, undone. */
static bool
take_error(
    struct pgpool_conn *c, struct pgpool_unit *unit, PGresult *result, bool preparing)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	/* Without a SQLSTATE it is libpq's way to say that the connection broke. */
	if (sqlstate == NULL || unit->err != ERR_OK) {
		PQclear(result);
		return sqlstate != NULL;
	}
	if (preparing)
		pg_prepared_remove(&c->prepared, unit->stmt);
	if (pg_is_stale(sqlstate) && c->state == CONN_READY)
		enter(c, CONN_RETIRING);
	unit->err = pg_classify(sqlstate);
	PQclear(unit->result);
	unit->result = result;
	return true;
}

/* The sync of the first unit has been answered. */
static void
end_unit(struct pgpool_conn *c)
{
	struct pgpool_unit *unit = TAILQ_FIRST(&c->sent);
	enum err err = c->standby_cut ? ERR_UNKNOWN_OUTCOME : unit->err;

	c->standby_cut = false;
	TAILQ_REMOVE(&c->sent, unit, link);
	if (unit != &c->setup) {
		c->in_flight--;
		c->pool->sent--;
	}
	pgpool_unit_end(unit, err);
	pgpool_move_queue(c->pool);
	if (c->state == CONN_RETIRING && c->in_flight == 0)
		pgpool_conn_break(c, "its prepared statements or its server are stale");
}

static void
flush(struct pgpool_conn *c)
{
	int unsent = PQflush(c->pg);

	if (unsent < 0)
		pgpool_conn_break(c, PQerrorMessage(c->pg));
	else
		loop_io_want(c->io, unsent == 1 ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

static void
close_conn(struct pgpool_conn *c, enum err err)
{
	struct pgpool_units lost = TAILQ_HEAD_INITIALIZER(lost);
	struct pgpool_unit *unit;

	loop_io_free(c->io);
	c->io = NULL;
	PQfinish(c->pg);
	c->pg = NULL;
	pg_prepared_fini(&c->prepared);
	/* All at once: the callbacks may already send on other connections. */
	TAILQ_CONCAT(&lost, &c->sent, link);
	c->pool->sent -= c->in_flight;
	c->in_flight = 0;
	while ((unit = TAILQ_FIRST(&lost)) != NULL) {
		TAILQ_REMOVE(&lost, unit, link);
		pgpool_unit_end(unit, err);
	}
}
