/* The HTTP client's responses in pieces: who gets them, pausing, ends of every kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_up.h"

static struct {
	bool follow;       /* else nobody wants it */
	size_t stop_after; /* bytes; 0: never */
	size_t pause_after;
	struct call *call;
	int heads, ends, pieces;
	enum err err;
	size_t size;
	char text[64];
} sink;

static atomic_int told; /* the head and pieces, for scripts */

static void
on_piece(void *arg, str bytes)
{
	assert_ptr_equal(arg, &sink);
	assert_int_equal(sink.ends, 0);
	sink.pieces++;
	told++;
	for (size_t i = 0; i < bytes.n; i++, sink.size++)
		if (sink.size < sizeof(sink.text) - 1)
			sink.text[sink.size] = bytes.p[i];
	if (sink.stop_after > 0 && sink.size >= sink.stop_after) {
		httpc_stop(sink.call);
		loop_stop(loop);
	} else if (sink.pause_after > 0 && sink.size >= sink.pause_after) {
		httpc_pause(sink.call);
		loop_stop(loop);
	}
}

static void
on_end(void *arg, enum err err)
{
	assert_ptr_equal(arg, &sink);
	sink.ends++;
	sink.err = err;
	loop_stop(loop);
}

static const struct httpc_sink taker = { on_piece, on_end };

static void
on_head(void *arg, enum err err, const struct httpc_response *response)
{
	assert_ptr_equal(arg, &sink);
	sink.heads++;
	sink.err = err;
	told++;
	if (response == NULL || response->more == NULL || !sink.follow) {
		loop_stop(loop);
		return;
	}
	sink.call = response->more;
	httpc_follow(response->more, &taker, &sink);
	if (response->body.n > 0)
		on_piece(&sink, response->body);
}

static void
stream(bool follow)
{
	struct httpc_request request = get;

	request.streamed = true;
	memset(&sink, 0, sizeof(sink));
	told = 0;
	sink.follow = follow;
	httpc_send(client, &request, on_head, &sink);
}

static void
until_stopped(void)
{
	struct loop_timer *timer = loop_timer_new(loop, too_long, NULL);

	loop_timer_set(timer, 10 * CLOCK_US_PER_SEC);
	loop_run(loop);
	loop_timer_free(timer);
}

static void
put_many(int fd, size_t size)
{
	static char piece[1000];

	memset(piece, 'x', sizeof(piece));
	for (size_t sent = 0; sent < size; sent += sizeof(piece))
		if (send(fd, piece, sizeof(piece), MSG_NOSIGNAL) < 0)
			return;
}

/* What was sent has come, and what follows cannot come with it. */
static void
until_told(int count)
{
	while (told < count)
		usleep(1000);
}

