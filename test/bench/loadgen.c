/*
 * onrush-bench: an HTTP load generator. It says what came of a load as a line of JSON on
 * stdout and as a line for people on stderr. Exit status 0: the load was made, whatever
 * the answers were; 2: it was called wrongly.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "app/log.h"
#include "base/buf.h"
#include "base/clock.h"
#include "load.h"

enum {
	MAX_THREADS = 8,
};

struct job {
	pthread_t thread;
	struct load_plan plan;
	struct load_tally tally;
};

static const char usage[] =
    "usage: onrush-bench [options] HOST:PORT\n"
    "  --method M           POST\n"
    "  --path P             /api/v1/coupons; {user} is a number that grows by one,\n"
    "                       {seat} one of --seats, chosen anew for each request\n"
    "  --body B             {\"userId\":{user},\"couponId\":1} for POST and PUT\n"
    "  --authorization A    value of that header\n"
    "  --connections N      64\n"
    "  --threads N          1\n"
    "  --rate R             requests per second; without it: closed loop\n"
    "  --warmup S           seconds before measuring, 1\n"
    "  --seconds S          measured seconds, 10\n"
    "  --requests N         end after so many\n"
    "  --first-user N       1\n"
    "  --users N            {user} begins again after so many; without it: never\n"
    "  --passes FILE        what each user shows: a line for each, from --first-user "
    "on;\n"
    "                       {user} begins again after as many\n"
    "  --first-seat N       1\n"
    "  --seats N            1\n"
    "  --record FILE        a JSON line for each coupon that was granted\n";

enum option_id {
	OPT_METHOD = 1,
	OPT_PATH,
	OPT_BODY,
	OPT_AUTHORIZATION,
	OPT_CONNECTIONS,
	OPT_THREADS,
	OPT_RATE,
	OPT_WARMUP,
	OPT_SECONDS,
	OPT_REQUESTS,
	OPT_FIRST_USER,
	OPT_USERS,
	OPT_PASSES,
	OPT_FIRST_SEAT,
	OPT_SEATS,
	OPT_RECORD,
	OPT_HELP,
};

static const struct option options[] = {
	{ "method", required_argument, NULL, OPT_METHOD },
	{ "path", required_argument, NULL, OPT_PATH },
	{ "body", required_argument, NULL, OPT_BODY },
	{ "authorization", required_argument, NULL, OPT_AUTHORIZATION },
	{ "connections", required_argument, NULL, OPT_CONNECTIONS },
	{ "threads", required_argument, NULL, OPT_THREADS },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "warmup", required_argument, NULL, OPT_WARMUP },
	{ "seconds", required_argument, NULL, OPT_SECONDS },
	{ "requests", required_argument, NULL, OPT_REQUESTS },
	{ "first-user", required_argument, NULL, OPT_FIRST_USER },
	{ "users", required_argument, NULL, OPT_USERS },
	{ "passes", required_argument, NULL, OPT_PASSES },
	{ "first-seat", required_argument, NULL, OPT_FIRST_SEAT },
	{ "seats", required_argument, NULL, OPT_SEATS },
	{ "record", required_argument, NULL, OPT_RECORD },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

_Noreturn static void
wrong(const char *what, const char *value)
{
	fprintf(stderr, "onrush-bench: %s: \"%s\"\n%s", what, value, usage);
	exit(2);
}

static int64_t
integer(const char *text, int64_t min, int64_t max)
{
	int64_t value;

	if (!str_to_i64(str_of(text), min, max, &value))
		wrong("not a number within its limits", text);
	return value;
}

static double
decimal(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value >= 0 && value < 1e9))
		wrong("not a number within its limits", text);
	return value;
}

static FILE *
record_open(const char *path)
{
	FILE *file = fopen(path, "w");

	if (file == NULL)
		wrong("cannot be written", path);
	return file;
}

/* The lines of a file, for as long as the program runs; there are as many users. */
static str *
read_passes(const char *path, struct load_plan *plan)
{
	FILE *file = fopen(path, "r");
	size_t cap = 0, size = 0;
	str *passes = NULL;
	char *line = NULL;
	ssize_t n;

	if (file == NULL)
		wrong("cannot be read", path);
	plan->user_count = 0;
	while ((n = getline(&line, &size, file)) > 0) {
		if ((size_t)plan->user_count == cap) {
			cap = cap == 0 ? 1024 : 2 * cap;
			passes = xrealloc(passes, cap * sizeof(*passes));
		}
		passes[plan->user_count++] =
		    (str){ line, (size_t)n - (line[n - 1] == '\n' ? 1 : 0) };
		line = NULL; /* the pass has it now */
		size = 0;
	}
	free(line);
	if (ferror(file) || plan->user_count == 0)
		wrong("has no passes", path);
	fclose(file);
	return passes;
}

