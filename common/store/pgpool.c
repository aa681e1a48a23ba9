/*
 * The pool: takes statements, hands each to the connection with the fewest in flight or
 * queues it, and gives each its one outcome. It knows nothing of sockets: a connection's
 * life is in pgpool_conn.c, the objects and their lists are in pgpool_impl.h.
 *
 * While no connection is ready nothing waits: what cannot be sent to anyone ends with
 * ERR_UNAVAILABLE at once, so that an outage is a fast answer and not a full queue.
 */
#include "store/pgpool.h"

#include <stdlib.h>
#include <string.h>

#include "store/pgpool_impl.h"

static struct pgpool_conn *pick(struct pgpool *pool);
static struct pgpool_unit *take_unit(struct pgpool *pool);
static void enqueue(struct pgpool *pool, struct pgpool_unit *unit);
static void copy_values(struct pgpool_unit *unit, const struct pg_params *params);
static void fail_later(struct pgpool_unit *unit, enum err err);
static void run_failed(struct loop_job *job);
static void on_deadline(struct loop_wait *wait);
static void end_all(struct pgpool_units *units, enum err err);
static void run_free(struct loop_job *job);

struct pgpool *
pgpool_new(struct loop *loop, const struct pgpool_conf *conf)
{
	struct pgpool *pool = xcalloc(1, sizeof(*pool));

	ASSERT(conf->conns > 0 && conf->max_in_flight > 0 && conf->timeout_us > 0);
	pg_check_dsn(conf->dsn);
	pool->loop = loop;
	pool->conf = *conf;
	pool->waits = loop_waits_new(loop, conf->timeout_us, on_deadline);
	TAILQ_INIT(&pool->queue);
	TAILQ_INIT(&pool->failed);
	TAILQ_INIT(&pool->spare);
	pool->fail_job.run = run_failed;
	pool->free_job.run = run_free;
	pool->conns = xcalloc(conf->conns, sizeof(pool->conns[0]));
	for (size_t i = 0; i < conf->conns; i++)
		pgpool_conn_init(&pool->conns[i], pool);
	return pool;
}

void
pgpool_free(struct pgpool *pool)
{
	if (pool == NULL)
		return;
	for (size_t i = 0; i < pool->conf.conns; i++)
		pgpool_conn_fini(&pool->conns[i]);
	atomic_store(&pool->queued, 0);
	end_all(&pool->queue, ERR_DRAINING);
	end_all(&pool->failed, ERR_DRAINING);
	/* Not now: fail_job may still be in the loop's list. */
	loop_defer(pool->loop, &pool->free_job);
}

void
pgpool_exec(struct pgpool *pool, const struct pg_stmt *stmt,
    const struct pg_params *params, pgpool_cb *cb, void *arg)
{
	struct pgpool_conn *conn = TAILQ_EMPTY(&pool->queue) ? pick(pool) : NULL;
	struct pgpool_unit *unit = take_unit(pool);

	unit->stmt = stmt;
	unit->cb = cb;
	unit->arg = arg;
	unit->count = params == NULL ? 0 : params->count;
	if (conn != NULL) {
		loop_wait_start(pool->waits, &unit->wait);
		pgpool_conn_send(conn, unit, params == NULL ? NULL : params->values);
	} else if (pool->ready == 0) {
		fail_later(unit, ERR_UNAVAILABLE);
	} else if (pool->queued >= pool->conf.max_queue) {
		fail_later(unit, ERR_OVERLOAD);
	} else {
		copy_values(unit, params);
		enqueue(pool, unit);
	}
}

bool
pgpool_is_up(const struct pgpool *pool)
{
	return pool->ready > 0;
}

void
pgpool_stats(const struct pgpool *pool, size_t *conns, size_t *in_flight, size_t *queued)
{
	*conns = pool->ready;
	*in_flight = pool->sent;
	*queued = pool->queued;
}

/* --- for the connections -------------------------------------------------------------
 */

void
pgpool_unit_end(struct pgpool_unit *unit, enum err err)
{
	struct pgpool *pool = unit->pool;
	const char *sqlstate = "";

	loop_wait_stop(&unit->wait);
	if (err == ERR_INTERNAL)
		sqlstate = PQresultErrorField(unit->result, PG_DIAG_SQLSTATE);
	unit->cb(unit->arg, err,
	    err == ERR_OK || err == ERR_INTERNAL ? unit->result : NULL, sqlstate);
	PQclear(unit->result);
	free(unit->texts);
	if (unit->stmt != NULL)
		TAILQ_INSERT_HEAD(&pool->spare, unit, link);
}

