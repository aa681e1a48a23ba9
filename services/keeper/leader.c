/*
 * The lock is the session's, and pgsync opens a new session when one is lost. So the
 * session remembers that it holds the lock in a setting of its own, which a new session
 * does not have.
 */
#include "keeper/leader.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "app/log.h"
#include "app/metrics.h"
#include "base/clock.h"
#include "store/pgsync.h"

#define TIMEOUT_US (2 * CLOCK_US_PER_SEC)

struct leader {
	struct pgsync *pg;   /* owned; nothing else runs on it */
	struct gauge *gauge; /* owned by metrics */
	atomic_bool holds, connected;
};

/* 8030889 is the lock's number, for pg_locks. The server asks a leader that is silent
 * after 5 seconds whether it is there: a machine that vanished holds up nobody. */
static const struct pg_stmt hold = { "keeper_hold",
	"select case when current_setting('onrush.leads', true) = 'yes' then true"
	" when pg_try_advisory_lock(8030889) then"
	" set_config('tcp_keepalives_idle', '5', false)"
	" || set_config('tcp_keepalives_interval', '2', false)"
	" || set_config('tcp_keepalives_count', '3', false)"
	" || set_config('onrush.leads', 'yes', false) is not null"
	" else false end" };

struct leader *
leader_new(const char *pg_dsn, const char *note)
{
	struct leader *l = xcalloc(1, sizeof(*l));

	l->pg = pgsync_new(pg_dsn, note, TIMEOUT_US);
	l->gauge = gauge_new("onrush_keeper_leader",
	    "1 while this copy does the work; one of all copies has it.", NULL);
	return l;
}

void
leader_free(struct leader *l)
{
	if (l == NULL)
		return;
	pgsync_free(l->pg);
	free(l);
}

bool
leader_hold(struct leader *l)
{
	bool held = atomic_load(&l->holds), holds;
	enum err err;

	pgsync_queue(l->pg, &hold, NULL);
	err = pgsync_run(l->pg);
	holds = err == ERR_OK && pg_bool(pgsync_result(l->pg, 0), 0, 0);
	atomic_store(&l->holds, holds);
	atomic_store(&l->connected, err == ERR_OK);
	gauge_set(l->gauge, holds);
	if (holds && !held)
		log_info("this copy leads now");
	else if (held && !holds)
		log_warn("this copy leads no more: %s",
		    err == ERR_OK ? "another one has the lock" : pgsync_message(l->pg));
	return holds;
}

bool
leader_holds(const struct leader *l)
{
	return atomic_load(&l->holds);
}

bool
leader_is_connected(const struct leader *l)
{
	return atomic_load(&l->connected);
}