/* Fills the plan of all threads together; their number is the result. */
static int
parse(int argc, char **argv, struct load_plan *plan)
{
	int threads = 1, opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case OPT_METHOD: plan->method = optarg; break;
		case OPT_PATH: plan->path = optarg; break;
		case OPT_BODY: plan->body = optarg; break;
		case OPT_AUTHORIZATION: plan->authorization = optarg; break;
		case OPT_CONNECTIONS:
			plan->connections = (int)integer(optarg, 1, 100000);
			break;
		case OPT_THREADS: threads = (int)integer(optarg, 1, MAX_THREADS); break;
		case OPT_RATE: plan->rate = decimal(optarg); break;
		case OPT_WARMUP:
			plan->warmup_us = (int64_t)(decimal(optarg) * 1e6);
			break;
		case OPT_SECONDS: plan->run_us = (int64_t)(decimal(optarg) * 1e6); break;
		case OPT_REQUESTS:
			plan->max_requests = integer(optarg, 1, INT64_MAX);
			break;
		case OPT_FIRST_USER:
			plan->first_user = integer(optarg, 1, INT64_MAX);
			break;
		case OPT_USERS: plan->user_count = integer(optarg, 1, INT64_MAX); break;
		case OPT_PASSES: plan->passes = read_passes(optarg, plan); break;
		case OPT_FIRST_SEAT:
			plan->first_seat = integer(optarg, 1, INT64_MAX / 2);
			break;
		case OPT_SEATS:
			plan->seat_count = integer(optarg, 1, INT64_MAX / 2);
			break;
		case OPT_RECORD: plan->record = record_open(optarg); break;
		case OPT_HELP: fputs(usage, stdout); exit(0);
		default: fputs(usage, stderr); exit(2);
		}
	}
	if (optind != argc - 1)
		wrong(
		    "exactly one address is needed", optind < argc ? argv[argc - 1] : "");
	plan->host = argv[optind];
	return threads;
}

static void *
job_run(void *arg)
{
	struct job *job = arg;

	load_run(&job->plan, &job->tally);
	return NULL;
}

/* The share of thread `index`. */
static struct load_plan
share(const struct load_plan *plan, int threads, int index)
{
	struct load_plan own = *plan;

	own.connections =
	    plan->connections / threads + (index < plan->connections % threads ? 1 : 0);
	own.rate = plan->rate / threads;
	own.max_requests =
	    plan->max_requests / threads + (index < plan->max_requests % threads ? 1 : 0);
	return own;
}

int
main(int argc, char **argv)
{
	_Atomic int64_t users = 0;
	struct load_plan plan = {
		.method = "POST",
		.path = "/api/v1/coupons",
		.connections = 64,
		.warmup_us = 1 * CLOCK_US_PER_SEC,
		.run_us = 10 * CLOCK_US_PER_SEC,
		.users = &users,
		.first_user = 1,
		.first_seat = 1,
	};
	int threads = parse(argc, argv, &plan);
	char why[256];

	if (plan.body == NULL && plan.method[0] == 'P')
		plan.body = "{\"userId\":{user},\"couponId\":1}";
	if (net_resolve(plan.host, &plan.address, 1, why, sizeof(why)) == 0)
		wrong(why, plan.host);

	struct job *jobs = xcalloc((size_t)threads, sizeof(*jobs));
	struct load_tally *total = xcalloc(1, sizeof(*total));
	for (int i = 0; i < threads; i++) {
		jobs[i].plan = share(&plan, threads, i);
		ASSERT(pthread_create(&jobs[i].thread, NULL, job_run, &jobs[i]) == 0);
	}
	for (int i = 0; i < threads; i++) {
		pthread_join(jobs[i].thread, NULL);
		tally_merge(total, &jobs[i].tally);
	}
	tally_print(total);
	if (plan.record != NULL && fclose(plan.record) != 0)
		wrong("the record could not be written", "");
	free(total);
	free(jobs);
	return 0;
}
