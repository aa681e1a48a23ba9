/*
 * A process from its first instruction to its exit status.
 *
 *   main thread     settings, start ── run, or supervise ── join, stop, free
 *   worker threads  worker_start ── loop_run ── worker_stop
 *   supervisor      (the main thread, or a thread beside run) waits on two descriptors:
 *                   a signalfd, and an eventfd that says "look at the counters again"
 *
 * SIGTERM, SIGINT and maybe SIGHUP are blocked in every thread and read from the
 * signalfd, so that no code of ours ever runs inside a signal handler. The supervisor
 * alone decides when the drain is over. The loops are freed last, because a library's
 * thread may still post to one until `stop` has ended that library.
 */
#include "app/app.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "app/app_args.h"
#include "app/hold.h"
#include "app/log.h"
#include "app/manager.h"
#include "app/metrics.h"
#include "base/clock.h"

enum {
	STACK_SIZE = 256 * 1024, /* of a worker; the deepest library call needs 64 KB */
	ARENAS = 2,              /* of malloc; its default, 8 per core, costs memory */
	DEFAULT_WORKERS_MAX = 8,
	STOP_US = 5000000, /* for the threads to end after the drain; a producer may take
			    * 1.6 s */
};

/* One worker and what the app needs to run it. */
struct slot {
	struct worker worker;
	pthread_t thread;
	struct loop_job drain; /* posted once, when a stop was asked for */
	struct loop_job stop;  /* posted once, when the drain is over */
	bool drained;          /* the worker's own thread */
};

struct ready {
	STAILQ_ENTRY(ready) link;
	const char *name; /* borrowed for ever */
	ready_check *check;
	void *arg; /* borrowed */
};

struct app {
	const struct app_desc *desc;         /* borrowed */
	const struct app_settings *settings; /* borrowed from desc */
	struct slot *slots;                  /* owned */
	int workers;                         /* how many there are to be */
	int slot_count;                      /* workers that were created */
	atomic_bool begun;                   /* all workers have started */
	atomic_bool stopping;
	atomic_bool reloading; /* was asked for, and not begun */
	atomic_int status;
	atomic_int undrained; /* workers that still have requests, and run */
	atomic_int running;   /* workers that have not ended, and run */
	int signal_fd;
	int wake_fd;                  /* eventfd */
	sem_t started;                /* posted by each worker after worker_start */
	pthread_mutex_t ready_mutex;  /* guards `readies` */
	STAILQ_HEAD(, ready) readies; /* owned */
};

static void say_ready(struct app *app);
static bool all_begun(void *arg);
static void prepare_process(const struct app_desc *desc);
static void app_init(struct app *app, const struct app_desc *desc);
static void app_fini(struct app *app);
static int worker_count(const struct app_settings *settings);
static bool start_workers(struct app *app);
static void *worker_main(void *arg);
static void on_drain(struct loop_job *job);
static void on_stop(struct loop_job *job);
static void run_until_stopped(struct app *app);
static void *supervise(void *arg);
static void await_event(struct app *app, int64_t until_us);
static void wake(struct app *app);

int
app_main(int argc, char **argv, const struct app_desc *desc)
{
	struct app app;
	int status;

	if (hold_is_wanted(argc, argv))
		return hold_run(desc->name, argv);
	prepare_process(desc);
	if (!app_args_load(argc, argv, desc))
		return 0; /* --help and the like: all was said */
	app_init(&app, desc);
	if ((desc->start == NULL || desc->start(&app)) && start_workers(&app))
		say_ready(&app);
	else
		app_stop(&app, 1);
	run_until_stopped(&app);
	for (int i = 0; i < app.slot_count; i++)
		pthread_join(app.slots[i].thread, NULL);
	if (desc->stop != NULL)
		desc->stop(&app);
	status = atomic_load(&app.status);
	log_info("stopped with status %d", status);
	app_fini(&app);
	conf_free(desc->conf, desc->conf_count, desc->settings);
	return status;
}

/* Workers listen: who started us may let go of the copy before this one. */
static void
say_ready(struct app *app)
{
	int unused = manager_drop_sockets();

	atomic_store(&app->begun, true);
	if (unused > 0)
		log_warn("%d sockets that were handed over are of no address that is "
			 "listened on: closed",
		    unused);
	log_info("started: version %s, %d workers", ONRUSH_VERSION, app->slot_count);
	manager_say("READY=1");
}

/* --- the process ---------------------------------------------------------------------
 */

static void
our_signals(const struct app_desc *desc, sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	if (desc->reload != NULL)
		sigaddset(set, SIGHUP);
}

