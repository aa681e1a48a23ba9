/* pgsync when connections, servers and standbys are lost. */
#include "pgsync_fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static void
terminate(int64_t pid)
{
	char sql[200];

	snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%lld)", (long long)pid);
	admin(sql);
	snprintf(sql, sizeof(sql),
	    "SELECT count(*) FROM pg_stat_activity WHERE pid = %lld", (long long)pid);
	admin_until(sql, 0);
}

static void
a_closed_idle_connection_is_opened_again(void **state)
{
	struct fixture *f = *state;
	int64_t pid = backend_pid(f);

	terminate(pid);
	queue_insert(f, 1, "a");
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	assert_int_not_equal(backend_pid(f), pid);
}

static void
a_lost_transaction_does_not_go_on_elsewhere(void **state)
{
	struct fixture *f = *state;
	int64_t pid = backend_pid(f);

	pgsync_queue(f->pg, &PGSYNC_BEGIN, NULL);
	queue_insert(f, 1, "a");
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	terminate(pid);
	queue_insert(f, 2, "b");
	pgsync_queue(f->pg, &PGSYNC_COMMIT, NULL);
	assert_int_equal(pgsync_run(f->pg), ERR_UNAVAILABLE);
	assert_int_equal(admin_i64(COUNT_T), 0);
	queue_insert(f, 2, "b");
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
}

static void *
terminate_sleeper(void *arg)
{
	admin_until("SELECT count(*) FROM pg_stat_activity WHERE"
		    " application_name = 'onrush-test' AND wait_event = 'PgSleep'",
	    1);
	admin(arg);
	return NULL;
}

static void
a_killed_backend_has_not_committed(void **state)
{
	static char kill[] = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
			     " WHERE application_name = 'onrush-test'";
	struct fixture *f = *state;
	pthread_t thread;

	pgsync_free(f->pg);
	f->pg = pgsync_new(test_pg_dsn(), "test", 20 * CLOCK_US_PER_SEC);
	pthread_create(&thread, NULL, terminate_sleeper, kill);
	queue_insert(f, 1, "a");
	pgsync_queue(f->pg, &sleep_long, NULL);
	assert_int_equal(pgsync_run(f->pg), ERR_UNAVAILABLE);
	assert_string_equal(pgsync_sqlstate(f->pg), "57P01");
	pthread_join(thread, NULL);
	assert_int_equal(admin_i64(COUNT_T), 0);
	queue_insert(f, 1, "a");
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
}

/* The server's bytes end after 0, 1, 2, … of them: what is reported must be true. */
static void
a_connection_may_end_at_every_byte(void **state)
{
	struct fixture *f = *state;
	enum err seen = ERR_UNKNOWN_OUTCOME;
	char host[64], dsn[1024];
	struct peer *peer;
	int unknown = 0;
	int port;

	pg_address(host, &port);
	peer = peer_new(host, port);
	snprintf(dsn, sizeof(dsn), "%s host=127.0.0.1 port=%d sslmode=disable",
	    test_pg_dsn(), peer_port(peer));
	pgsync_free(f->pg);
	for (int limit = 0; limit < 4000 && seen != ERR_OK;
	     limit += limit < 300 ? 7 : 1) {
		const char *how =
		    limit % 2 ? "SELECT count(*) FROM t WHERE id = 1" : COUNT_T;

		peer_limit(peer, limit);
		f->pg = pgsync_new(dsn, "test", TIMEOUT_US);
		if (limit % 2)
			pgsync_queue(f->pg, &PGSYNC_BEGIN, NULL);
		queue_insert(f, 1, "a");
		if (limit % 2)
			pgsync_queue(f->pg, &PGSYNC_COMMIT, NULL);
		seen = pgsync_run(f->pg);
		pgsync_free(f->pg);
		admin_until("SELECT count(*) FROM pg_stat_activity WHERE"
			    " application_name = 'onrush-test'",
		    0);
		if (seen == ERR_OK)
			assert_int_equal(admin_i64(how), 1);
		else if (seen == ERR_UNAVAILABLE)
			assert_int_equal(admin_i64(how), 0);
		else
			assert_int_equal(seen, ERR_UNKNOWN_OUTCOME);
		unknown += seen == ERR_UNKNOWN_OUTCOME;
		admin("TRUNCATE t");
	}
	assert_int_equal(seen, ERR_OK);
	assert_true(unknown > 10);
	peer_free(peer);
	f->pg = NULL;
}

