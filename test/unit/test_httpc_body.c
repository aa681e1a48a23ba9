/* The HTTP client's requests whose body comes in pieces: framing, pauses, early answers,
 * ends of every kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_up.h"

enum {
	PIECE = 50000,
};

/* Who has the rest of a body: `pieces` of PIECE bytes. */
static struct {
	int64_t length;
	int pieces, given, rooms;
	enum err abort_with;      /* once the pieces are given; ERR_OK: finishes */
	bool idle;                /* gives nothing at all */
	struct loop_timer *later; /* started when there is room; NULL: none */
	struct call *call;
	struct result result;
} source;

static atomic_bool source_waits; /* for room */

static void
give(struct call *call)
{
	static char piece[PIECE];

	memset(piece, 'x', sizeof(piece));
	while (source.given < source.pieces) {
		source.given++;
		if (!httpc_write(call, (str){ piece, PIECE })) {
			source_waits = true;
			return;
		}
	}
	if (source.abort_with != ERR_OK)
		httpc_abort(call, source.abort_with);
	else
		httpc_finish(call);
}

static void
on_room(void *arg, struct call *call)
{
	assert_ptr_equal(arg, &source);
	assert_int_equal(source.result.done, 0);
	source.rooms++;
	source.call = call;
	if (source.later != NULL)
		loop_timer_set(source.later, 200000);
	if (!source.idle)
		give(call);
}

static const struct httpc_source ops = { on_room };

static enum err
upload(int64_t length, int pieces)
{
	struct httpc_request request = post;

	request.source = &ops;
	request.source_arg = &source;
	request.length = length;
	source.length = length;
	source.pieces = pieces;
	return ask(&source.result, &request);
}

/* What the server has seen of one request. */
static struct {
	char head[1000];
	size_t body; /* bytes, with the framing */
	char tail[8];
	bool whole;
} seen;

/* Reads a head into `seen`, byte by byte. */
static bool
take_head(int fd)
{
	char head[sizeof(seen.head)] = "";
	size_t n = 0;

	while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0)
		if (n + 1 >= sizeof(head) || recv(fd, head + n++, 1, 0) != 1)
			return false;
	memset(&seen, 0, sizeof(seen));
	memcpy(seen.head, head, n);
	return true;
}

/* The last bytes may come in several pieces. */
static void
keep_tail(const char *bytes, size_t n)
{
	enum {
		TAIL = sizeof(seen.tail) - 1
	};
	size_t more = n < TAIL ? n : TAIL;

	memmove(seen.tail, seen.tail + more, TAIL - more);
	memcpy(seen.tail + TAIL - more, bytes + n - more, more);
}

/* Reads on up to `size` bytes, or to the end. */
static void
take(int fd, size_t size)
{
	static char bytes[65536];
	size_t want;
	ssize_t n;

	while (seen.body < size) {
		want =
		    size - seen.body < sizeof(bytes) ? size - seen.body : sizeof(bytes);
		n = recv(fd, bytes, want, 0);
		if (n <= 0)
			return;
		seen.body += (size_t)n;
		keep_tail(bytes, (size_t)n);
	}
	seen.whole = true;
}

static size_t expected;

static void
takes_all(int fd, int n)
{
	(void)n;
	while (take_head(fd)) {
		take(fd, expected);
		put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	}
}

static void
test_of_known_length(void **state)
{
	(void)state;

	server_start(takes_all);
	connect_with(1);
	for (int i = 0; i < 2; i++) { /* the second on the same connection */
		memset(&source, 0, sizeof(source));
		expected = 4 + 3 * PIECE;
		assert_int_equal(upload(4 + 3 * PIECE, 3), ERR_OK);
		assert_string_equal(source.result.body, "ok");
		assert_true(seen.whole);
		assert_non_null(strstr(seen.head, "\r\nContent-Length: 150004\r\n"));
		assert_null(strstr(seen.head, "Transfer-Encoding"));
	}
	assert_int_equal(server.accepted, 1);
}

static void
test_of_unknown_length(void **state)
{
	(void)state;

	server_start(takes_all);
	connect_with(1);
	/* "4\r\nbody\r\n", "c350\r\n…\r\n" twice, "0\r\n\r\n" */
	expected = 9 + 2 * (PIECE + 8) + 5;
	assert_int_equal(upload(-1, 2), ERR_OK);
	assert_true(seen.whole);
	assert_non_null(strstr(seen.head, "\r\nTransfer-Encoding: chunked\r\n"));
	assert_null(strstr(seen.head, "Content-Length"));
	assert_string_equal(seen.tail, "\r\n0\r\n\r\n");
}