/* Before there is a second thread, which inherits the signal mask. */
static void
prepare_process(const struct app_desc *desc)
{
	struct rlimit files;
	sigset_t set;

	mallopt(M_ARENA_MAX, ARENAS);
	manager_begin();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR2, SIG_IGN); /* means something to app/hold.h only */
	/* A shell starts background jobs with SIGINT ignored. */
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	our_signals(desc, &set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static void
app_init(struct app *app, const struct app_desc *desc)
{
	sigset_t set;
	char labels[128];

	*app = (struct app){ .desc = desc, .settings = desc->settings };
	app->workers = worker_count(app->settings);
	our_signals(desc, &set);
	app->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	app->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ASSERT(app->signal_fd >= 0 && app->wake_fd >= 0);
	sem_init(&app->started, 0, 0);
	pthread_mutex_init(&app->ready_mutex, NULL);
	STAILQ_INIT(&app->readies);
	ready_add(app, "workers", all_begun, app);
	snprintf(labels, sizeof(labels), "version=\"%s\",program=\"%s\"", ONRUSH_VERSION,
	    desc->name);
	gauge_set(
	    gauge_new("onrush_build_info", "What this process runs; always 1.", labels),
	    1);
}

static void
app_fini(struct app *app)
{
	struct ready *ready;

	for (int i = 0; i < app->slot_count; i++)
		loop_free(app->slots[i].worker.loop);
	free(app->slots);
	while ((ready = STAILQ_FIRST(&app->readies)) != NULL) {
		STAILQ_REMOVE_HEAD(&app->readies, link);
		free(ready);
	}
	pthread_mutex_destroy(&app->ready_mutex);
	sem_destroy(&app->started);
	close(app->wake_fd);
	close(app->signal_fd);
}

/* --- workers -------------------------------------------------------------------------
 */

static int
worker_count(const struct app_settings *settings)
{
	cpu_set_t cores;

	if (settings->workers > 0)
		return (int)settings->workers;
	if (sched_getaffinity(0, sizeof(cores), &cores) != 0)
		return 1;
	return CPU_COUNT(&cores) < DEFAULT_WORKERS_MAX ? CPU_COUNT(&cores)
						       : DEFAULT_WORKERS_MAX;
}

/* One after the other, so that worker_start runs in one thread at a time. */
static bool
start_workers(struct app *app)
{
	pthread_attr_t attr;

	app->slots = xcalloc((size_t)app->workers, sizeof(*app->slots));
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	while (app->slot_count < app->workers && !app_stopping(app)) {
		struct slot *slot = &app->slots[app->slot_count];

		slot->worker.app = app;
		slot->worker.loop = loop_new();
		slot->worker.index = app->slot_count;
		slot->drain.run = on_drain;
		slot->stop.run = on_stop;
		atomic_fetch_add(&app->undrained, 1);
		atomic_fetch_add(&app->running, 1);
		ASSERT(pthread_create(&slot->thread, &attr, worker_main, slot) == 0);
		app->slot_count++;
		while (sem_wait(&app->started) != 0)
			ASSERT(errno == EINTR);
	}
	pthread_attr_destroy(&attr);
	return !app_stopping(app);
}

static void *
worker_main(void *arg)
{
	struct slot *slot = arg;
	struct worker *w = &slot->worker;
	struct app *app = w->app;
	char name[16];

	snprintf(name, sizeof(name), "worker-%d", w->index);
	pthread_setname_np(pthread_self(), name);
	if (app->desc->worker_start == NULL || app->desc->worker_start(w)) {
		sem_post(&app->started);
		loop_run(w->loop);
	} else {
		app_stop(app, 1);
		sem_post(&app->started);
	}
	worker_drained(w); /* from here on there is nothing to drain */
	if (app->desc->worker_stop != NULL)
		app->desc->worker_stop(w);
	/* What worker_stop deferred, it deferred to a last turn without waiting. */
	loop_stop(w->loop);
	loop_run(w->loop);
	atomic_fetch_sub(&app->running, 1);
	wake(app);
	return NULL;
}

static void
on_drain(struct loop_job *job)
{
	struct slot *slot = CONTAINER_OF(job, struct slot, drain);
	struct worker *w = &slot->worker;

	/* It was posted to a worker that could not start, or was already stopping. */
	if (slot->drained)
		return;
	if (w->app->desc->worker_drain != NULL)
		w->app->desc->worker_drain(w);
	else
		worker_drained(w);
}

static void
on_stop(struct loop_job *job)
{
	loop_stop(CONTAINER_OF(job, struct slot, stop)->worker.loop);
}

void
worker_drained(struct worker *w)
{
	struct slot *slot = CONTAINER_OF(w, struct slot, worker);

	if (slot->drained)
		return;
	slot->drained = true;
	atomic_fetch_sub(&w->app->undrained, 1);
	wake(w->app);
}

int
app_workers(const struct app *app)
{
	return app->workers;
}

/* --- the stop ------------------------------------------------------------------------
 */

bool
app_stopping(const struct app *app)
{
	return atomic_load(&app->stopping);
}

void
app_stop(struct app *app, int status)
{
	if (status != 0)
		atomic_store(&app->status, status);
	atomic_store(&app->stopping, true);
	wake(app);
}

void
app_reload(struct app *app)
{
	atomic_store(&app->reloading, true);
	wake(app);
}

static void
run_until_stopped(struct app *app)
{
	pthread_t supervisor;

	if (app->desc->run == NULL || app_stopping(app)) {
		supervise(app);
		return;
	}
	atomic_fetch_add(&app->undrained, 1);
	atomic_fetch_add(&app->running, 1);
	ASSERT(pthread_create(&supervisor, NULL, supervise, app) == 0);
	app->desc->run(app);
	atomic_fetch_sub(&app->undrained, 1);
	atomic_fetch_sub(&app->running, 1);
	app_stop(app, 0);
	pthread_join(supervisor, NULL);
}

/* Returns when every worker has ended and run has returned. */
static void *
supervise(void *arg)
{
	struct app *app = arg;
	int64_t until_us;

	while (!app_stopping(app))
		await_event(app, INT64_MAX);
	manager_say("STOPPING=1");
	for (int i = 0; i < app->slot_count; i++)
		loop_post(app->slots[i].worker.loop, &app->slots[i].drain);
	until_us = clock_mono_us() + app->settings->drain_us;
	while (atomic_load(&app->undrained) > 0 && clock_mono_us() < until_us)
		await_event(app, until_us);
	if (atomic_load(&app->undrained) > 0)
		log_warn("drain cut short after %lld ms",
		    (long long)(app->settings->drain_us / CLOCK_US_PER_MS));
	for (int i = 0; i < app->slot_count; i++)
		loop_post(app->slots[i].worker.loop, &app->slots[i].stop);
	until_us = clock_mono_us() + STOP_US;
	while (atomic_load(&app->running) > 0 && clock_mono_us() < until_us)
		await_event(app, until_us);
	if (atomic_load(&app->running) > 0) {
		log_error("%d threads did not stop; the process ends without them",
		    atomic_load(&app->running));
		_exit(1);
	}
	return NULL;
}

/* Waits for a signal, a wake() or the time, whichever comes first. */
static void
await_event(struct app *app, int64_t until_us)
{
	struct pollfd fds[] = {
		{ .fd = app->signal_fd, .events = POLLIN },
		{ .fd = app->wake_fd, .events = POLLIN },
	};
	int64_t left_us = until_us == INT64_MAX ? -1 : until_us - clock_mono_us();
	struct signalfd_siginfo info;
	eventfd_t count;
	int timeout_ms = -1;

	if (until_us != INT64_MAX)
		timeout_ms = left_us < 0 ? 0 : (int)(left_us / CLOCK_US_PER_MS) + 1;
	poll(fds, ARRAY_LEN(fds), timeout_ms);
	eventfd_read(app->wake_fd, &count);
	if (atomic_exchange(&app->reloading, false) && !app_stopping(app))
		app->desc->reload(app);
	if (read(app->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP) {
		if (!app_stopping(app))
			app->desc->reload(app);
		return;
	}
	if (app_stopping(app)) {
		log_warn("signal %u during the drain: the process ends at once",
		    info.ssi_signo);
		_exit(128 + (int)info.ssi_signo);
	}
	log_info("signal %u: stopping", info.ssi_signo);
	atomic_store(&app->stopping, true);
}

/* Makes the supervisor look at the counters again. */
static void
wake(struct app *app)
{
	ASSERT(eventfd_write(app->wake_fd, 1) == 0);
}

/* --- readiness -----------------------------------------------------------------------
 */

void
ready_add(struct app *app, const char *name, ready_check *check, void *arg)
{
	struct ready *ready = xcalloc(1, sizeof(*ready));

	ready->name = name;
	ready->check = check;
	ready->arg = arg;
	pthread_mutex_lock(&app->ready_mutex);
	STAILQ_INSERT_TAIL(&app->readies, ready, link);
	pthread_mutex_unlock(&app->ready_mutex);
}

/* A worker listens before the next one starts, but the kernel may deal connections to
 * that one before its loop runs. */
static bool
all_begun(void *arg)
{
	struct app *app = arg;

	return atomic_load(&app->begun);
}

bool
ready_now(struct app *app, const char **name)
{
	const struct ready *ready;
	bool ok = !app_stopping(app);

	*name = ok ? NULL : "stopping";
	pthread_mutex_lock(&app->ready_mutex);
	STAILQ_FOREACH (ready, &app->readies, link) {
		if (!ok)
			break;
		ok = ready->check(ready->arg);
		if (!ok)
			*name = ready->name;
	}
	pthread_mutex_unlock(&app->ready_mutex);
	return ok;
}
