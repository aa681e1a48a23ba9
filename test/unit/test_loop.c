/* The event loop: jobs, posts from other threads, the clock. */
#include "loop_fixture.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

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
		ios[i] = loop_io_new(loop, fds[i], LOOP_REQUESTS, defer_task, &a.job);
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

	io = loop_io_new(loop, fd, LOOP_REQUESTS, check_clock, &io);
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
