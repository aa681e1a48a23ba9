/* The event loop: descriptors. */
#include "loop_fixture.h"

#include <malloc.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct end {
	int fd;
	struct loop_io *io; /* owned */
	struct end *other;  /* borrowed */
	char letter;
	bool free_self, free_other, once;
};

static void
on_ready(void *arg, unsigned ready)
{
	struct end *e = arg;

	note(ready == LOOP_READ ? e->letter : (char)(e->letter - 'a' + 'A'));
	if (e->free_other) {
		loop_io_free(e->other->io);
		e->other->io = NULL;
	}
	if (e->free_self) {
		loop_io_free(e->io);
		e->io = NULL;
	}
	if (e->once)
		loop_stop(loop);
}

static void
open_pair(struct end *a, struct end *b)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	*a = (struct end){ .fd = fds[0], .other = b, .letter = 'a', .once = true };
	*b = (struct end){ .fd = fds[1], .other = a, .letter = 'b', .once = true };
	a->io = loop_io_new(loop, a->fd, LOOP_REQUESTS, on_ready, a);
	b->io = loop_io_new(loop, b->fd, LOOP_REQUESTS, on_ready, b);
}

static void
close_pair(struct end *a, struct end *b)
{
	loop_io_free(a->io);
	loop_io_free(b->io);
	close(a->fd);
	close(b->fd);
}

static void
test_readable_until_it_was_read(void **state)
{
	(void)state;
	struct end a, b;
	char byte;

	open_pair(&a, &b);
	loop_io_want(a.io, LOOP_READ);
	run_for(MS(5));
	assert_string_equal(trace, "");
	assert_int_equal(write(b.fd, "x", 1), 1);
	loop_run(loop);
	loop_run(loop);
	assert_string_equal(trace, "aa");
	loop_io_want(a.io, 0);
	run_for(MS(5));
	assert_string_equal(trace, "aa");
	loop_io_want(a.io, LOOP_READ);
	loop_run(loop);
	assert_string_equal(trace, "aaa");
	assert_int_equal(read(a.fd, &byte, 1), 1);
	run_for(MS(5));
	assert_string_equal(trace, "aaa");
	close_pair(&a, &b);
}

static void
test_writable_when_there_is_room(void **state)
{
	(void)state;
	static char block[65536];
	struct end a, b;

	open_pair(&a, &b);
	while (write(a.fd, block, sizeof(block)) > 0)
		;
	loop_io_want(a.io, LOOP_READ | LOOP_WRITE);
	run_for(MS(5));
	assert_string_equal(trace, "");
	while (read(b.fd, block, sizeof(block)) > 0)
		;
	loop_run(loop);
	assert_string_equal(trace, "A");
	loop_io_want(a.io, LOOP_READ);
	run_for(MS(5));
	assert_string_equal(trace, "A");
	loop_io_want(a.io, LOOP_WRITE);
	loop_run(loop);
	assert_string_equal(trace, "AA");
	close_pair(&a, &b);
}

/* A peer that hangs up is heard by whoever wants anything, and by nobody who paused. */
static void
test_hang_up(void **state)
{
	(void)state;
	struct end a, b;

	open_pair(&a, &b);
	loop_io_free(b.io);
	b.io = NULL;
	shutdown(b.fd, SHUT_RDWR);
	run_for(MS(5));
	assert_string_equal(trace, "");
	loop_io_want(a.io, LOOP_READ);
	loop_run(loop);
	assert_string_equal(trace, "a");
	close_pair(&a, &b);
}

static void
test_frees_itself_before_its_other_half_is_called(void **state)
{
	(void)state;
	struct end a, b;

	open_pair(&a, &b);
	assert_int_equal(write(b.fd, "x", 1), 1);
	a.free_self = true;
	loop_io_want(a.io, LOOP_READ | LOOP_WRITE); /* both at once */
	loop_run(loop);
	assert_int_equal(strlen(trace), 1);
	close_pair(&a, &b);
}

/* Both are ready in the same turn; the first to be called frees the other. */
static void
test_frees_one_that_would_be_called_next(void **state)
{
	(void)state;
	struct end a, b;

	open_pair(&a, &b);
	assert_int_equal(write(a.fd, "x", 1), 1);
	assert_int_equal(write(b.fd, "x", 1), 1);
	a.free_other = b.free_other = true;
	loop_io_want(a.io, LOOP_READ);
	loop_io_want(b.io, LOOP_READ);
	loop_run(loop);
	assert_int_equal(strlen(trace), 1);
	close_pair(&a, &b);
}

