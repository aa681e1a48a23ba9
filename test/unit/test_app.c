/*
 * The life of a process. Each test forks one that calls app_main, sends it what an
 * operator or a supervisor would, and looks at its exit status, at what it printed and
 * at the order in which its functions were called.
 */
#include "app_fixture.h"

#include <sys/resource.h>

/* --- the process under test ----------------------------------------------------------
 */

static bool
start(struct app *app)
{
	note('(');
	assert_false(app_stopping(app));
	return true;
}

static bool
start_badly(struct app *app)
{
	(void)app;
	note('(');
	log_error("cannot start");
	return false;
}

static bool
worker_start(struct worker *w)
{
	note((char)('0' + w->index));
	return true;
}

static bool
second_worker_fails(struct worker *w)
{
	note((char)('0' + w->index));
	return w->index == 0;
}

static void
worker_drain(struct worker *w)
{
	note('d');
	worker_drained(w);
	worker_drained(w); /* again is fine */
}

static void
drain_never(struct worker *w)
{
	(void)w;
	note('d');
}

static void
on_last_answer(void *arg)
{
	struct worker *w = arg;

	note('a');
	worker_drained(w);
}

static void
drain_soon(struct worker *w)
{
	note('d');
	w->state = loop_timer_new(w->loop, on_last_answer, w);
	loop_timer_set(w->state, 30 * CLOCK_US_PER_MS);
}

static void
worker_stop(struct worker *w)
{
	note('s');
	loop_timer_free(w->state);
}

static void
run_freed(struct loop_job *job)
{
	note('f');
	free(job);
}

/* As an object does that goes at the end of the turn. */
static void
worker_stop_defers(struct worker *w)
{
	struct loop_job *job = xcalloc(1, sizeof(*job));

	note('s');
	job->run = run_freed;
	loop_defer(w->loop, job);
}

static void
stop(struct app *app)
{
	(void)app;
	note(')');
}

static void
run(struct app *app)
{
	note('r');
	while (!app_stopping(app))
		usleep(1000);
	note('R');
}

static void
run_gives_up(struct app *app)
{
	note('r');
	app_stop(app, 7);
}

static void
run_ends(struct app *app)
{
	(void)app;
	note('r');
}

static void
run_hangs(struct app *app)
{
	(void)app;
	note('r');
	for (;;)
		pause();
}

static struct app_desc
describe(void)
{
	return (struct app_desc){
		.name = "test",
		.summary = "Is tested.",
		.conf = conf,
		.conf_count = ARRAY_LEN(conf),
		.settings = &settings,
		.start = start,
		.worker_start = worker_start,
		.worker_drain = worker_drain,
		.worker_stop = worker_stop,
		.stop = stop,
	};
}

/* Its workers have nothing to do. */
static struct app_desc
describe_idle(void (*main_run)(struct app *app))
{
	struct app_desc desc = describe();

	desc.worker_start = NULL;
	desc.worker_drain = NULL;
	desc.worker_stop = NULL;
	desc.run = main_run;
	return desc;
}

/* --- stop and drain ------------------------------------------------------------------
 */

static void
test_a_clean_stop(void **state)
{
	(void)state;
	struct app_desc desc = describe();
	pid_t pid = launch(&desc, NULL, NULL);

	await_notes(3);
	kill(pid, SIGTERM);
	assert_int_equal(status_of(pid), 0);
	assert_true(memcmp(trace->text, "(01", 3) == 0);
	assert_int_equal(strspn(trace->text + 3, "ds"), 4);
	assert_string_equal(trace->text + 7, ")");
	assert_non_null(strstr(printed(err), "\"msg\":\"started: version "));
	assert_non_null(strstr(printed(err), "\"msg\":\"signal 15: stopping\""));
}

/* A shell that starts a program in the background ignores SIGINT for it. */
static void
test_sigint_stops_even_if_it_was_ignored(void **state)
{
	(void)state;
	struct app_desc desc = describe();
	pid_t pid;

	signal(SIGINT, SIG_IGN);
	pid = launch(&desc, NULL, NULL);
	signal(SIGINT, SIG_DFL);
	await_notes(3);
	kill(pid, SIGINT);
	assert_int_equal(status_of(pid), 0);
}