void
pgpool_move_queue(struct pgpool *pool)
{
	struct pgpool_units stranded = TAILQ_HEAD_INITIALIZER(stranded);
	struct pgpool_unit *unit;
	struct pgpool_conn *conn;

	while (
	    (unit = TAILQ_FIRST(&pool->queue)) != NULL && (conn = pick(pool)) != NULL) {
		TAILQ_REMOVE(&pool->queue, unit, link);
		pool->queued--;
		pgpool_conn_send(conn, unit, unit->values);
	}
	if (pool->ready > 0)
		return;
	TAILQ_CONCAT(&stranded, &pool->queue, link);
	pool->queued = 0;
	end_all(&stranded, ERR_UNAVAILABLE);
}

static struct pgpool_conn *
pick(struct pgpool *pool)
{
	struct pgpool_conn *best = NULL;

	for (size_t i = 0; i < pool->conf.conns; i++) {
		struct pgpool_conn *c = &pool->conns[i];

		if (pgpool_conn_has_room(c) &&
		    (best == NULL || c->in_flight < best->in_flight))
			best = c;
	}
	return best;
}

static struct pgpool_unit *
take_unit(struct pgpool *pool)
{
	struct pgpool_unit *unit = TAILQ_FIRST(&pool->spare);

	if (unit == NULL)
		unit = xmalloc(sizeof(*unit));
	else
		TAILQ_REMOVE(&pool->spare, unit, link);
	*unit = (struct pgpool_unit){ .pool = pool };
	return unit;
}

static void
enqueue(struct pgpool *pool, struct pgpool_unit *unit)
{
	loop_wait_start(pool->waits, &unit->wait);
	TAILQ_INSERT_TAIL(&pool->queue, unit, link);
	pool->queued++;
}

/* The caller's arena lives until the callback, but the caller may reuse its params. */
static void
copy_values(struct pgpool_unit *unit, const struct pg_params *params)
{
	size_t size = 0;
	char *at;

	if (unit->count == 0)
		return;
	for (int i = 0; i < unit->count; i++)
		if (params->values[i] != NULL)
			size += strlen(params->values[i]) + 1;
	at = unit->texts = xmalloc(size);
	for (int i = 0; i < unit->count; i++) {
		unit->values[i] = params->values[i] == NULL ? NULL : at;
		if (params->values[i] != NULL)
			at = stpcpy(at, params->values[i]) + 1;
	}
}

/* A callback never runs before pgpool_exec has returned. */
static void
fail_later(struct pgpool_unit *unit, enum err err)
{
	unit->err = err;
	TAILQ_INSERT_TAIL(&unit->pool->failed, unit, link);
	loop_defer(unit->pool->loop, &unit->pool->fail_job);
}

static void
run_failed(struct loop_job *job)
{
	struct pgpool *pool = CONTAINER_OF(job, struct pgpool, fail_job);
	struct pgpool_unit *unit;

	while ((unit = TAILQ_FIRST(&pool->failed)) != NULL) {
		TAILQ_REMOVE(&pool->failed, unit, link);
		pgpool_unit_end(unit, unit->err);
	}
}

static void
on_deadline(struct loop_wait *wait)
{
	struct pgpool_unit *unit = CONTAINER_OF(wait, struct pgpool_unit, wait);

	if (unit->conn != NULL) {
		pgpool_conn_break(unit->conn, "a statement was not answered in time");
		return;
	}
	TAILQ_REMOVE(&unit->pool->queue, unit, link);
	unit->pool->queued--;
	pgpool_unit_end(unit, ERR_UNAVAILABLE);
}

static void
end_all(struct pgpool_units *units, enum err err)
{
	struct pgpool_unit *unit;

	while ((unit = TAILQ_FIRST(units)) != NULL) {
		TAILQ_REMOVE(units, unit, link);
		pgpool_unit_end(unit, err);
	}
}

static void
run_free(struct loop_job *job)
{
	struct pgpool *pool = CONTAINER_OF(job, struct pgpool, free_job);
	struct pgpool_unit *unit;

	/* Callbacks of the end may have tried again. */
	end_all(&pool->failed, ERR_DRAINING);
	while ((unit = TAILQ_FIRST(&pool->spare)) != NULL) {
		TAILQ_REMOVE(&pool->spare, unit, link);
		free(unit);
	}
	loop_waits_free(pool->waits);
	free(pool->conns);
	free(pool);
}