/* What was left unread is not told again, until somebody wants to know. */
static void
test_an_edge_is_told_once(void **state)
{
	(void)state;
	struct end a, b;
	char byte;

	open_pair(&a, &b);
	loop_io_want(a.io, LOOP_READ | LOOP_EDGE);
	assert_int_equal(write(b.fd, "x", 1), 1);
	loop_run(loop);
	run_for(MS(5));
	assert_string_equal(trace, "a");
	assert_int_equal(write(b.fd, "x", 1), 1);
	loop_run(loop);
	run_for(MS(5));
	assert_string_equal(trace, "aa");
	loop_io_want(a.io, LOOP_READ);
	loop_run(loop);
	loop_run(loop);
	assert_string_equal(trace, "aaaa");
	loop_io_want(a.io, LOOP_READ | LOOP_EDGE); /* it may have come just before */
	loop_run(loop);
	run_for(MS(5));
	assert_string_equal(trace, "aaaaa");
	assert_int_equal(read(a.fd, &byte, 1), 1);
	close_pair(&a, &b);
}

static void
on_ready_reads(void *arg, unsigned ready)
{
	struct end *e = arg;
	char byte;
	ssize_t n = read(e->fd, &byte, 1);

	(void)ready;
	note(n == 1 ? 'r' : n == 0 ? '0' : '-');
	if (n == 0)
		loop_io_want(e->io, 0);
}

/* One edge for both, and one read gets the bytes only. */
static void
test_the_end_behind_an_edge_is_told(void **state)
{
	(void)state;
	struct end a, b;

	open_pair(&a, &b);
	loop_io_free(a.io);
	a.io = loop_io_new(loop, a.fd, LOOP_REQUESTS, on_ready_reads, &a);
	loop_io_want(a.io, LOOP_READ | LOOP_EDGE);
	assert_int_equal(write(b.fd, "x", 1), 1);
	shutdown(b.fd, SHUT_WR);
	run_for(MS(5));
	assert_string_equal(trace, "r0");
	close_pair(&a, &b);
}

/* From an edge to a level and to writing, and back: the kernel knows each time. */
static void
test_an_edge_becomes_another(void **state)
{
	(void)state;
	struct end a, b;

	open_pair(&a, &b);
	loop_io_want(a.io, LOOP_READ | LOOP_EDGE);
	loop_io_want(a.io, LOOP_READ | LOOP_WRITE);
	loop_run(loop);
	loop_run(loop);
	assert_string_equal(trace, "AA");
	loop_io_want(a.io, LOOP_READ | LOOP_EDGE);
	run_for(MS(5));
	assert_string_equal(trace, "AA");
	assert_int_equal(write(b.fd, "x", 1), 1);
	loop_run(loop);
	loop_io_want(a.io, 0);
	assert_int_equal(write(b.fd, "x", 1), 1);
	run_for(MS(5));
	assert_string_equal(trace, "AAa");
	loop_io_want(a.io, LOOP_READ | LOOP_EDGE);
	loop_run(loop);
	assert_string_equal(trace, "AAaa");
	close_pair(&a, &b);
}

/* --- whose turn it is ----------------------------------------------------------------
 */

static void
test_answers_go_before_requests(void **state)
{
	(void)state;
	struct end a, b;

	open_pair(&a, &b);
	loop_io_free(b.io);
	b.io = loop_io_new(loop, b.fd, LOOP_ANSWERS, on_ready, &b);
	a.once = b.once = false;
	assert_int_equal(write(a.fd, "x", 1), 1);
	assert_int_equal(write(b.fd, "x", 1), 1);
	loop_io_want(a.io, LOOP_READ | LOOP_EDGE); /* the first that epoll finds */
	loop_io_want(b.io, LOOP_READ | LOOP_EDGE);
	run_for(MS(5));
	assert_string_equal(trace, "ba");
	close_pair(&a, &b);
}

enum {
	ASKING = 220, /* requests */
};

static struct loop_timer *all_have_asked;