static void
test_workers_without_functions(void **state)
{
	(void)state;
	struct app_desc desc = describe();
	pid_t pid;

	desc.start = NULL;
	desc.worker_drain = NULL;
	desc.worker_stop = NULL;
	desc.stop = NULL;
	setenv("ONRUSH_WORKERS", "5", 1);
	pid = launch(&desc, NULL, NULL);
	await_notes(5);
	kill(pid, SIGTERM);
	assert_int_equal(status_of(pid), 0);
	assert_string_equal(trace->text, "01234");
}

static void
test_a_start_that_fails(void **state)
{
	(void)state;
	struct app_desc desc = describe();

	desc.start = start_badly;
	assert_int_equal(status_of(launch(&desc, NULL, NULL)), 1);
	assert_string_equal(trace->text, "()");
}

static void
test_a_worker_that_fails(void **state)
{
	(void)state;
	struct app_desc desc = describe();

	desc.worker_start = second_worker_fails;
	desc.run = run; /* is not called */
	setenv("ONRUSH_WORKERS", "4", 1);
	assert_int_equal(status_of(launch(&desc, NULL, NULL)), 1);
	assert_true(memcmp(trace->text, "(01", 3) == 0);
	assert_null(strpbrk(trace->text, "23r"));
	assert_string_equal(trace->text + strlen(trace->text) - 1, ")");
}

static void
test_the_drain_waits(void **state)
{
	(void)state;
	struct app_desc desc = describe();
	pid_t pid;

	desc.worker_drain = drain_soon;
	setenv("ONRUSH_WORKERS", "1", 1);
	pid = launch(&desc, NULL, NULL);
	await_notes(2);
	kill(pid, SIGTERM);
	assert_int_equal(status_of(pid), 0);
	assert_string_equal(trace->text, "(0das)");
}

static void
test_the_drain_ends(void **state)
{
	(void)state;
	struct app_desc desc = describe();
	pid_t pid;

	desc.worker_drain = drain_never;
	setenv("ONRUSH_WORKERS", "1", 1);
	setenv("ONRUSH_DRAIN_MS", "50", 1);
	pid = launch(&desc, NULL, NULL);
	await_notes(2);
	kill(pid, SIGTERM);
	assert_int_equal(status_of(pid), 0);
	assert_string_equal(trace->text, "(0ds)");
	assert_non_null(strstr(printed(err), "drain cut short after 50 ms"));
}

static void
test_a_second_signal_ends_it_at_once(void **state)
{
	(void)state;
	struct app_desc desc = describe();
	pid_t pid;

	desc.worker_drain = drain_never;
	setenv("ONRUSH_WORKERS", "1", 1);
	pid = launch(&desc, NULL, NULL);
	await_notes(2);
	kill(pid, SIGTERM);
	await_notes(3);
	kill(pid, SIGTERM);
	assert_int_equal(status_of(pid), 128 + SIGTERM);
	assert_string_equal(trace->text, "(0d");
}

/* Objects that worker_stop defers are freed, on the worker's own thread. */
static void
test_what_worker_stop_defers_is_run(void **state)
{
	(void)state;
	struct app_desc desc = describe();
	pid_t pid;

	desc.worker_stop = worker_stop_defers;
	setenv("ONRUSH_WORKERS", "1", 1);
	pid = launch(&desc, NULL, NULL);
	await_notes(2);
	kill(pid, SIGTERM);
	assert_int_equal(status_of(pid), 0);
	assert_string_equal(trace->text, "(0dsf)");
}

/* --- programs that block on the main thread ------------------------------------------
 */

