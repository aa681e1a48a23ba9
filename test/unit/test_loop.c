/* The event loop, with real descriptors, clocks and threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/loop.h"
#include "base/clock.h"

#define MS(n) ((n)*CLOCK_US_PER_MS)

static struct loop *loop;
static char trace[256]; /* what was called, a letter each */

static int
begin(void **state)
{
	(void)state;
	loop = loop_new();
	trace[0] = '\0';
	return 0;
}

static int
end(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

static void
note(char letter)
{
	size_t n = strlen(trace);

	assert_true(n + 1 < sizeof(trace));
	trace[n] = letter;
	trace[n + 1] = '\0';
}

static void
stop_soon(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

/* Runs the loop for about this long. */
static void
run_for(int64_t us)
{
	struct loop_timer *t = loop_timer_new(loop, stop_soon, NULL);

	loop_timer_set(t, us);
	loop_run(loop);
	loop_timer_free(t);
}

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

/* --- timers --------------------------------------------------------------------------
 */

struct alarm {
	struct loop_timer *timer; /* owned */
	int64_t called_us;
	bool free_self;
};

static void
on_alarm(void *arg)
{
	struct alarm *alarm = arg;

	note('t');
	alarm->called_us = clock_mono_us();
	if (alarm->free_self) {
		loop_timer_free(alarm->timer);
		alarm->timer = NULL;
	}
	loop_stop(loop);
}

/* libevent's clock is coarse; ours must still never fire before its time. */
static void
test_a_timer_is_never_early(void **state)
{
	(void)state;
	struct alarm alarm = { .timer = loop_timer_new(loop, on_alarm, &alarm) };

	for (int64_t us = 0; us < MS(8); us += 777) {
		int64_t start = clock_mono_us();

		loop_timer_set(alarm.timer, us);
		loop_run(loop);
		assert_true(alarm.called_us - start >= us);
	}
	loop_timer_set(alarm.timer, -5);
	loop_run(loop);
	loop_timer_free(alarm.timer);
}

static void
test_a_timer_moves_and_stops(void **state)
{
	(void)state;
	struct alarm alarm = { .timer = loop_timer_new(loop, on_alarm, &alarm) };
	int64_t start = clock_mono_us();

	loop_timer_set(alarm.timer, MS(1));
	loop_timer_set(alarm.timer, MS(20));
	loop_run(loop);
	assert_true(alarm.called_us - start >= MS(20));
	loop_timer_set(alarm.timer, MS(20));
	loop_timer_set(alarm.timer, MS(1));
	loop_run(loop);
	loop_timer_set(alarm.timer, MS(1));
	loop_timer_stop(alarm.timer);
	run_for(MS(10));
	assert_string_equal(trace, "tt");
	loop_timer_free(alarm.timer);
}

static void
test_a_timer_frees_itself(void **state)
{
	(void)state;
	struct alarm alarm = { .timer = loop_timer_new(loop, on_alarm, &alarm) };

	alarm.free_self = true;
	loop_timer_set(alarm.timer, MS(1));
	loop_run(loop);
	assert_null(alarm.timer);
}

/* --- deadlines of one length ---------------------------------------------------------
 */

struct deadline {
	struct loop_wait wait;
	char letter;
	struct deadline *stop;    /* borrowed; stopped when this one runs out */
	struct loop_waits *again; /* borrowed; this one starts again there, once */
	int64_t called_us;
};

static void
on_deadline(struct loop_wait *w)
{
	struct deadline *d = CONTAINER_OF(w, struct deadline, wait);

	note(d->letter);
	assert_null(w->waits);
	d->called_us = clock_mono_us();
	if (d->stop != NULL)
		loop_wait_stop(&d->stop->wait);
	if (d->again != NULL)
		loop_wait_start(d->again, w);
	d->again = NULL;
}

static void
test_waits_run_out_in_order(void **state)
{
	(void)state;
	struct loop_waits *waits = loop_waits_new(loop, MS(30), on_deadline);
	struct deadline d[5] = { { .letter = 'a' }, { .letter = 'b' }, { .letter = 'c' },
		{ .letter = 'd' }, { .letter = 'e' } };
	int64_t start = clock_mono_us();

	for (int i = 0; i < 5; i++)
		loop_wait_start(waits, &d[i].wait);
	loop_wait_start(waits, &d[1].wait); /* goes to the end */
	loop_wait_stop(&d[3].wait);
	loop_wait_stop(&d[3].wait); /* not running is fine */
	run_for(MS(100));
	assert_string_equal(trace, "aceb");
	for (int i = 0; i < 5; i++)
		assert_true(i == 3 || d[i].called_us - start >= MS(30));
	loop_waits_free(waits);
}

static void
test_a_wait_stops_and_starts_others(void **state)
{
	(void)state;
	struct loop_waits *waits = loop_waits_new(loop, MS(15), on_deadline);
	struct deadline c = { .letter = 'c' };
	struct deadline b = { .letter = 'b', .again = waits };
	struct deadline a = { .letter = 'a', .stop = &c };

	loop_wait_start(waits, &a.wait);
	loop_wait_start(waits, &b.wait);
	loop_wait_start(waits, &c.wait);
	run_for(MS(100));
	assert_string_equal(trace, "abb");
	loop_waits_free(waits);
}

/* The timer runs on after a stop; what starts later must still be on time. */
static void
test_a_wait_after_an_idle_time(void **state)
{
	(void)state;
	struct loop_waits *waits = loop_waits_new(loop, MS(20), on_deadline);
	struct deadline a = { .letter = 'a' };
	int64_t start;

	loop_wait_start(waits, &a.wait);
	loop_wait_stop(&a.wait);
	run_for(MS(12));
	start = clock_mono_us();
	loop_wait_start(waits, &a.wait);
	run_for(MS(60));
	assert_string_equal(trace, "a");
	assert_true(a.called_us - start >= MS(20));
	run_for(MS(40));
	loop_wait_start(waits, &a.wait);
	run_for(MS(60));
	assert_string_equal(trace, "aa");
	loop_waits_free(waits);
}

static void
test_freeing_waits_stops_them(void **state)
{
	(void)state;
	struct loop_waits *waits = loop_waits_new(loop, MS(5), on_deadline);
	struct deadline a = { .letter = 'a' };

	loop_wait_start(waits, &a.wait);
	loop_waits_free(waits);
	loop_waits_free(NULL);
	assert_null(a.wait.waits);
	run_for(MS(30));
	assert_string_equal(trace, "");
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

static void
check_clock(void *arg, unsigned ready)
{
	int64_t now = loop_now_us(loop);

	(void)ready;
	assert_in_range(clock_mono_us() - now, 0, MS(50));
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

	io = loop_io_new(loop, fd, check_clock, &io);
	loop_io_want(io, LOOP_READ);
	loop_run(loop);
	/* Before and after a run it goes on, for those who start and stop. */
	assert_in_range(clock_mono_us() - loop_now_us(loop), 0, MS(1));
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

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
		TEST(test_a_timer_is_never_early),
		TEST(test_a_timer_moves_and_stops),
		TEST(test_a_timer_frees_itself),
		TEST(test_waits_run_out_in_order),
		TEST(test_a_wait_stops_and_starts_others),
		TEST(test_a_wait_after_an_idle_time),
		TEST(test_freeing_waits_stops_them),
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
