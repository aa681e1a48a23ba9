#include "pgsync_fixture.h"

#include <stdlib.h>

const struct pg_stmt sleep_long = { "sleep_long", "SELECT pg_sleep(30)" };
const struct pg_stmt no_limit = { "no_limit", "SET statement_timeout = 0" };

static const struct pg_stmt insert = { "insert", "INSERT INTO t VALUES ($1, $2)" };
static const struct pg_stmt my_pid = { "my_pid", "SELECT pg_backend_pid()" };

int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	admin("DROP TABLE IF EXISTS t;"
	      "CREATE TABLE t (id bigint PRIMARY KEY, note text,"
	      " UNIQUE (note) DEFERRABLE INITIALLY DEFERRED)");
	f->pg = pgsync_new(test_pg_dsn(), "test", TIMEOUT_US);
	f->arena = arena_new();
	*state = f;
	return 0;
}

int
tear_down(void **state)
{
	struct fixture *f = *state;

	pgsync_free(f->pg);
	arena_free(f->arena);
	free(f);
	return 0;
}

void
queue_insert(struct fixture *f, int64_t id, const char *note)
{
	struct pg_params *p = ARENA_NEW(f->arena, struct pg_params);

	pg_params_init(p, f->arena);
	pg_add_i64(p, id);
	pg_add_str(p, str_of(note));
	pgsync_queue(f->pg, &insert, p);
}

int64_t
backend_pid(struct fixture *f)
{
	pgsync_queue(f->pg, &my_pid, NULL);
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	return pg_i64(pgsync_result(f->pg, 0), 0, 0);
}
