/*
 * Between pgpool.c (statements, queue, outcomes) and pgpool_conn.c (one connection).
 *
 *   pgpool ──owns──> conns[] ── sent: units in the order of their answers
 *      │
 *      ├─ queue: units that no connection has room for
 *      ├─ failed: units that end at the end of this turn
 *      └─ spare: units to be used again
 */
#ifndef ONRUSH_STORE_PGPOOL_IMPL_H
#define ONRUSH_STORE_PGPOOL_IMPL_H

#include <stdatomic.h>
#include <sys/queue.h>

#include "store/pg_impl.h"
#include "store/pgpool.h"

struct pgpool_conn;

/* A statement under way, in its own transaction. */
struct pgpool_unit {
	TAILQ_ENTRY(pgpool_unit) link; /* in one of the lists above */
	struct loop_wait wait;         /* its deadline, from queued to synced */
	struct pgpool *pool;           /* borrowed */
	struct pgpool_conn *conn;      /* borrowed; NULL: not sent */
	const struct pg_stmt *stmt;    /* borrowed, static; NULL: the session set-up */
	pgpool_cb *cb;
	void *arg;        /* the caller's */
	bool preparing;   /* the answer to PREPARE comes first */
	enum err err;     /* what the answers said so far */
	PGresult *result; /* owned; also of the error */
	int count;
	const char *values[PG_MAX_PARAMS]; /* while queued: point into texts */
	char *texts;                       /* owned */
};

TAILQ_HEAD(pgpool_units, pgpool_unit);

enum pgpool_state {
	CONN_DOWN,       /* the timer will connect */
	CONN_RESOLVING,  /* the timer asks whether the names have been looked up */
	CONN_CONNECTING, /* PQconnectPoll; the timer runs its steps and its deadline */
	CONN_SETUP,      /* the session set-up is the only unit */
	CONN_READY,
	CONN_RETIRING, /* stale: takes no more units, is closed after the last */
	CONN_BROKEN,   /* the timer will close it, outside of its own callbacks */
};

struct pgpool_conn {
	struct pgpool *pool; /* borrowed */
	enum pgpool_state state;
	struct pg_names names;       /* of the dsn */
	PGconn *pg;                  /* owned; NULL when down */
	struct loop_io *io;          /* owned; on pg's socket */
	struct loop_timer *timer;    /* owned */
	struct pg_prepared prepared; /* on pg, or on the way there */
	struct pgpool_units sent;
	size_t in_flight;         /* units of sent, but for setup */
	struct pgpool_unit setup; /* the session set-up */
	bool standby_cut;         /* see pg_open */
	int64_t due_us;           /* of connecting */
	int64_t backoff_us;       /* before the next attempt */
};

struct pgpool {
	struct loop *loop; /* borrowed */
	struct pgpool_conf conf;
	struct pgpool_conn *conns; /* owned; conf.conns of them */
	struct loop_waits *waits;  /* owned; of the units */
	struct pgpool_units queue, failed, spare;
	struct loop_job fail_job; /* ends what is in failed */
	struct loop_job free_job;
	/* Written by the loop's thread, read by any. */
	_Atomic size_t ready;  /* connections that take units */
	_Atomic size_t sent;   /* units in flight */
	_Atomic size_t queued; /* units in queue */
};

/* --- pgpool_conn.c -------------------------------------------------------------------
 */

void pgpool_conn_init(struct pgpool_conn *c, struct pgpool *pool);
void pgpool_conn_fini(struct pgpool_conn *c); /* its units end with ERR_DRAINING */

/* Takes another unit. */
bool pgpool_conn_has_room(const struct pgpool_conn *c);
/* Sends a unit; its parameters are not needed any more. */
void pgpool_conn_send(
    struct pgpool_conn *c, struct pgpool_unit *unit, const char *const *values);
/* Gives the connection up: it is closed in the next turn, and what was sent on it ends
 * with ERR_UNKNOWN_OUTCOME. */
void pgpool_conn_break(struct pgpool_conn *c, const char *why);

/* --- pgpool.c ------------------------------------------------------------------------
 */

/* Calls back and recycles the unit, which is in no list any more. */
void pgpool_unit_end(struct pgpool_unit *unit, enum err err);
/* A connection has room, or one less is ready. */
void pgpool_move_queue(struct pgpool *pool);

#endif
