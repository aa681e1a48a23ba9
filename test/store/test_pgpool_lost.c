/* The pool when connections, servers and standbys are lost. */
#include "pgpool_fixture.h"

#include <pthread.h>
#include <stdio.h>

#define KILL_OURS "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE" OURS

static void
a_missed_deadline_makes_all_that_was_sent_unknown(void **state)
{
	struct fixture *f = *state;
	int64_t begin_us;

	f->conf.conns = 1;
	f->conf.timeout_us = SHORT_US;
	open_pool(f);
	exec(f, &no_limit, NULL);
	finish(f);
	begin_us = clock_mono_us();
	exec_i64(f, &sleep_ms, 20000);
	exec_insert(f, &insert, 1, "a");
	finish(f);
	assert_true(clock_mono_us() - begin_us < FOREVER_US);
	assert_int_equal(f->calls[1].err, ERR_UNKNOWN_OUTCOME);
	assert_int_equal(f->calls[2].err, ERR_UNKNOWN_OUTCOME);
	exec(f, &one, NULL);
	finish(f);
	assert_int_equal(f->calls[3].err, ERR_UNAVAILABLE);
	run_until(f->loop, all_up, f);
	exec(f, &one, NULL);
	finish(f);
	assert_int_equal(f->calls[4].err, ERR_OK);
	admin(KILL_OURS);
}

static void *
kill_sleepers(void *arg)
{
	(void)arg;
	admin_until("SELECT count(*) FROM pg_stat_activity WHERE" OURS
		    " AND wait_event = 'PgSleep'",
	    2);
	admin(KILL_OURS);
	return NULL;
}

