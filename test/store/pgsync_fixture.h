/* The pgsync under test, its table t (id bigint primary key, note text unique at commit).
 */
#ifndef ONRUSH_TEST_STORE_PGSYNC_FIXTURE_H
#define ONRUSH_TEST_STORE_PGSYNC_FIXTURE_H

#include "support.h"

#include "base/clock.h"

#define SHORT_US (3 * CLOCK_US_PER_SEC) /* for who waits until it has passed */
#define COUNT_T  "SELECT count(*) FROM t"

struct fixture {
	struct pgsync *pg;
	struct arena *arena;
};

int set_up(void **state);
int tear_down(void **state);

void queue_insert(struct fixture *f, int64_t id, const char *note);
int64_t backend_pid(struct fixture *f);

/* They sleep for 30 s, and let a statement take that long. */
extern const struct pg_stmt sleep_long, no_limit;

#endif
