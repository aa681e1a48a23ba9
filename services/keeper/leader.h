/*
 * Which copy of the keeper works: the one whose session holds an advisory lock in the
 * database. The lock lives as long as the session, so that a copy which died, or cannot
 * reach the database, leads no more; there is nothing to expire and no clock to trust.
 */
#ifndef ONRUSH_KEEPER_LEADER_H
#define ONRUSH_KEEPER_LEADER_H

#include <stdbool.h>

struct leader;

/* Does not connect yet. */
struct leader *leader_new(const char *pg_dsn, const char *note);
void leader_free(struct leader *l); /* gives the lead up; NULL is fine */

/* Asks the database whether this copy leads, and tries to if nobody does. Blocking; one
 * thread. Logs each change. */
bool leader_hold(struct leader *l);

/* What the last leader_hold said. Any thread. */
bool leader_holds(const struct leader *l);
/* The last leader_hold reached the database. Any thread. */
bool leader_is_connected(const struct leader *l);

#endif
