/*
 * The life of a process: settings, workers, ready, drain on SIGTERM or SIGINT, stop.
 *
 *   main ── app_main(argc, argv, &desc)
 *            ├─ --hold: another life, see app/hold.h
 *            ├─ --help, --version, --check, --settings, --settings-markdown: done here
 *            │  (--check with desc->check, if there is more to check than settings)
 *            ├─ desc->start            once, on the main thread; connects nothing yet
 *            ├─ desc->worker_start     on each worker's own thread, with its own loop
 *            ├─ desc->run              blocking work of a consumer, on the main thread
 *            ├─ … SIGHUP: desc->reload, on a thread that is nobody's else
 *            ├─ … SIGTERM: app_stopping() is true, desc->worker_drain on each worker;
 *            │  each calls worker_drained() when its last request has been answered
 *            ├─ desc->worker_stop      frees what the worker made
 *            └─ desc->stop
 *
 * A drain that takes longer than ONRUSH_DRAIN_MS is cut short: the loops end, and a
 * process whose threads do not end within five more seconds exits without them. A second
 * signal ends the process at once. app_main raises the limit of open files to the hard
 * limit and ignores SIGPIPE.
 */
#ifndef ONRUSH_APP_APP_H
#define ONRUSH_APP_APP_H

#include <stdbool.h>

#include "app/conf.h"
#include "app/loop.h"

struct app;

/* One thread with its loop. */
struct worker {
	struct app *app;   /* borrowed */
	struct loop *loop; /* owned by app */
	void *state; /* the program's; owned by what worker_start and _stop make of it */
	int index;   /* 0 .. count-1 */
};

struct app_desc {
	const char *name;    /* svc in logs, "coupon" */
	const char *summary; /* one line for --help */
	const struct conf_item *conf;
	size_t conf_count;
	void *
	    settings; /* its settings struct, zeroed; first member: struct app_settings */
	/*
	 * Each may be NULL. start and worker_start log why and return false to give up;
	 * stop and worker_stop are called all the same and free what was made so far.
	 * worker_start runs in one thread at a time. run returns soon after
	 * app_stopping(); when it returns by itself, the program stops. check says what
	 * is wrong in err[err_size]. Without reload, SIGHUP ends the process.
	 */
	bool (*check)(char *err, size_t err_size);
	bool (*start)(struct app *app);
	bool (*worker_start)(struct worker *w);
	void (*worker_drain)(struct worker *w);
	void (*worker_stop)(struct worker *w);
	void (*run)(struct app *app);
	void (*reload)(struct app *app);
	void (*stop)(struct app *app);
};

/*
 * The settings that every program has, as its settings struct's first member:
 * ONRUSH_LISTEN is the program's own, these are ONRUSH_WORKERS, ONRUSH_LOG_LEVEL and
 * ONRUSH_DRAIN_MS. Put APP_CONF_ITEMS first in the table.
 */
struct app_settings {
	int64_t workers;       /* 0: one per core, at most 8 */
	const char *log_level; /* owned by conf */
	int64_t drain_us;
};

#define APP_CONF_ITEMS(default_workers)                                                  \
	{ "ONRUSH_WORKERS", CONF_INT, offsetof(struct app_settings, workers),            \
		default_workers, 0, 256,                                                 \
		"Worker threads; 0 means one per core (at most 8)." },                   \
	    { "ONRUSH_LOG_LEVEL", CONF_STRING, offsetof(struct app_settings, log_level), \
		    "info", 0, 0,                                                        \
		    "Lowest level that is logged: debug, info, warn or error." },        \
	{                                                                                \
		"ONRUSH_DRAIN_MS", CONF_MS, offsetof(struct app_settings, drain_us),     \
		    "10000", 0, 600000,                                                  \
		    "How long a stop waits for requests that are under way."             \
	}

/* Runs the program; the result is main's: 0 after a clean stop, 1 when it could not
 * start. --config FILE may be given any number of times. */
int app_main(int argc, char **argv, const struct app_desc *desc);

/* How many workers the program has. Any thread. */
int app_workers(const struct app *app);

/* True once a stop was asked for. Any thread. */
bool app_stopping(const struct app *app);
/* Asks for a stop as SIGTERM does, with this exit status. Any thread. */
void app_stop(struct app *app, int status);

/* Asks for desc->reload as SIGHUP does; it runs soon, and once for several that ask. Any
 * thread. */
void app_reload(struct app *app);

/* The worker's last request has been answered. Its loop runs until that is so of all
 * workers. */
void worker_drained(struct worker *w);

/*
 * Readiness: /readyz answers 200 when all workers have started, every check says true and
 * no stop was asked for.
 * Checks are added before or during worker_start and called on any worker's thread; they
 * read an atomic or a constant, they do not do I/O. `name` is borrowed for ever.
 */
typedef bool ready_check(void *arg);
void ready_add(struct app *app, const char *name, ready_check *check, void *arg);
/* True, or false with the first failing check's name in *name. */
bool ready_now(struct app *app, const char **name);

#endif
