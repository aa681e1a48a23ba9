/* The HTTP server's answers in pieces: their framing, a slow client, ends of every kind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_rig.h"

enum {
	PIECE = 30000,
	BIG = 1000 * PIECE,
};

static struct rig rig;
static struct reply reply;

/* What one answer has written so far. */
struct writer {
	int64_t left;
};

static atomic_int gone, drained, rooms;
static atomic_size_t written;

static void
on_gone(struct rq *rq)
{
	assert_non_null(rq->ctx);
	gone++;
}

static void
write_on(struct rq *rq)
{
	struct writer *w = rq->ctx;
	char piece[PIECE];
	bool room = true;

	memset(piece, 'x', sizeof(piece));
	while (w->left > 0 && room) {
		room = rq_stream_write(rq, (str){ piece, PIECE });
		w->left -= PIECE;
		written += PIECE;
	}
	if (w->left == 0)
		rq_stream_end(rq, true);
}

static void
on_room(struct rq *rq)
{
	rooms++;
	write_on(rq);
}

static void
on_drain(struct rq *rq)
{
	drained++;
	rq_stream_write(rq, STR("bye"));
	rq_stream_end(rq, true);
}

static const struct rq_stream_ops ops = { on_room, on_gone, on_drain };

static rq_next
begin(struct rq *rq, int64_t left, int64_t length)
{
	struct writer *w = rq->ctx = ARENA_NEW(rq->arena, struct writer);
	rq_next next = rq_stream(rq, 200, STR("text/plain"), length, &ops);

	w->left = left;
	return next;
}

/* Written and ended in the step that began it. */
static rq_next
short_one(struct rq *rq)
{
	rq_next next = begin(rq, 0, -1);

	rq_stream_write(rq, STR("hello "));
	rq_stream_write(rq, STR(""));
	rq_stream_write(rq, STR("world"));
	rq_stream_end(rq, true);
	return next;
}

static rq_next
big(struct rq *rq)
{
	rq_next next = begin(rq, BIG, BIG);

	write_on(rq);
	return next;
}

static rq_next
cut(struct rq *rq)
{
	rq_next next = begin(rq, 0, -1);

	rq_stream_write(rq, STR("half of"));
	rq_stream_end(rq, false);
	return next;
}

static rq_next
forever(struct rq *rq)
{
	rq_next next = begin(rq, PIECE, -1);

	rq_stream_write(rq, STR("first"));
	return next;
}

static rq_next
late(struct rq *rq)
{
	return rig_io(rq, forever, RIG_HELD, ERR_OK);
}

static const struct route routes[] = {
	{ HTTP_GET, "/short", short_one, 1000000, 0, 0 },
	{ HTTP_GET, "/big", big, 100000, 0, 0 },
	{ HTTP_GET, "/cut", cut, 1000000, 0, 0 },
	{ HTTP_GET, "/forever", forever, 100000, 0, 0 },
	{ HTTP_GET, "/late", late, 9000000, 0, 0 },
};

static int
start_with(int64_t write_timeout_us)
{
	gone = drained = rooms = 0;
	written = 0;
	rig_init(&rig);
	rig.settings.write_timeout_us = write_timeout_us;
	rig_start(&rig, routes, ARRAY_LEN(routes), NULL);
	return 0;
}

static int
start(void **state)
{
	(void)state;
	return start_with(10000000);
}

static int
start_impatient(void **state)
{
	(void)state;
	return start_with(100000);
}

