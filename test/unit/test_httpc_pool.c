/* The HTTP client's pool: the queue, servers that are not there, connections that die. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/eventfd.h>

#include "http_up.h"

/* --- the queue -----------------------------------------------------------------------
 */

static void
test_fifo_over_one_connection(void **state)
{
	(void)state;
	struct result r[8];

	server_start(polite);
	connect_with(1);
	for (int i = 0; i < 8; i++)
		begin(&r[i], &get);
	finish();
	for (int i = 0; i < 8; i++) {
		assert_int_equal(r[i].err, ERR_OK);
		assert_int_equal(r[i].order, i);
	}
	assert_int_equal(server.accepted, 1);
}

static void
test_no_more_connections_than_allowed(void **state)
{
	(void)state;
	struct result r[10];
	size_t conns, busy, queued;

	server_start(polite);
	connect_with(3);
	for (int i = 0; i < 10; i++)
		begin(&r[i], &get);
	finish();
	for (int i = 0; i < 10; i++)
		assert_int_equal(r[i].err, ERR_OK);
	assert_in_range(server.accepted, 1, 3);
	httpc_stats(client, &conns, &busy, &queued);
	assert_in_range(conns, 1, 3);
	assert_int_equal(busy + queued, 0);
}

static atomic_bool may_answer;

static void
patient(int fd, int n)
{
	until_set(&may_answer);
	polite(fd, n);
}

static void
test_full_queue_and_late_in_queue(void **state)
{
	(void)state;
	struct result r[12];
	size_t conns, busy, queued;

	may_answer = false;
	server_start(patient);
	connect_with(1);
	httpc_free(client);
	conf.queue_us = 50000;
	client = httpc_new(loop, &conf);
	begin(&r[0], &get);
	until_busy(1);
	for (int i = 1; i < 12; i++)
		begin(&r[i], &get);
	httpc_stats(client, &conns, &busy, &queued);
	assert_int_equal(conns, 1);
	assert_int_equal(busy, 1);
	assert_int_equal(queued, 10);
	RIG_UNTIL((run_for(1000), order == 11)); /* all but the first */
	may_answer = true;
	finish();
	assert_int_equal(r[0].err, ERR_OK);
	for (int i = 1; i < 12; i++)
		assert_int_equal(r[i].err, ERR_OVERLOAD);
	assert_int_equal(r[11].order, 0); /* the one beyond the bound: at once */
	assert_int_equal(r[0].order, 11);
}

/* --- servers that are not there ------------------------------------------------------
 */

static void
test_refused_then_there(void **state)
{
	(void)state;
	struct result r[5];
	int64_t start_us;

	connect_with(2);
	start_us = clock_mono_us();
	for (int i = 0; i < 5; i++)
		begin(&r[i], &post);
	finish();
	for (int i = 0; i < 5; i++)
		assert_int_equal(r[i].err, ERR_UNAVAILABLE);
	/* It is remembered for 100 ms: no other attempt, which would succeed. */
	server_start(polite);
	ask(&r[0], &post);
	if (clock_mono_us() - start_us < 100000)
		assert_int_equal(r[0].err, ERR_UNAVAILABLE);
	run_for(110000);
	assert_int_equal(ask(&r[0], &post), ERR_OK);
}

/* A listener whose backlog is full drops what comes: connecting hangs. */
static void
test_connect_timeout(void **state)
{
	(void)state;
	struct result r;
	int fillers[8];

	assert_int_equal(listen(server.fd, 0), 0);
	fill_backlog(fillers, ARRAY_LEN(fillers));
	connect_with(1);
	httpc_free(client);
	conf.connect_us = 100000;
	client = httpc_new(loop, &conf);
	assert_int_equal(ask(&r, &get), ERR_UNAVAILABLE);
	for (size_t i = 0; i < ARRAY_LEN(fillers); i++)
		close(fillers[i]);
}

/* A name may have several addresses, of which only one is served. */
static void
test_second_address_of_a_name(void **state)
{
	(void)state;
	struct result r;
	char address[40];

	server_start(polite);
	connect_with(1);
	httpc_free(client);
	snprintf(address, sizeof(address), "localhost%s", strchr(server.address, ':'));
	conf.address = address;
	client = httpc_new(loop, &conf);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ask(&r, &post), ERR_OK);
}