static void
killed_backends_leave_unknown_and_come_back(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;

	open_pool(f);
	exec_i64(f, &sleep_ms, 7000);
	exec_i64(f, &sleep_ms, 7000);
	exec_insert(f, &insert, 1, "a");
	pthread_create(&thread, NULL, kill_sleepers, NULL);
	finish(f);
	pthread_join(thread, NULL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(f->calls[i].err, ERR_UNKNOWN_OUTCOME);
	assert_int_equal(admin_i64(COUNT_T), 0);
	run_until(f->loop, all_up, f);
	exec_insert(f, &insert, 2, "b");
	finish(f);
	assert_int_equal(f->calls[3].err, ERR_OK);
}

static bool
one_up(void *arg)
{
	struct fixture *f = arg;
	size_t conns, in_flight, queued;

	pgpool_stats(f->pool, &conns, &in_flight, &queued);
	return conns == 1;
}

static void
one_lost_connection_leaves_the_other(void **state)
{
	struct fixture *f = *state;

	open_pool(f);
	admin("SELECT pg_terminate_backend(min(pid)) FROM pg_stat_activity WHERE" OURS);
	run_until(f->loop, one_up, f);
	assert_true(pgpool_is_up(f->pool));
	for (int i = 0; i < 10; i++)
		exec_insert(f, &insert, i, NULL);
	finish(f);
	for (int i = 0; i < 10; i++)
		assert_int_equal(f->calls[i].err, ERR_OK);
	run_until(f->loop, all_up, f);
}

static bool
one_ended(void *arg)
{
	struct fixture *f = arg;

	return f->ended >= 1;
}

/* As in a crash: kill -9 of a backend makes PostgreSQL drop all and recover. */
static void
a_crashed_server_is_unavailable_and_comes_back(void **state)
{
	struct fixture *f = *state;
	struct pgsync *pg = pgsync_new(test_pg_dsn(), "killer", 5 * CLOCK_US_PER_SEC);
	int64_t acked = 0;

	f->conf.max_in_flight = 4;
	open_pool(f);
	for (int i = 0; i < 200; i++)
		exec_insert(f, &insert, i, NULL);
	run_until(f->loop, one_ended, f);
	(void)!pgsync_script(pg,
	    "DO $$ DECLARE p int; BEGIN SELECT min(pid) INTO p FROM pg_stat_activity"
	    " WHERE" OURS "; EXECUTE format('COPY (SELECT 1) TO PROGRAM ''kill -9 %s''',"
	    " p); END $$");
	pgsync_free(pg);
	run_until(f->loop, none_up, f);
	finish(f);
	exec(f, &one, NULL);
	finish(f);
	run_until(f->loop, all_up, f);
	exec_insert(f, &insert, 1000, "back");
	finish(f);
	assert_int_equal(f->calls[f->made - 1].err, ERR_OK);
	for (int i = 0; i < 200; i++) {
		char sql[80];

		if (f->calls[i].err != ERR_OK)
			continue;
		acked++;
		snprintf(sql, sizeof(sql), COUNT_T " WHERE id = %d", i);
		assert_int_equal(admin_i64(sql), 1);
	}
	assert_true(acked > 0);
}

static void
without_a_server_the_answer_is_immediate(void **state)
{
	struct fixture *f = *state;
	struct peer *peer = peer_new(NULL, 0);
	int port = peer_port(peer);
	char dsn[1024];

	peer_free(peer);
	snprintf(dsn, sizeof(dsn), "%s host=127.0.0.1 port=%d", test_pg_dsn(), port);
	f->conf.dsn = dsn;
	f->pool = pgpool_new(f->loop, &f->conf);
	for (int i = 0; i < 3; i++) {
		exec(f, &one, NULL);
		run_jobs(f->loop);
		assert_int_equal(f->ended, f->made);
		finish(f);
		assert_int_equal(f->calls[i].err, ERR_UNAVAILABLE);
	}
	run_for(f->loop, 300000);
	assert_false(pgpool_is_up(f->pool));
}

static void
a_silent_server_is_never_up(void **state)
{
	struct fixture *f = *state;
	struct peer *peer = peer_new(NULL, 0);
	char dsn[1024];

	snprintf(dsn, sizeof(dsn), "%s host=127.0.0.1 port=%d", test_pg_dsn(),
	    peer_port(peer));
	f->conf.dsn = dsn;
	f->pool = pgpool_new(f->loop, &f->conf);
	run_for(f->loop, 100000);
	exec(f, &one, NULL);
	finish(f);
	assert_int_equal(f->calls[0].err, ERR_UNAVAILABLE);
	pgpool_free(f->pool); /* while connecting */
	f->pool = NULL;
	run_for(f->loop, 1000);
	peer_free(peer);
}

static void
a_role_that_does_not_wait_for_commits_is_refused(void **state)
{
	struct fixture *f = *state;
	char dsn[1024];

	snprintf(
	    dsn, sizeof(dsn), "%s options='-c synchronous_commit=off'", test_pg_dsn());
	f->conf.dsn = dsn;
	f->pool = pgpool_new(f->loop, &f->conf);
	run_for(f->loop, 200000);
	assert_false(pgpool_is_up(f->pool));
}

/* The first host accepts and is silent: the attempt after it begins with the second. */
static void
the_next_host_gets_its_turn(void **state)
{
	struct fixture *f = *state;
	struct peer *peer = peer_new(NULL, 0);
	char host[64], dsn[1024];
	int port;

	pg_address(host, &port);
	snprintf(dsn, sizeof(dsn), "%s host=localhost,%s port=%d,%d", test_pg_dsn(), host,
	    peer_port(peer), port);
	f->conf.dsn = dsn;
	f->conf.conns = 1;
	f->pool = pgpool_new(f->loop, &f->conf);
	run_until(f->loop, all_up, f);
	exec(f, &one, NULL);
	finish(f);
	assert_int_equal(f->calls[0].err, ERR_OK);
	peer_free(peer);
}

/* The server's bytes end after 0, 1, 2, … of them: what is reported must be true. */
static void
a_connection_may_end_at_every_byte(void **state)
{
	struct fixture *f = *state;
	struct peer *peer;
	char host[64], dsn[1024];
	int port, unknown = 0, limit = 0;
	enum err last = ERR_COUNT;

	pg_address(host, &port);
	peer = peer_new(host, port);
	snprintf(dsn, sizeof(dsn), "%s host=127.0.0.1 port=%d sslmode=disable",
	    test_pg_dsn(), peer_port(peer));
	f->conf.dsn = dsn;
	f->conf.conns = 1;
	while (last != ERR_OK) {
		int64_t due_us = clock_mono_us() + 2 * CLOCK_US_PER_SEC;
		struct call *calls[3];
		int accepted = peer_accepted(peer);

		assert_true(limit < 4000);
		peer_limit(peer, limit);
		f->made = f->ended = 0;
		f->pool = pgpool_new(f->loop, &f->conf);
		while (!pgpool_is_up(f->pool) && peer_accepted(peer) < accepted + 2 &&
		       clock_mono_us() < due_us)
			run_for(f->loop, 2000);
		calls[0] = exec_insert(f, &insert, 1, NULL);
		calls[1] = exec_insert(f, &insert_two, 10, "same");
		calls[2] = exec_insert(f, &insert, 2, NULL);
		finish(f);
		pgpool_free(f->pool);
		f->pool = NULL;
		admin_until("SELECT count(*) FROM pg_stat_activity WHERE" OURS, 0);
		for (int i = 0; i < 3; i += 2) {
			int64_t there = admin_i64(
			    i == 0 ? COUNT_T " WHERE id = 1" : COUNT_T " WHERE id = 2");

			if (calls[i]->err == ERR_OK)
				assert_int_equal(there, 1);
			else if (calls[i]->err == ERR_UNAVAILABLE)
				assert_int_equal(there, 0);
			else
				assert_int_equal(calls[i]->err, ERR_UNKNOWN_OUTCOME);
			unknown += calls[i]->err == ERR_UNKNOWN_OUTCOME;
		}
		assert_int_not_equal(calls[1]->err, ERR_OK);
		last = calls[2]->err;
		/* Little happens while it connects; every byte counts after that. */
		limit += calls[0]->err == ERR_UNAVAILABLE ? 29 : 1;
		admin("TRUNCATE t");
	}
	assert_true(unknown > 20);
	peer_free(peer);
}

static void *
cancel_standby_wait(void *arg)
{
	(void)arg;
	admin_until("SELECT count(*) FROM pg_stat_activity WHERE" OURS
		    " AND wait_event = 'SyncRep'",
	    1);
	admin("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE" OURS
	      " AND wait_event = 'SyncRep'");
	return NULL;
}

static void
a_cut_standby_wait_is_unknown(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;

	f->conf.conns = 1;
	open_pool(f);
	want_standby();
	pthread_create(&thread, NULL, cancel_standby_wait, NULL);
	exec(f, &one, NULL);
	exec_insert(f, &insert, 1, "a");
	exec(f, &one, NULL);
	finish(f);
	pthread_join(thread, NULL);
	assert_int_equal(f->calls[0].err, ERR_OK);
	assert_int_equal(f->calls[1].err, ERR_UNKNOWN_OUTCOME);
	assert_int_equal(f->calls[2].err, ERR_OK);
}

static int
forget_standby(void **state)
{
	admin("ALTER SYSTEM RESET synchronous_standby_names");
	admin("SELECT pg_reload_conf()");
	return tear_down(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_missed_deadline_makes_all_that_was_sent_unknown),
		TEST(killed_backends_leave_unknown_and_come_back),
		TEST(one_lost_connection_leaves_the_other),
		TEST(a_crashed_server_is_unavailable_and_comes_back),
		TEST(without_a_server_the_answer_is_immediate),
		TEST(a_silent_server_is_never_up),
		TEST(the_next_host_gets_its_turn),
		TEST(a_role_that_does_not_wait_for_commits_is_refused),
		TEST(a_connection_may_end_at_every_byte),
		cmocka_unit_test_setup_teardown(
		    a_cut_standby_wait_is_unknown, set_up, forget_standby),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