static int
stop(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

#define HOST "Host: test\r\n"

/* Reads until the server closes, at most `max` bytes; how many, or -1 after a reset. */
static ssize_t
read_to_end(int fd, char *text, size_t max)
{
	size_t size = 0;
	ssize_t n;

	while (size < max && (n = recv(fd, text + size, max - size, 0)) != 0) {
		if (n < 0)
			return -1;
		size += (size_t)n;
	}
	return (ssize_t)size;
}

static const char *
ask(const char *request)
{
	int fd = rig_dial(&rig);
	ssize_t n;

	rig_put(fd, request);
	n = read_to_end(fd, reply.text, RIG_MAX);
	assert_true(n > 0);
	reply.text[n] = '\0';
	close(fd);
	return strstr(reply.text, "\r\n\r\n") + 4;
}

static void
test_chunks(void **state)
{
	(void)state;
	const char *body =
	    ask("GET /short HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");

	assert_non_null(strstr(reply.text, "\r\nTransfer-Encoding: chunked\r\n"));
	assert_null(strstr(reply.text, "Content-Length"));
	assert_string_equal(body, "6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n");
}

/* HTTP/1.0 knows no chunks: the body ends with the connection. */
static void
test_an_old_client_gets_no_chunks(void **state)
{
	(void)state;
	const char *body =
	    ask("GET /short HTTP/1.0\r\n" HOST "Connection: keep-alive\r\n\r\n");

	assert_null(strstr(reply.text, "Transfer-Encoding"));
	assert_non_null(strstr(reply.text, "\r\nConnection: close\r\n"));
	assert_string_equal(body, "hello world");
}

/* The connection goes on, also with what was sent ahead. */
static void
test_keep_alive(void **state)
{
	(void)state;
	const char *body =
	    ask("GET /short HTTP/1.1\r\n" HOST "\r\n"
		"GET /short HTTP/1.1\r\n" HOST "\r\n"
		"GET /short HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	int count = 0;

	for (; (body = strstr(body, "world\r\n0\r\n\r\n")) != NULL; body++)
		count++;
	assert_int_equal(count, 3);
}

static void
test_head_gets_the_head(void **state)
{
	(void)state;
	int fd = rig_dial(&rig);

	rig_put(fd, "HEAD /forever HTTP/1.1\r\n" HOST "\r\n");
	rig_read_as(fd, &reply, true);
	assert_int_equal(reply.status, 200);
	RIG_UNTIL(gone == 1);
	rig_put(fd, "GET /short HTTP/1.1\r\n" HOST "\r\n");
	rig_read_as(fd, &reply, true);
	assert_int_equal(reply.status, 200);
	close(fd);
}

/* Nothing is written ahead of a client that does not read, beyond what the kernel takes;
 * the route's deadline of 100 ms does not count. */
static void
test_a_slow_client_slows_the_writer(void **state)
{
	(void)state;
	int fd = rig_dial(&rig), size = 100000;
	size_t before, total = 0;
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	rig_put(fd, "GET /big HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	RIG_UNTIL(written > 0);
	do {
		before = written;
		poll(NULL, 0, 50);
	} while (before != written);
	assert_true(written > 0 && written < BIG);
	rig_read_as(fd, &reply, true);
	while ((n = recv(fd, reply.text, RIG_MAX, 0)) > 0)
		total += (size_t)n;
	assert_int_equal(n, 0);
	assert_int_equal(total, BIG);
	assert_true(rooms > 0);
	assert_int_equal(gone, 0);
	close(fd);
}

static void
test_a_client_that_does_not_read_is_cut(void **state)
{
	(void)state;
	int fd = rig_dial(&rig);

	rig_put(fd, "GET /big HTTP/1.1\r\n" HOST "\r\n");
	RIG_UNTIL(gone == 1);
	assert_true(written < BIG);
	close(fd);
}

/* A body that is not whole ends in an error, also where the end of the connection would
 * mean that it is. */
static void
test_a_cut_body_is_an_error(void **state)
{
	(void)state;
	int fd = rig_dial(&rig);

	rig_put(fd, "GET /cut HTTP/1.0\r\n" HOST "\r\n");
	assert_int_equal(read_to_end(fd, reply.text, RIG_MAX), -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
}

static void
test_a_client_that_leaves(void **state)
{
	(void)state;
	int fd = rig_dial(&rig);

	rig_put(fd, "GET /forever HTTP/1.1\r\n" HOST "\r\n");
	rig_read_as(fd, &reply, true);
	close(fd);
	RIG_UNTIL(gone == 1);

	/* Before the answer has begun. */
	fd = rig_dial(&rig);
	rig_put(fd, "GET /late HTTP/1.1\r\n" HOST "\r\n");
	RIG_UNTIL(rig_ios == 1);
	close(fd);
	rig_let_go = true;
	RIG_UNTIL(gone == 2);
}

static void
test_drain_ends_a_stream(void **state)
{
	(void)state;
	int fd = rig_dial(&rig);

	rig_put(fd, "GET /forever HTTP/1.1\r\n" HOST "\r\n");
	rig_read_as(fd, &reply, true);
	rig_call(&rig, rig_drain_now, &rig);
	assert_true(read_to_end(fd, reply.text, RIG_MAX) > 0);
	assert_non_null(strstr(reply.text, "bye\r\n0\r\n\r\n"));
	close(fd);
	RIG_UNTIL(rig.drained);
	assert_int_equal(drained, 1);
	assert_int_equal(gone, 0);
}

/* The server ends with a stream that nobody ends. */
static void
test_the_server_ends(void **state)
{
	(void)state;
	int fd = rig_dial(&rig);

	rig_put(fd, "GET /forever HTTP/1.1\r\n" HOST "\r\n");
	rig_read_as(fd, &reply, true);
	rig_call(&rig, rig_free_now, &rig);
	assert_int_equal(gone, 1);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_chunks, start, stop),
		cmocka_unit_test_setup_teardown(
		    test_an_old_client_gets_no_chunks, start, stop),
		cmocka_unit_test_setup_teardown(test_keep_alive, start, stop),
		cmocka_unit_test_setup_teardown(test_head_gets_the_head, start, stop),
		cmocka_unit_test_setup_teardown(
		    test_a_slow_client_slows_the_writer, start, stop),
		cmocka_unit_test_setup_teardown(
		    test_a_client_that_does_not_read_is_cut, start_impatient, stop),
		cmocka_unit_test_setup_teardown(test_a_cut_body_is_an_error, start, stop),
		cmocka_unit_test_setup_teardown(test_a_client_that_leaves, start, stop),
		cmocka_unit_test_setup_teardown(test_drain_ends_a_stream, start, stop),
		cmocka_unit_test_setup_teardown(test_the_server_ends, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