static void
test_unknown_name(void **state)
{
	(void)state;
	connect_with(1);
	httpc_free(client);
	conf.address = "no.such.host.invalid:80";
	client = httpc_new(loop, &conf);
	assert_null(client);
}

/* --- connections that die ------------------------------------------------------------
 */

/* The first connection answers once and dies with the second request. */
static void
dies_with_the_second(int fd, int n)
{
	while (next_request(fd)) {
		put(fd, OK5);
		if (n == 0) {
			next_request(fd);
			return;
		}
	}
}

static void
test_stale_connection(void **state)
{
	(void)state;
	struct result r;

	for (int repeatable = 0; repeatable < 2; repeatable++) {
		server_start(dies_with_the_second);
		connect_with(1);
		assert_int_equal(ask(&r, &get), ERR_OK);
		if (repeatable) {
			assert_int_equal(ask(&r, &get), ERR_OK);
			assert_int_equal(server.accepted, 2);
		} else {
			assert_int_equal(ask(&r, &post), ERR_BAD_GATEWAY);
			assert_int_equal(server.accepted, 1);
		}
		fini(NULL);
		server_stop();
		init(NULL);
	}
}

static void
dies(int fd, int n)
{
	(void)n;
	next_request(fd);
}

/* A new connection that dies is not stale: the request may have been the reason. */
static void
test_fresh_connection_dies(void **state)
{
	(void)state;
	struct result r;

	server_start(dies);
	connect_with(1);
	assert_int_equal(ask(&r, &get), ERR_BAD_GATEWAY);
	assert_int_equal(server.accepted, 1);
}

static void
dies_in_the_middle(int fd, int n)
{
	next_request(fd);
	put(fd, OK5);
	next_request(fd);
	put(fd, n == 0 ? "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe" : "HTTP/1.1 2");
}

/* Half a response is not repeated, whoever asked. */
static void
test_half_a_response(void **state)
{
	(void)state;
	struct result r;

	server_start(dies_in_the_middle);
	connect_with(1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ask(&r, &get), ERR_OK);
		assert_int_equal(ask(&r, &get), ERR_BAD_GATEWAY);
	}
}

/* Says the second thing when it is told to, not when it is asked. */
static atomic_int unasked; /* 1: say it, 2: it was said */

static void
speaks_unasked(int fd, int n)
{
	next_request(fd);
	put(fd, OK5);
	if (n == 0) {
		while (unasked != 1)
			usleep(100);
		put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
		until_it_came(fd);
		unasked = 2;
	}
	polite(fd, n);
}

static struct result in_this_turn;

static void
ask_now(void *arg, unsigned ready)
{
	(void)ready;
	loop_io_want(*(struct loop_io **)arg, 0);
	begin(&in_this_turn, &post);
}

/* What comes in the turn in which a request is made is not the answer to it: the request
 * has not left, and goes to another connection. */
static void
test_bytes_before_the_request_has_left(void **state)
{
	(void)state;
	struct result r;
	struct loop_io *io;
	int fd = eventfd(1, EFD_NONBLOCK);

	server_start(speaks_unasked);
	connect_with(2);
	assert_int_equal(ask(&r, &get), ERR_OK);
	unasked = 0;
	io = loop_io_new(loop, fd, LOOP_ANSWERS, ask_now, &io);
	loop_io_want(io, LOOP_READ); /* is ready first, and so called first */
	unasked = 1;
	while (unasked != 2)
		usleep(100);
	loop_run(loop);
	assert_int_equal(in_this_turn.err, ERR_OK);
	assert_string_equal(in_this_turn.body, "hello");
	assert_int_equal(server.accepted, 2);
	loop_io_free(io);
	close(fd);
}

static void
answers_once(int fd, int n)
{
	(void)n;
	next_request(fd);
	put(fd, OK5);
}

/* A call that is sent again waits in the queue like any other, also until its time is
 * over: here the server completes no further connection. */