/* Waits only while a sink follows: after that it has been told enough. */
static void
chunks_in_time(int fd, int n)
{
	(void)n;
	while (next_request(fd)) {
		put(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
		until_told(1);
		put(fd, "5\r\nhello\r\n6");
		until_told(2);
		put(fd, "\r\n world\r\n");
		until_told(3);
		put(fd, "0\r\n\r\n");
	}
}

static void
test_pieces_come_as_they_are_sent(void **state)
{
	(void)state;
	size_t conns, busy, queued;
	struct result r;

	server_start(chunks_in_time);
	connect_with(1);
	stream(true);
	until_stopped();
	assert_int_equal(sink.err, ERR_OK);
	assert_int_equal(sink.ends, 1);
	assert_true(sink.pieces >= 2);
	assert_string_equal(sink.text, "hello world");
	/* The connection is used again, here for one that is kept. */
	httpc_stats(client, &conns, &busy, &queued);
	assert_int_equal(conns, 1);
	assert_int_equal(ask(&r, &get), ERR_OK);
	assert_string_equal(r.body, "hello world");
	assert_int_equal(server.accepted, 1);
}

static void
long_one(int fd, int n)
{
	(void)n;
	while (next_request(fd)) {
		put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n");
		put_many(fd, 3000000);
	}
}

static void
test_longer_than_what_is_kept(void **state)
{
	(void)state;
	struct result r;

	server_start(long_one);
	connect_with(2);
	stream(true);
	until_stopped();
	assert_int_equal(sink.err, ERR_OK);
	assert_int_equal(sink.size, 3000000);
	/* Who did not ask for pieces gets none. */
	assert_int_equal(ask(&r, &get), ERR_BAD_GATEWAY);
}

static void
test_nobody_wants_it(void **state)
{
	(void)state;
	size_t conns, busy, queued;

	server_start(long_one);
	connect_with(2);
	stream(false);
	until_stopped();
	assert_int_equal(sink.heads, 1);
	run_for(20000);
	httpc_stats(client, &conns, &busy, &queued);
	assert_int_equal(conns, 0);
}

static void
test_stopped_on_the_way(void **state)
{
	(void)state;
	size_t conns, busy, queued;

	server_start(long_one);
	connect_with(2);
	stream(true);
	sink.stop_after = 100000;
	until_stopped();
	run_for(20000);
	assert_int_equal(sink.ends, 0);
	httpc_stats(client, &conns, &busy, &queued);
	assert_int_equal(conns, 0);
}

/* While it is paused nothing is read, and no time runs out. */
static void
test_paused(void **state)
{
	(void)state;
	size_t size;

	server_start(long_one);
	connect_with(2);
	stream(true);
	sink.pause_after = 100000;
	until_stopped();
	size = sink.size;
	run_for(200000);
	assert_int_equal(sink.size, size);
	assert_int_equal(sink.ends, 0);
	sink.pause_after = 0;
	httpc_resume(sink.call);
	until_stopped();
	assert_int_equal(sink.err, ERR_OK);
	assert_int_equal(sink.size, 3000000);
}

static void
breaks_off(int fd, int n)
{
	if (!next_request(fd))
		return;
	put(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
	until_told(2);
	if (n == 1)
		put(fd, "nonsense\r\n");
	if (n == 2)
		silent(fd, n);
}

static void
test_it_ends_in_the_middle(void **state)
{
	(void)state;
	const enum err want[] = { ERR_BAD_GATEWAY, ERR_BAD_GATEWAY, ERR_TIMEOUT };

	server_start(breaks_off);
	connect_with(1);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		if (want[i] == ERR_TIMEOUT) {
			httpc_free(client);
			conf.stream_us = 200000;
			client = httpc_new(loop, &conf);
		}
		stream(true);
		until_stopped();
		assert_int_equal(sink.heads, 1);
		assert_string_equal(sink.text, "hello");
		assert_int_equal(sink.ends, 1);
		assert_int_equal(sink.err, want[i]);
		run_for(10000); /* the broken connection goes */
	}
}

static void
until_close(int fd, int n)
{
	(void)n;
	if (!next_request(fd))
		return;
	put(fd, "HTTP/1.1 200 OK\r\n\r\nhello");
	until_told(2);
	put(fd, " world");
}

static void
test_until_close(void **state)
{
	(void)state;
	server_start(until_close);
	connect_with(1);
	stream(true);
	until_stopped();
	assert_int_equal(sink.err, ERR_OK);
	assert_string_equal(sink.text, "hello world");
}

static void
test_the_pool_ends(void **state)
{
	(void)state;
	server_start(long_one);
	connect_with(2);
	stream(true);
	sink.pause_after = 100000;
	until_stopped();
	httpc_free(client);
	client = NULL;
	assert_int_equal(sink.ends, 1);
	assert_int_equal(sink.err, ERR_DRAINING);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_pieces_come_as_they_are_sent, init, fini),
		cmocka_unit_test_setup_teardown(
		    test_longer_than_what_is_kept, init, fini),
		cmocka_unit_test_setup_teardown(test_nobody_wants_it, init, fini),
		cmocka_unit_test_setup_teardown(test_stopped_on_the_way, init, fini),
		cmocka_unit_test_setup_teardown(test_paused, init, fini),
		cmocka_unit_test_setup_teardown(test_it_ends_in_the_middle, init, fini),
		cmocka_unit_test_setup_teardown(test_until_close, init, fini),
		cmocka_unit_test_setup_teardown(test_the_pool_ends, init, fini),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
