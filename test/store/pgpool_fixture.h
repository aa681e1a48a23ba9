/* The pool under test, its calls, and its table t (id bigint primary key, note text
 * unique at commit). */
#ifndef ONRUSH_TEST_STORE_PGPOOL_FIXTURE_H
#define ONRUSH_TEST_STORE_PGPOOL_FIXTURE_H

#include "support.h"

#include "base/clock.h"
#include "store/pgpool.h"

#define SHORT_US (3 * CLOCK_US_PER_SEC) /* for who waits until it has passed */
#define COUNT_T  "SELECT count(*) FROM t"
#define OURS     " application_name = 'onrush-pool'"

enum {
	MAX_CALLS = 4096
};

struct fixture;

struct call {
	struct fixture *f;
	enum err err; /* ERR_COUNT: not called back yet */
	int64_t value;
	char sqlstate[6];
	int order; /* of the callbacks, from 1 */
};

struct fixture {
	struct loop *loop;
	struct pgpool *pool;
	struct arena *arena;
	struct pgpool_conf conf;
	struct call calls[MAX_CALLS];
	int made, ended;
};

/* insert_two fails when it commits: its notes are the same. */
extern const struct pg_stmt insert, insert_two, sleep_ms, one, no_limit;

int set_up(void **state);
int tear_down(void **state);

/* Makes the pool of f->conf and waits until all its connections are ready. */
void open_pool(struct fixture *f);
bool all_up(void *fixture);
bool none_up(void *fixture);

/* Each takes the next of f->calls. */
struct call *
exec(struct fixture *f, const struct pg_stmt *stmt, const struct pg_params *params);
struct call *exec_i64(struct fixture *f, const struct pg_stmt *stmt, int64_t value);
struct call *
exec_insert(struct fixture *f, const struct pg_stmt *stmt, int64_t id, const char *note);
/* Runs the loop until all have been called back. */
void finish(struct fixture *f);

#endif
