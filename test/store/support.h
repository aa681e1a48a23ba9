/*
 * What the store tests share: where the servers are, and a peer that misbehaves.
 */
#ifndef ONRUSH_TEST_STORE_SUPPORT_H
#define ONRUSH_TEST_STORE_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <stdbool.h>

#include "app/loop.h"
#include "base/clock.h"
#include "store/pgsync.h"

/* Of clients in tests that are about something else. */
#define TIMEOUT_US (10 * CLOCK_US_PER_SEC)
/* What must not last forever ends long before, even on a machine that stands still for a
 * while. */
#define FOREVER_US (15 * CLOCK_US_PER_SEC)

/* Of the environment; the program ends with a sentence when it is not set. */
const char *test_pg_dsn(void);
const char *test_redis_url(void);

/* Runs one statement on its own connection; fails the test if that fails. */
void admin(const char *sql);
/* The first column of the only row, as a number. */
int64_t admin_i64(const char *sql);
/* Asks until sql gives `want`; fails the test after 30 seconds. */
void admin_until(const char *sql, int64_t want);
/* From now on every commit waits for a standby that does not exist. */
void want_standby(void);

/*
 * A TCP peer on a port of its own, served by a thread, one connection at a time. It
 * passes everything through to the server at host:port, but closes both sides after
 * `limit` bytes from the server. Without a host it accepts and never answers.
 */
struct peer;

struct peer *peer_new(const char *host, int port);
void peer_greet(struct peer *peer, const char *greeting); /* borrowed */
void peer_limit(struct peer *peer, int64_t limit); /* of new connections; -1: none */
int peer_accepted(const struct peer *peer);        /* connections, in all */
int peer_port(const struct peer *peer);
void peer_free(struct peer *peer);

/* Runs the loop until check(arg) is true; fails the test after 30 seconds. */
void run_until(struct loop *loop, bool (*check)(void *arg), void *arg);
/* Runs the loop for that long: to see that something does not happen. */
void run_for(struct loop *loop, int64_t us);
/* Runs the loop's jobs, and waits for nothing. */
void run_jobs(struct loop *loop);

/* Host and port of test_pg_dsn and test_redis_url. */
void pg_address(char host[64], int *port);
void redis_address(char host[64], int *port);

#endif
