/*
 * The keeper's inside: what its jobs work with. Two threads do jobs, each with a keeper
 * of its own; what they share is the leader and the metrics.
 *
 *   leader ──this copy leads──> main thread: what others wait for (relays, expiry)
 *                          └──> second thread: what may take long (rankings, checks)
 *
 * Everything here is harmless to do twice, so that a copy which has just lost the lead
 * and one which has just won it may meet.
 */
#ifndef ONRUSH_KEEPER_KEEPER_H
#define ONRUSH_KEEPER_KEEPER_H

#include "app/app.h"
#include "app/metrics.h"
#include "base/arena.h"
#include "base/clock.h"
#include "http/httpd.h"
#include "store/pgsync.h"

struct keeper_settings {
	struct app_settings app;
	struct httpd_settings httpd;
	const char *pg_dsn, *redis_url, *brokers, *topic_prefix, *instance;
	const char *coupon_address;
	int64_t expiry_us; /* an order that was not settled for so long FAILED */
	int64_t
	    reservation_us; /* a coupon's reservation without an order is given back */
	int64_t check_us;   /* between two rounds of checks */
};

struct leader;
struct deliveries;

struct keeper {
	const struct keeper_settings *settings; /* borrowed for ever */
	struct leader *leader;                  /* borrowed; of both threads */
	struct pgsync *pg;                      /* owned */
	struct arena *arena;                    /* owned; one run of a job */
	struct deliveries *deliveries;          /* owned; the main thread's */
	struct settler *settler;                /* owned; the main thread's */
	struct redsync *redis;                  /* owned; the second thread's, or NULL */
	int64_t purged_us;                      /* wall; refusals before it are gone */

	/* Set by a run of a job: */
	const char *why; /* it failed; static or in the arena */
	bool more;       /* it stopped at its limit: there is more to do */
};

/* A job's run failed with err, for this reason (a sentence for the log). */
enum err
keeper_fail(struct keeper *k, enum err err, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same for the database's reason. */
enum err keeper_fail_sql(struct keeper *k, enum err err);

/* Empty parameters in the arena. */
struct pg_params *keeper_params(struct keeper *k);
/* Runs what was queued; an error is noted for the log. */
enum err keeper_sql(struct keeper *k) MUST_USE;

#endif
