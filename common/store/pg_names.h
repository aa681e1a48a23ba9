/*
 * The host names of a dsn, resolved without blocking the loop: libpq would do it within
 * PQconnectStart and PQconnectPoll and wait for the name server. What it gets instead is
 * the same list of hosts with their addresses beside them.
 */
#ifndef ONRUSH_STORE_PG_NAMES_H
#define ONRUSH_STORE_PG_NAMES_H

#include "base/buf.h"
#include "store/resolve.h"

enum {
	PG_MAX_HOSTS = 8
};

struct pg_name {
	char *host;              /* owned */
	char *port;              /* owned; "": libpq's default */
	struct resolve *resolve; /* owned; NULL: an address or a Unix socket */
};

/* All zero is a dsn without names. */
struct pg_names {
	struct pg_name names[PG_MAX_HOSTS];
	size_t count;
	/* Attempts that failed in a row: the next begins with the next host and takes the
	 * next address of each, because one that accepts and then hangs would otherwise
	 * use up every attempt. Whoever has connected sets it to 0. */
	size_t failures;
	/* After pg_names_take: libpq's comma-separated lists, NUL-terminated. */
	struct buf host, hostaddr, port;
};

/* Takes the hosts out of a dsn that PQconninfoParse accepts. None if it has no host, has
 * addresses already, or has more than PG_MAX_HOSTS: then libpq is left alone with it. */
void pg_names_init(struct pg_names *n, const char *dsn);
void pg_names_fini(struct pg_names *n);

/* Begins to look all names up, if there are any. */
void pg_names_start(struct pg_names *n);
bool pg_names_done(const struct pg_names *n);
/* Builds the lists of the hosts that have an address. False: none has, *why says why,
 * borrowed until the next start. */
bool pg_names_take(struct pg_names *n, const char **why) MUST_USE;

#endif