static void
test_stale_connection_and_no_other(void **state)
{
	(void)state;
	struct result r;
	int fd, fillers[4];

	assert_int_equal(listen(server.fd, 0), 0);
	connect_with(1);
	httpc_free(client);
	conf.queue_us = 100000;
	client = httpc_new(loop, &conf);
	begin(&r, &get);
	until_busy(1);
	fd = accept(server.fd, NULL, NULL);
	put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	finish();
	assert_int_equal(r.err, ERR_OK);

	fill_backlog(fillers, ARRAY_LEN(fillers));
	close(fd);
	assert_int_equal(ask(&r, &get), ERR_UNAVAILABLE);
	for (size_t i = 0; i < ARRAY_LEN(fillers); i++)
		close(fillers[i]);
}

/* The server's end of an idle connection is seen before the next request. */
static void
test_closed_while_idle(void **state)
{
	(void)state;
	struct result r;
	size_t conns, busy, queued;

	server_start(answers_once);
	connect_with(1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ask(&r, &post), ERR_OK);
		do {
			run_for(5000);
			httpc_stats(client, &conns, &busy, &queued);
		} while (conns > 0);
	}
	assert_int_equal(server.accepted, 3);
}

static void
test_idle_timeout(void **state)
{
	(void)state;
	struct result r;

	server_start(polite);
	connect_with(1);
	httpc_free(client);
	conf.idle_us = 50000;
	client = httpc_new(loop, &conf);
	assert_int_equal(ask(&r, &post), ERR_OK);
	run_for(100000);
	RIG_UNTIL(server.open == 0);
}

static void
answers_early(int fd, int n)
{
	char byte;

	(void)n;
	recv(fd, &byte, 1, 0);
	put(fd, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
	poll(NULL, 0, 50);
}

/* The answer comes while the request is still being sent: it counts, the connection does
 * not. */
static void
test_early_answer(void **state)
{
	(void)state;
	struct httpc_request request = post;
	struct result r;
	char *big = xcalloc(1, 20 << 20);

	request.body = (str){ big, 20 << 20 };
	server_start(answers_early);
	connect_with(1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ask(&r, &request), ERR_OK);
		assert_int_equal(r.status, 413);
	}
	assert_int_equal(server.accepted, 2);
	free(big);
}

static void
counts(int fd, int n)
{
	static char text[3 << 20];

	(void)n;
	while (read_request(fd, text, sizeof(text)))
		put(fd, OK5);
}

static void
test_large_request(void **state)
{
	(void)state;
	struct httpc_request request = post;
	struct result r;
	char *big = xcalloc(1, 2 << 20);

	request.body = (str){ big, 2 << 20 };
	server_start(counts);
	connect_with(1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ask(&r, &request), ERR_OK);
	assert_int_equal(server.accepted, 1);
	free(big);
}

static void
test_free_with_pending(void **state)
{
	(void)state;
	struct result r[5];

	server_start(silent);
	connect_with(2);
	for (int i = 0; i < 5; i++)
		begin(&r[i], &get);
	run_for(20000);
	httpc_free(client);
	client = NULL;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(r[i].done, 1);
		assert_int_equal(r[i].err, ERR_DRAINING);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_fifo_over_one_connection, init, fini),
		cmocka_unit_test_setup_teardown(
		    test_no_more_connections_than_allowed, init, fini),
		cmocka_unit_test_setup_teardown(
		    test_full_queue_and_late_in_queue, init, fini),
		cmocka_unit_test_setup_teardown(test_refused_then_there, init, fini),
		cmocka_unit_test_setup_teardown(test_connect_timeout, init, fini),
		cmocka_unit_test_setup_teardown(
		    test_second_address_of_a_name, init, fini),
		cmocka_unit_test_setup_teardown(test_unknown_name, init, fini),
		cmocka_unit_test_setup_teardown(test_stale_connection, init, fini),
		cmocka_unit_test_setup_teardown(
		    test_stale_connection_and_no_other, init, fini),
		cmocka_unit_test_setup_teardown(test_fresh_connection_dies, init, fini),
		cmocka_unit_test_setup_teardown(test_half_a_response, init, fini),
		cmocka_unit_test_setup_teardown(
		    test_bytes_before_the_request_has_left, init, fini),
		cmocka_unit_test_setup_teardown(test_closed_while_idle, init, fini),
		cmocka_unit_test_setup_teardown(test_idle_timeout, init, fini),
		cmocka_unit_test_setup_teardown(test_early_answer, init, fini),
		cmocka_unit_test_setup_teardown(test_large_request, init, fini),
		cmocka_unit_test_setup_teardown(test_free_with_pending, init, fini),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