/* Each request asks something, and the first answer is there at once. */
static void
on_request_asks(void *arg, unsigned ready)
{
	static int asked;
	struct end *e = arg;

	(void)ready;
	note('r');
	assert_int_equal(write(e->fd, "x", 1), 1);
	if (++asked == ASKING)
		loop_timer_set(all_have_asked, 0);
}

/* Of many requests that came at the same time, some have their answer before the others
 * are begun; none is forgotten. */
static void
test_a_long_turn_ends_for_the_answers(void **state)
{
	(void)state;
	struct end a, b;
	struct loop_io *ios[ASKING];
	int fds[ASKING];
	const char *answer;

	open_pair(&a, &b);
	loop_io_free(a.io);
	a.io = loop_io_new(loop, a.fd, LOOP_ANSWERS, on_ready, &a);
	a.once = false;
	loop_io_want(a.io, LOOP_READ | LOOP_EDGE);
	for (int i = 0; i < ASKING; i++) {
		fds[i] = eventfd(1, 0);
		ios[i] = loop_io_new(loop, fds[i], LOOP_REQUESTS, on_request_asks, &b);
		loop_io_want(ios[i], LOOP_READ | LOOP_EDGE);
	}
	all_have_asked = loop_timer_new(loop, stop_soon, NULL);
	loop_run(loop);
	loop_timer_free(all_have_asked);
	answer = strchr(trace, 'a');
	assert_non_null(answer);
	assert_in_range(answer - trace, 1, ASKING / 2);
	assert_in_range(strlen(trace), ASKING + 2, ASKING + 10); /* one a turn */
	for (int i = 0; i < ASKING; i++) {
		loop_io_free(ios[i]);
		close(fds[i]);
	}
	close_pair(&a, &b);
}

static void
count_calls(void *arg, unsigned ready)
{
	int *calls = arg;

	(void)ready;
	(*calls)++;
}

/* Answers that never end, as a backlog is, hold up neither requests nor timers. */
static void
test_requests_have_their_turn(void **state)
{
	(void)state;
	int fds[2], calls[2] = { 0, 0 };
	struct loop_io *ios[2];

	for (int i = 0; i < 2; i++) {
		fds[i] = eventfd(1, 0);
		ios[i] = loop_io_new(loop, fds[i], i == 0 ? LOOP_ANSWERS : LOOP_REQUESTS,
		    count_calls, &calls[i]);
		loop_io_want(ios[i], LOOP_READ);
	}
	run_for(MS(20));
	assert_true(calls[1] > 0);
	assert_true(calls[0] > calls[1]);
	for (int i = 0; i < 2; i++) {
		loop_io_free(ios[i]);
		close(fds[i]);
	}
}

/* An idle connection of a server is one of these; 10,000 must cost little. */
static void
test_an_idle_io_is_small(void **state)
{
	(void)state;
	enum {
		COUNT = 5000
	};
	static struct loop_io *ios[COUNT];
	static int fds[COUNT];
	struct rlimit files;
	size_t before, used;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_max < COUNT + 100)
		skip();
	for (int i = 0; i < COUNT; i++)
		fds[i] = eventfd(0, 0);
	before = mallinfo2().uordblks;
	for (int i = 0; i < COUNT; i++) {
		ios[i] = loop_io_new(loop, fds[i], LOOP_REQUESTS, on_ready, NULL);
		loop_io_want(ios[i], LOOP_READ);
	}
	used = mallinfo2().uordblks - before;
	assert_true(used / COUNT < 300);
	for (int i = 0; i < COUNT; i++) {
		loop_io_free(ios[i]);
		close(fds[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_readable_until_it_was_read),
		TEST(test_writable_when_there_is_room),
		TEST(test_hang_up),
		TEST(test_frees_itself_before_its_other_half_is_called),
		TEST(test_frees_one_that_would_be_called_next),
		TEST(test_an_edge_is_told_once),
		TEST(test_the_end_behind_an_edge_is_told),
		TEST(test_an_edge_becomes_another),
		TEST(test_answers_go_before_requests),
		TEST(test_a_long_turn_ends_for_the_answers),
		TEST(test_requests_have_their_turn),
		TEST(test_an_idle_io_is_small),
	};
	return cmocka_run_group_tests_name("loop_io", tests, NULL, NULL);
}