static void
a_silent_server_is_unavailable_in_time(void **state)
{
	struct fixture *f = *state;
	struct peer *peer = peer_new(NULL, 0);
	int64_t begin_us = clock_mono_us();
	char dsn[1024];

	snprintf(dsn, sizeof(dsn), "%s host=127.0.0.1 port=%d", test_pg_dsn(),
	    peer_port(peer));
	pgsync_free(f->pg);
	f->pg = pgsync_new(dsn, "test", CLOCK_US_PER_SEC / 5);
	queue_insert(f, 1, "a");
	assert_int_equal(pgsync_run(f->pg), ERR_UNAVAILABLE);
	assert_true(clock_mono_us() - begin_us < FOREVER_US);
	peer_free(peer);
	pgsync_free(f->pg);
	f->pg = pgsync_new(dsn, "test", TIMEOUT_US);
	assert_int_equal(pgsync_connect(f->pg), ERR_UNAVAILABLE);
	assert_non_null(strstr(pgsync_message(f->pg), "refused"));
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
	pgsync_free(f->pg);
	f->pg = pgsync_new(dsn, "test", SHORT_US);
	queue_insert(f, 1, "a");
	assert_int_equal(pgsync_run(f->pg), ERR_UNAVAILABLE);
	queue_insert(f, 1, "a");
	assert_int_equal(pgsync_run(f->pg), ERR_OK);
	peer_free(peer);
}

static void
a_role_that_does_not_wait_for_commits_is_refused(void **state)
{
	struct fixture *f = *state;
	char dsn[1024];

	snprintf(
	    dsn, sizeof(dsn), "%s options='-c synchronous_commit=off'", test_pg_dsn());
	pgsync_free(f->pg);
	f->pg = pgsync_new(dsn, "test", TIMEOUT_US);
	assert_int_equal(pgsync_connect(f->pg), ERR_UNAVAILABLE);
}

static void *
cancel_standby_wait(void *arg)
{
	(void)arg;
	/* This connection must not wait for the standby itself: it only reads. */
	admin_until("SELECT count(*) FROM pg_stat_activity WHERE"
		    " application_name = 'onrush-test' AND wait_event = 'SyncRep'",
	    1);
	admin("SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
	      " WHERE application_name = 'onrush-test'");
	return NULL;
}

/* Someone cancels the wait for the synchronous standby: the server says INSERT 0 1, but
 * the commit is local only. */
static void
a_cut_standby_wait_is_unknown(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;

	want_standby();
	pthread_create(&thread, NULL, cancel_standby_wait, NULL);
	queue_insert(f, 1, "a");
	assert_int_equal(pgsync_run(f->pg), ERR_UNKNOWN_OUTCOME);
	pthread_join(thread, NULL);
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
		TEST(a_closed_idle_connection_is_opened_again),
		TEST(a_lost_transaction_does_not_go_on_elsewhere),
		TEST(a_killed_backend_has_not_committed),
		TEST(a_connection_may_end_at_every_byte),
		TEST(a_silent_server_is_unavailable_in_time),
		TEST(the_next_host_gets_its_turn),
		TEST(a_role_that_does_not_wait_for_commits_is_refused),
		cmocka_unit_test_setup_teardown(
		    a_cut_standby_wait_is_unknown, set_up, forget_standby),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
