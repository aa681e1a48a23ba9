/* The event loop: timers, and deadlines of one length. */
#include "loop_fixture.h"

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
	bool stops;               /* the loop, when it has run out for good */
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
	else if (d->stops)
		loop_stop(loop);
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
	struct deadline b = { .letter = 'b', .again = waits, .stops = true };
	struct deadline a = { .letter = 'a', .stop = &c };

	loop_wait_start(waits, &a.wait);
	loop_wait_start(waits, &b.wait);
	loop_wait_start(waits, &c.wait);
	loop_run(loop);
	run_for(MS(30));
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_timer_is_never_early),
		TEST(test_a_timer_moves_and_stops),
		TEST(test_a_timer_frees_itself),
		TEST(test_waits_run_out_in_order),
		TEST(test_a_wait_stops_and_starts_others),
		TEST(test_a_wait_after_an_idle_time),
		TEST(test_freeing_waits_stops_them),
	};
	return cmocka_run_group_tests_name("loop timers", tests, NULL, NULL);
}
