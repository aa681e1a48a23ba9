/*
 * Below pgsync: one libpq connection in pipeline mode, driven by poll(2) up to a
 * deadline. It knows results and their order, not statements or transactions.
 */
#ifndef ONRUSH_STORE_PGSYNC_LINK_H
#define ONRUSH_STORE_PGSYNC_LINK_H

#include "store/pg_impl.h"

struct pgsync_link {
	struct pg_names names;       /* of the dsn */
	PGconn *conn;                /* owned; NULL: not connected */
	struct pg_prepared prepared; /* on conn */
	int64_t due_us;              /* monotonic; when waiting ends */
	bool standby_cut;            /* see pg_open */
	int at;                      /* the caller's number of what is being read */
	/* The first error that the server reported since link_start. */
	enum err failure; /* ERR_OK: none */
	int failed_at;    /* the value of `at` then */
	char sqlstate[6];
	char message[512];
};

void link_init(struct pgsync_link *link, const char *dsn);
void link_fini(struct pgsync_link *link);

/* Begins a call that may take timeout_us: forgets the last failure. */
void link_start(struct pgsync_link *link, int64_t timeout_us);

/* Connects and sets the session up. False: not connected, link->message says why. */
bool link_open(struct pgsync_link *link, const char *dsn, const char *note,
    int64_t timeout_us) MUST_USE;
void link_close(struct pgsync_link *link);
/* False if there is no connection or the server has closed it. */
bool link_is_alive(struct pgsync_link *link);

/* Sends what libpq holds and reads until PQgetResult would not block; false when the
 * deadline has passed. */
bool link_wait(struct pgsync_link *link) MUST_USE;
/* One result (the caller's to clear; an error of the server has been noted) and the NULL
 * behind it. False: the connection is of no use any more. */
bool link_read(struct pgsync_link *link, PGresult **result) MUST_USE;
/* The answer to a sync. */
bool link_read_sync(struct pgsync_link *link) MUST_USE;

/* Notes an error result, if it is the first. */
void link_note_failure(struct pgsync_link *link, const PGresult *result);
/* Sets the message, unless the server has said something better. */
void link_note(struct pgsync_link *link, const char *why);

#endif