static void
test_run_returns_when_stopping(void **state)
{
	(void)state;
	struct app_desc desc = describe();
	pid_t pid;

	desc.run = run;
	setenv("ONRUSH_WORKERS", "1", 1);
	pid = launch(&desc, NULL, NULL);
	await_notes(3);
	kill(pid, SIGTERM);
	assert_int_equal(status_of(pid), 0);
	assert_true(memcmp(trace->text, "(0r", 3) == 0);
	assert_non_null(strchr(trace->text, 'R'));
	assert_non_null(strchr(trace->text, 'd'));
}

static void
test_run_ends_the_program(void **state)
{
	(void)state;
	struct app_desc desc = describe();

	desc.run = run_ends;
	assert_int_equal(status_of(launch(&desc, NULL, NULL)), 0);
	desc.run = run_gives_up;
	assert_int_equal(status_of(launch(&desc, NULL, NULL)), 7);
}

static void
test_a_run_that_hangs_is_left_behind(void **state)
{
	(void)state;
	struct app_desc desc = describe();
	pid_t pid;

	desc.run = run_hangs;
	setenv("ONRUSH_DRAIN_MS", "10", 1);
	pid = launch(&desc, NULL, NULL);
	await_notes(4);
	kill(pid, SIGTERM);
	assert_int_equal(status_of(pid), 1);
	assert_non_null(strstr(printed(err), "1 threads did not stop"));
}

/* --- what a program finds ------------------------------------------------------------
 */

static void
look_around(struct app *app)
{
	struct rlimit files;

	note(app_workers(app) == 2 ? 'w' : '!');
	getrlimit(RLIMIT_NOFILE, &files);
	note(files.rlim_cur == files.rlim_max ? 'l' : '!');
	note(raise(SIGPIPE) == 0 ? 'p' : '!');
}

static void
test_limits_and_signals(void **state)
{
	(void)state;
	struct app_desc desc = describe_idle(look_around);

	assert_int_equal(status_of(launch(&desc, NULL, NULL)), 0);
	assert_string_equal(trace->text, "(wlp)");
}

static bool
check_flag(void *arg)
{
	return *(bool *)arg;
}

static void
run_ready(struct app *app)
{
	static bool db, kafka = true;
	const char *name = "";

	note(ready_now(app, &name) ? 'y' : '!');
	ready_add(app, "kafka", check_flag, &kafka);
	ready_add(app, "db", check_flag, &db);
	note(!ready_now(app, &name) && strcmp(name, "db") == 0 ? 'd' : '!');
	db = true;
	note(ready_now(app, &name) ? 'y' : '!');
	app_stop(app, 0);
	note(!ready_now(app, &name) && strcmp(name, "stopping") == 0 ? 's' : '!');
}

static void
test_readiness(void **state)
{
	(void)state;
	struct app_desc desc = describe_idle(run_ready);

	assert_int_equal(status_of(launch(&desc, NULL, NULL)), 0);
	assert_string_equal(trace->text, "(ydys)");
}

/* The first of two workers. */
static bool
start_unready(struct worker *w)
{
	const char *name = "";

	note(!ready_now(w->app, &name) && strcmp(name, "workers") == 0 ? 'n' : '!');
	return true;
}

static void
test_ready_are_all_workers_or_none(void **state)
{
	(void)state;
	struct app_desc desc = describe_idle(run_ready);

	desc.worker_start = start_unready;
	assert_int_equal(status_of(launch(&desc, NULL, NULL)), 0);
	assert_string_equal(trace->text, "(nnydys)");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_clean_stop),
		TEST(test_sigint_stops_even_if_it_was_ignored),
		TEST(test_workers_without_functions),
		TEST(test_a_start_that_fails),
		TEST(test_a_worker_that_fails),
		TEST(test_the_drain_waits),
		TEST(test_the_drain_ends),
		TEST(test_a_second_signal_ends_it_at_once),
		TEST(test_what_worker_stop_defers_is_run),
		TEST(test_run_returns_when_stopping),
		TEST(test_run_ends_the_program),
		TEST(test_a_run_that_hangs_is_left_behind),
		TEST(test_limits_and_signals),
		TEST(test_readiness),
		TEST(test_ready_are_all_workers_or_none),
	};
	return cmocka_run_group_tests_name("app", tests, NULL, NULL);
}
