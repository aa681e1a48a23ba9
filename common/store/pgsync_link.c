#include "store/pgsync_link.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"

static bool resolve_names(struct pgsync_link *link);
static bool connect_socket(
    struct pgsync_link *link, const char *dsn, const char *note, int64_t timeout_us);
static bool set_up_session(struct pgsync_link *link, int64_t timeout_us);
static bool wait_for(struct pgsync_link *link, int events);

void
link_init(struct pgsync_link *link, const char *dsn)
{
	*link = (struct pgsync_link){ 0 };
	pg_names_init(&link->names, dsn);
}

void
link_fini(struct pgsync_link *link)
{
	link_close(link);
	pg_names_fini(&link->names);
}

void
link_start(struct pgsync_link *link, int64_t timeout_us)
{
	link->due_us = clock_mono_us() + timeout_us;
	link->standby_cut = false;
	link->at = 0;
	link->failure = ERR_OK;
	link->sqlstate[0] = '\0';
	link->message[0] = '\0';
}

bool
link_open(struct pgsync_link *link, const char *dsn, const char *note, int64_t timeout_us)
{
	ASSERT(link->conn == NULL);
	if (resolve_names(link) && connect_socket(link, dsn, note, timeout_us) &&
	    set_up_session(link, timeout_us)) {
		link->names.failures = 0;
		return true;
	}
	link->names.failures++;
	link_note(link, "no usable connection in time");
	link_close(link);
	return false;
}

void
link_close(struct pgsync_link *link)
{
	PQfinish(link->conn);
	link->conn = NULL;
	pg_prepared_fini(&link->prepared);
}

bool
link_is_alive(struct pgsync_link *link)
{
	struct pollfd p = { .fd = PQsocket(link->conn), .events = POLLIN };

	/* A server that went away has left its farewell or the end of file. */
	while (PQstatus(link->conn) == CONNECTION_OK && poll(&p, 1, 0) > 0)
		if (PQconsumeInput(link->conn) == 0 || PQisBusy(link->conn))
			return false;
	return PQstatus(link->conn) == CONNECTION_OK;
}

static bool
resolve_names(struct pgsync_link *link)
{
	const char *why;

	pg_names_start(&link->names);
	while (!pg_names_done(&link->names)) {
		if (clock_mono_us() >= link->due_us)
			return false;
		poll(NULL, 0, RESOLVE_POLL_US / 1000);
	}
	if (pg_names_take(&link->names, &why))
		return true;
	link_note(link, why);
	return false;
}

static bool
connect_socket(
    struct pgsync_link *link, const char *dsn, const char *note, int64_t timeout_us)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	link->conn = pg_open(dsn, note, timeout_us, &link->names, &link->standby_cut);
	if (PQstatus(link->conn) == CONNECTION_BAD)
		return false;
	while (status != PGRES_POLLING_OK) {
		if (!wait_for(link, status == PGRES_POLLING_READING ? POLLIN : POLLOUT))
			return false;
		status = PQconnectPoll(link->conn);
		if (status == PGRES_POLLING_FAILED)
			return false;
	}
	return PQsetnonblocking(link->conn, 1) == 0 &&
	       PQenterPipelineMode(link->conn) == 1;
}

static bool
set_up_session(struct pgsync_link *link, int64_t timeout_us)
{
	PGresult *result = NULL;
	bool valid = pg_send_setup(link->conn, timeout_us) && link_read(link, &result) &&
		     link_read_sync(link);

	if (valid && !pg_setup_valid(result)) {
		link_note(link, "the session could not be set up as it must be");
		valid = false;
	}
	PQclear(result);
	return valid;
}

/* Until one of poll's events; false when the deadline has passed. */
static bool
wait_for(struct pgsync_link *link, int events)
{
	struct pollfd p = { .fd = PQsocket(link->conn), .events = (short)events };

	for (;;) {
		int64_t left_us = link->due_us - clock_mono_us();
		int ready;

		if (left_us <= 0)
			return false;
		ready = poll(&p, 1, (int)((left_us + 999) / CLOCK_US_PER_MS));
		if (ready > 0)
			return true;
		ASSERT(ready == 0 || errno == EINTR);
	}
}

bool
link_wait(struct pgsync_link *link)
{
	for (;;) {
		int unsent = PQflush(link->conn);

		/* Also after a failed write: its reason may be there to be read. */
		if (PQisBusy(link->conn) == 0)
			return true;
		if (!wait_for(link, unsent == 1 ? POLLIN | POLLOUT : POLLIN))
			return false;
		/* When this fails, PQisBusy says no and PQgetResult says why. */
		PQconsumeInput(link->conn);
	}
}

bool
link_read(struct pgsync_link *link, PGresult **result)
{
	PGresult *end;

	if (!link_wait(link))
		return false;
	*result = PQgetResult(link->conn);
	if (PQresultStatus(*result) == PGRES_FATAL_ERROR)
		link_note_failure(link, *result);
	if (*result == NULL || !link_wait(link))
		return false;
	end = PQgetResult(link->conn);
	PQclear(end);
	return end == NULL && PQstatus(link->conn) == CONNECTION_OK;
}

bool
link_read_sync(struct pgsync_link *link)
{
	/* A commit that fails (a deferred constraint) is an error, its NULL, and only
	 * then the sync. Two NULLs would mean that nothing more is to come. */
	for (int nulls = 0; nulls < 2;) {
		ExecStatusType status;
		PGresult *result;

		if (!link_wait(link))
			return false;
		result = PQgetResult(link->conn);
		status = PQresultStatus(result);
		if (status == PGRES_FATAL_ERROR)
			link_note_failure(link, result);
		nulls = result == NULL ? nulls + 1 : 0;
		PQclear(result);
		if (status == PGRES_PIPELINE_SYNC)
			return true;
		if (PQstatus(link->conn) == CONNECTION_BAD)
			return false;
	}
	return false;
}

void
link_note_failure(struct pgsync_link *link, const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	/* Without a SQLSTATE it is libpq's way to say that the connection broke. */
	if (sqlstate == NULL || link->failure != ERR_OK)
		return;
	link->failure = pg_classify(sqlstate);
	link->failed_at = link->at;
	memcpy(link->sqlstate, sqlstate, sizeof(link->sqlstate));
	pg_copy_message(
	    link->message, sizeof(link->message), PQresultErrorMessage(result));
}

void
link_note(struct pgsync_link *link, const char *why)
{
	const char *libpq = link->conn == NULL ? "" : PQerrorMessage(link->conn);

	if (link->message[0] == '\0')
		pg_copy_message(
		    link->message, sizeof(link->message), libpq[0] != '\0' ? libpq : why);
}
