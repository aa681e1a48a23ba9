#include "pgpool_fixture.h"

#include <stdio.h>
#include <stdlib.h>

const struct pg_stmt insert = { "insert", "INSERT INTO t VALUES ($1, $2)" };
const struct pg_stmt insert_two = { "insert_two",
	"INSERT INTO t VALUES ($1, $2), ($1 + 1, $2)" };
const struct pg_stmt sleep_ms = { "sleep", "SELECT pg_sleep($1::float8 / 1000)" };
const struct pg_stmt one = { "one", "SELECT 1" };
const struct pg_stmt no_limit = { "no_limit", "SET statement_timeout = 0" };

int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	admin("DROP TABLE IF EXISTS t;"
	      "CREATE TABLE t (id bigint PRIMARY KEY, note text,"
	      " UNIQUE (note) DEFERRABLE INITIALLY DEFERRED)");
	f->loop = loop_new();
	f->arena = arena_new();
	f->conf = (struct pgpool_conf){
		.dsn = test_pg_dsn(),
		.role_note = "pool",
		.conns = 2,
		.max_in_flight = 64,
		.max_queue = 1000,
		.timeout_us = TIMEOUT_US,
	};
	*state = f;
	return 0;
}

int
tear_down(void **state)
{
	struct fixture *f = *state;

	pgpool_free(f->pool);
	loop_free(f->loop);
	arena_free(f->arena);
	free(f);
	admin_until("SELECT count(*) FROM pg_stat_activity WHERE" OURS, 0);
	return 0;
}

bool
all_up(void *arg)
{
	struct fixture *f = arg;
	size_t conns, in_flight, queued;

	pgpool_stats(f->pool, &conns, &in_flight, &queued);
	return conns == f->conf.conns && pgpool_is_up(f->pool);
}

bool
none_up(void *arg)
{
	struct fixture *f = arg;

	return !pgpool_is_up(f->pool);
}

void
open_pool(struct fixture *f)
{
	f->pool = pgpool_new(f->loop, &f->conf);
	assert_false(pgpool_is_up(f->pool));
	run_until(f->loop, all_up, f);
}

static void
on_result(void *arg, enum err err, const struct pg_result *result, const char *sqlstate)
{
	struct call *call = arg;

	assert_int_equal(call->err, ERR_COUNT);
	call->err = err;
	call->order = ++call->f->ended;
	snprintf(call->sqlstate, sizeof(call->sqlstate), "%s", sqlstate);
	if (err == ERR_OK) {
		assert_non_null(result);
		call->value = pg_rows(result) > 0 ? 1 : pg_affected(result);
	} else if (err != ERR_INTERNAL) {
		assert_null(result);
	}
}

struct call *
exec(struct fixture *f, const struct pg_stmt *stmt, const struct pg_params *params)
{
	struct call *call = &f->calls[f->made++];

	assert_true(f->made <= MAX_CALLS);
	*call = (struct call){ .f = f, .err = ERR_COUNT };
	pgpool_exec(f->pool, stmt, params, on_result, call);
	assert_int_equal(call->err, ERR_COUNT);
	return call;
}

struct call *
exec_i64(struct fixture *f, const struct pg_stmt *stmt, int64_t value)
{
	struct pg_params p;

	pg_params_init(&p, f->arena);
	pg_add_i64(&p, value);
	return exec(f, stmt, &p);
}

struct call *
exec_insert(struct fixture *f, const struct pg_stmt *stmt, int64_t id, const char *note)
{
	struct pg_params p;

	pg_params_init(&p, f->arena);
	pg_add_i64(&p, id);
	pg_add_str(&p, str_of(note));
	return exec(f, stmt, &p);
}

static bool
all_ended(void *arg)
{
	struct fixture *f = arg;

	return f->ended == f->made;
}

void
finish(struct fixture *f)
{
	size_t conns, in_flight, queued;

	run_until(f->loop, all_ended, f);
	pgpool_stats(f->pool, &conns, &in_flight, &queued);
	assert_int_equal(in_flight, 0);
	assert_int_equal(queued, 0);
}