static void
takes_slowly(int fd, int n)
{
	int small = 65536;

	(void)n;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	ASSERT(take_head(fd));
	until_set(&source_waits);
	take(fd, expected);
	put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

static void
test_the_source_waits_for_room(void **state)
{
	(void)state;

	source_waits = false;
	server_start(takes_slowly);
	connect_with(1);
	expected = 4 + 200 * PIECE;
	assert_int_equal(upload(4 + 200 * PIECE, 200), ERR_OK);
	assert_true(seen.whole);
	assert_true(source.rooms > 1);
}

static atomic_int broken_off;

static void
breaks_off(int fd, int n)
{
	(void)n;
	take_head(fd);
	take(fd, SIZE_MAX);
	broken_off++;
}

static void
test_a_body_that_does_not_come(void **state)
{
	size_t conns, busy, queued;

	(void)state;
	server_start(breaks_off);
	connect_with(1);
	source.abort_with = ERR_TOO_LARGE;
	broken_off = 0;
	assert_int_equal(upload(-1, 1), ERR_TOO_LARGE);
	RIG_UNTIL(broken_off == 1);
	assert_int_equal(seen.body, 9 + PIECE + 8); /* and no end */
	httpc_stats(client, &conns, &busy, &queued);
	assert_int_equal(conns, 0);
	assert_int_equal(server.accepted, 1);
}

static void
answers_early(int fd, int n)
{
	(void)n;
	ASSERT(take_head(fd));
	put(fd, "HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\nno");
	take(fd, SIZE_MAX);
}

static void
test_an_early_answer_ends_it(void **state)
{
	(void)state;
	server_start(answers_early);
	connect_with(1);
	source.idle = true;
	assert_int_equal(upload(1000000, 0), ERR_OK);
	assert_int_equal(source.result.status, 400);
	RIG_UNTIL(server.open == 0); /* never used again */
}

static void
answers_and_is_gone(int fd, int n)
{
	const struct linger now = { .l_onoff = 1 };

	(void)n;
	ASSERT(take_head(fd));
	put(fd, "HTTP/1.1 413 Too much\r\nContent-Length: 2\r\n\r\nno");
	poll(NULL, 0, 20);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* What it said before it went counts, even if we were writing. */
static void
test_an_early_answer_and_a_reset(void **state)
{
	(void)state;
	server_start(answers_and_is_gone);
	connect_with(1);
	assert_int_equal(upload(4 + 200 * PIECE, 200), ERR_OK);
	assert_int_equal(source.result.status, 413);
}

static void
resets(int fd, int n)
{
	const struct linger now = { .l_onoff = 1 };

	(void)n;
	if (take_head(fd))
		take(fd, 10);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void
test_a_reset(void **state)
{
	(void)state;
	server_start(resets);
	connect_with(1);
	assert_int_equal(upload(4 + 200 * PIECE, 200), ERR_BAD_GATEWAY);
	assert_int_equal(server.accepted, 1); /* never sent again */
}

static atomic_bool let_go;

/* Until the test is over: the client's end queues behind what is not taken. */
static void
hangs(int fd, int n)
{
	(void)n;
	take_head(fd);
	until_set(&let_go);
}

static void
test_a_server_that_takes_nothing(void **state)
{
	(void)state;
	let_go = false;
	server_start(hangs);
	connect_with(1);
	httpc_free(client);
	conf.response_us = 50000;
	client = httpc_new(loop, &conf);
	assert_int_equal(upload(4 + 200 * PIECE, 200), ERR_TIMEOUT);
	let_go = true;
}

/* Answers too, before the loop looks again: nobody has to be quick. */
static void
give_late(void *arg)
{
	int *fd = arg;

	assert_int_equal(source.result.done, 0);
	*fd = accept(server.fd, NULL, NULL);
	give(source.call);
	put(*fd, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}

/* The source is not hurried: while it has nothing, nobody waits for the server. */
static void
test_a_source_that_takes_its_time(void **state)
{
	int fd = -1;

	(void)state;
	assert_int_equal(listen(server.fd, 1), 0);
	connect_with(1);
	httpc_free(client);
	conf.response_us = 50000;
	client = httpc_new(loop, &conf);
	source.idle = true;
	source.later = loop_timer_new(loop, give_late, &fd);
	assert_int_equal(upload(4 + PIECE, 1), ERR_OK);
	loop_timer_free(source.later);
	assert_true(take_head(fd)); /* the client has closed: it is here, or never */
	take(fd, 4 + PIECE);
	assert_true(seen.whole);
	close(fd);
}

static void
test_an_end_in_the_middle(void **state)
{
	struct httpc_request request = post;

	(void)state;
	server_start(breaks_off);
	connect_with(1);
	source.idle = true;
	request.source = &ops;
	request.source_arg = &source;
	request.length = -1;
	begin(&source.result, &request);
	RIG_UNTIL((run_for(1000), source.rooms == 1));
	httpc_free(client);
	client = NULL;
	assert_int_equal(source.result.done, 1);
	assert_int_equal(source.result.err, ERR_DRAINING);
}

static int
setup(void **state)
{
	memset(&source, 0, sizeof(source));
	return init(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fini)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_of_known_length),
		TEST(test_of_unknown_length),
		TEST(test_the_source_waits_for_room),
		TEST(test_a_body_that_does_not_come),
		TEST(test_an_early_answer_ends_it),
		TEST(test_an_early_answer_and_a_reset),
		TEST(test_a_reset),
		TEST(test_a_server_that_takes_nothing),
		TEST(test_a_source_that_takes_its_time),
		TEST(test_an_end_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
