/* The event loop: descriptors, jobs, posts from other threads. */
#include "loop_fixture.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- descriptors ---------------------------------------------------------------------
 */

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
	a->io = loop_io_new(loop, a->fd, on_ready, a);
	b->io = loop_io_new(loop, b->fd, on_ready, b);
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
		ios[i] = loop_io_new(loop, fds[i], on_ready, NULL);
		loop_io_want(ios[i], LOOP_READ);
	}
	used = mallinfo2().uordblks - before;
	assert_true(used / COUNT < 300);
	for (int i = 0; i < COUNT; i++) {
		loop_io_free(ios[i]);
		close(fds[i]);
	}
}

/* --- jobs ----------------------------------------------------------------------------
 */

struct task {
	struct loop_job job;
	char letter;
	struct task *next; /* borrowed; queued by this one */
};

static void
run_task(struct loop_job *job)
{
	struct task *t = CONTAINER_OF(job, struct task, job);

	note(t->letter);
	if (t->next != NULL)
		loop_defer(loop, &t->next->job);
	t->next = NULL;
}

static void
run_stop(struct loop_job *job)
{
	(void)job;
	note('.');
	loop_stop(loop);
}

static void
test_jobs_run_once_in_order(void **state)
{
	(void)state;
	struct task a = { .job = { .run = run_task }, .letter = 'a' };
	struct task b = { .job = { .run = run_task }, .letter = 'b', .next = &a };
	struct loop_job stop = { .run = run_stop };

	loop_defer(loop, &a.job);
	loop_defer(loop, &b.job);
	loop_defer(loop, &a.job); /* queued already */
	loop_defer(loop, &stop);
	loop_run(loop);
	assert_string_equal(trace, "ab.a");
}

static void
defer_task(void *arg, unsigned ready)
{
	(void)ready;
	note('r');
	loop_defer(loop, arg);
}

/* All that was ready in a turn has been heard before its jobs run: this is what makes a
 * batch out of requests that came together. */
static void
test_jobs_run_after_the_events_of_the_turn(void **state)
{
	(void)state;
	struct task stop = { .job = { .run = run_stop } };
	struct task a = { .job = { .run = run_task }, .letter = 'a', .next = &stop };
	struct loop_io *ios[3];
	int fds[3];

	for (int i = 0; i < 3; i++) {
		fds[i] = eventfd(1, 0);
		ios[i] = loop_io_new(loop, fds[i], defer_task, &a.job);
		loop_io_want(ios[i], LOOP_READ);
	}
	loop_run(loop);
	assert_string_equal(trace, "rrra.");
	for (int i = 0; i < 3; i++) {
		loop_io_free(ios[i]);
		close(fds[i]);
	}
}

static void
run_free(struct loop_job *job)
{
	note('f');
	free(job);
}

/* How a long-lived object goes: nothing looks at the job after it has run. */
static void
test_a_job_frees_what_it_is_in(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct loop_job *job = xcalloc(1, sizeof(*job));

		job->run = run_free;
		loop_defer(loop, job);
	}
	run_for(0);
	assert_string_equal(trace, "ff");
}

/* What is still queued when the loop goes is run, so that nothing is leaked. */
static void
test_free_runs_what_is_left(void **state)
{
	struct loop_job *deferred = xcalloc(1, sizeof(*deferred));
	struct loop_job *posted = xcalloc(1, sizeof(*posted));

	deferred->run = posted->run = run_free;
	loop_defer(loop, deferred);
	loop_post(loop, posted);
	end(state);
	assert_string_equal(trace, "ff");
	begin(state);
}

enum {
	THREADS = 4,
	POSTS = 2000
};

static int arrived; /* the loop's thread */

struct letter {
	struct loop_job job;
	int thread, number;
};

static void
run_letter(struct loop_job *job)
{
	static int last[THREADS];
	struct letter *letter = CONTAINER_OF(job, struct letter, job);

	assert_true(letter->number == 0 || letter->number == last[letter->thread] + 1);
	last[letter->thread] = letter->number;
	free(letter);
	if (++arrived == THREADS * POSTS)
		loop_stop(loop);
}

static void *
post_letters(void *arg)
{
	const int *thread = arg;

	for (int i = 0; i < POSTS; i++) {
		struct letter *letter = xcalloc(1, sizeof(*letter));

		letter->job.run = run_letter;
		letter->thread = *thread;
		letter->number = i;
		loop_post(loop, &letter->job);
	}
	return NULL;
}

/* Nothing else wakes the loop here: a lost wake-up would hang. */
static void
test_posts_from_threads_all_arrive_in_order(void **state)
{
	(void)state;
	pthread_t threads[THREADS];
	int numbers[THREADS];

	arrived = 0;
	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		assert_int_equal(
		    pthread_create(&threads[i], NULL, post_letters, &numbers[i]), 0);
	}
	loop_run(loop);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(arrived, THREADS * POSTS);
}

/* --- the loop itself -----------------------------------------------------------------
 */

static void
test_a_stop_before_the_run_counts(void **state)
{
	(void)state;
	struct task a = { .job = { .run = run_task }, .letter = 'a' };

	loop_defer(loop, &a.job);
	loop_stop(loop);
	loop_run(loop);
	assert_string_equal(trace, "a");
	run_for(MS(1)); /* and only once */
}

static int64_t begun_us; /* before the run in which check_clock is called */

static void
check_clock(void *arg, unsigned ready)
{
	int64_t now = loop_now_us(loop);

	(void)ready;
	assert_true(now >= begun_us && now <= clock_mono_us());
	while (clock_mono_us() < now + MS(2))
		;
	assert_int_equal(loop_now_us(loop), now);
	loop_io_want(*(struct loop_io **)arg, 0);
	loop_stop(loop);
}

static void
test_the_clock_stands_still_in_a_turn(void **state)
{
	(void)state;
	int fd = eventfd(1, 0);
	struct loop_io *io;
	int64_t ended, later;

	io = loop_io_new(loop, fd, check_clock, &io);
	loop_io_want(io, LOOP_READ);
	begun_us = clock_mono_us();
	loop_run(loop);
	/* Before and after a run it goes on, for those who start and stop. */
	ended = clock_mono_us();
	later = loop_now_us(loop);
	assert_true(ended <= later && later <= clock_mono_us());
	loop_io_free(io);
	close(fd);
}

static void
test_free_accepts_null(void **state)
{
	(void)state;
	loop_free(NULL);
	loop_io_free(NULL);
	loop_timer_free(NULL);
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
		TEST(test_an_idle_io_is_small),
		TEST(test_jobs_run_once_in_order),
		TEST(test_jobs_run_after_the_events_of_the_turn),
		TEST(test_a_job_frees_what_it_is_in),
		TEST(test_free_runs_what_is_left),
		TEST(test_posts_from_threads_all_arrive_in_order),
		TEST(test_a_stop_before_the_run_counts),
		TEST(test_the_clock_stands_still_in_a_turn),
		TEST(test_free_accepts_null),
	};
	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
