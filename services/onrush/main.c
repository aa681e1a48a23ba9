/*
 * `onrush`, the operator's command: a table of commands, each in its own file. This one
 * finds the command that was asked for, loads the settings and gives the exit status.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "app/log.h"
#include "onrush/commands.h"
#include "onrush/ctl.h"

enum {
	MAX_FILES = 8
};

const struct ctl_command *const CTL_COMMANDS[] = {
	&CMD_MIGRATE,
	&CMD_TOPICS,
	&CMD_SEED,
	&CMD_KEYGEN,
	&CMD_PASSKEY,
	&CMD_APIKEY,
	&CMD_WAIT,
	&CMD_PROBE,
	&CMD_STATUS,
	&CMD_COUPON_LIST,
	&CMD_COUPON_SHOW,
	&CMD_COUPON_CREATE,
	&CMD_COUPON_OPEN,
	&CMD_COUPON_CLOSE,
	&CMD_COUPON_RESTOCK,
	&CMD_COUPON_EXPORT,
	&CMD_VERIFY,
	&CMD_LINE_VERIFY,
	&CMD_DLQ_LIST,
	&CMD_DLQ_SHOW,
	&CMD_DLQ_REPLAY,
	NULL,
};

#define SETTING(member) offsetof(struct ctl_settings, member)

const struct conf_item CTL_CONF[] = {
	{ "ONRUSH_PG_DSN", CONF_SECRET, SETTING(pg_dsn), "", 0, 0,
	    "PostgreSQL, as libpq takes it; empty means libpq's own defaults (PGHOST, "
	    "…)." },
	{ "ONRUSH_REDIS_URL", CONF_SECRET, SETTING(redis_url), "redis://127.0.0.1:6379",
	    0, 0, "Redis: redis://[user:password@]host:port[/db]." },
	{ "ONRUSH_KAFKA_BROKERS", CONF_STRING, SETTING(kafka_brokers), "127.0.0.1:9092",
	    0, 0, "Kafka's brokers: host:port, separated by commas." },
	{ "ONRUSH_TOPIC_PREFIX", CONF_STRING, SETTING(topic_prefix), "", 0, 0,
	    "What all topic names begin with." },
	{ "ONRUSH_URL", CONF_STRING, SETTING(url), "http://127.0.0.1:8080", 0, 0,
	    "The gateway, for the admin calls." },
	{ "ONRUSH_ADMIN_KEY", CONF_SECRET, SETTING(admin_key), "", 0, 0,
	    "Key for the admin calls." },
	{ "ONRUSH_RECEIPT_PUBLIC_KEY", CONF_STRING, SETTING(public_key), "", 0, 0,
	    "File with the public key of the receipts; several separated by commas." },
	{ "ONRUSH_WAIT", CONF_STRING, SETTING(wait), "gateway=127.0.0.1:8080", 0, 0,
	    "Programs whose readiness is looked at: [name=]host:port, separated by "
	    "commas." },
	{ "ONRUSH_LISTEN", CONF_STRING, SETTING(listen), "", 0, 0,
	    "Where the program beside it listens, for probe --local." },
};
const size_t CTL_CONF_COUNT = ARRAY_LEN(CTL_CONF);

/* Takes the leading --config options out; gives how many words they were, -1 after a
 * complaint. */
static int
take_files(int argc, char **argv, const char **files, size_t *count)
{
	int i = 1;

	*count = 0;
	while (i < argc && strcmp(argv[i], "--config") == 0) {
		if (i + 1 == argc || *count == MAX_FILES) {
			ctl_complain(i + 1 == argc ? "--config needs a file"
						   : "more than %d --config files",
			    MAX_FILES);
			return -1;
		}
		files[(*count)++] = argv[i + 1];
		i += 2;
	}
	return i - 1;
}

/* The command that one or two words name; *words is how many. */
static const struct ctl_command *
find_command(int argc, char **argv, int *words)
{
	char two[64];

	for (*words = 2; *words > 0; --*words) {
		if (*words > argc)
			continue;
		snprintf(two, sizeof(two), "%s%s%s", argv[0], *words == 2 ? " " : "",
		    *words == 2 ? argv[1] : "");
		for (const struct ctl_command *const *c = CTL_COMMANDS; *c != NULL; c++)
			if (strcmp((*c)->name, two) == 0)
				return *c;
	}
	return NULL;
}

/* `onrush help …`; argv is what follows. */
static int
help(int argc, char **argv)
{
	char name[64];

	if (argc == 0)
		help_overview();
	else if (strcmp(argv[0], "--markdown") == 0)
		help_markdown();
	else {
		snprintf(name, sizeof(name), "%s%s%s", argv[0], argc > 1 ? " " : "",
		    argc > 1 ? argv[1] : "");
		if (!help_command(name))
			return ctl_fail(CTL_USAGE,
			    "there is no command \"%s\"; see: onrush help", name);
	}
	return CTL_OK;
}

static bool
asks_for_help(int argc, char **argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

static int
run(struct ctl *ctl, int argc, char **argv, const char *const *files, size_t file_count)
{
	char why[512];
	int words, status = CTL_USAGE;

	ctl->command = find_command(argc, argv, &words);
	if (ctl->command == NULL) {
		if (help_command(argv[0]))
			return CTL_USAGE;
		return ctl_fail(
		    CTL_USAGE, "there is no command \"%s\"; see: onrush help", argv[0]);
	}
	if (asks_for_help(argc - words, argv + words))
		return help(words, argv);
	if (!ctl_parse(ctl, argc - words, argv + words))
		return CTL_USAGE;
	if (!conf_load(CTL_CONF, CTL_CONF_COUNT, &ctl->settings, files, file_count, why,
		sizeof(why)))
		return ctl_fail(CTL_USAGE, "%s", why);
	ctl->arena = arena_new();
	status = ctl->command->run(ctl);
	arena_free(ctl->arena);
	conf_free(CTL_CONF, CTL_CONF_COUNT, &ctl->settings);
	return status;
}

int
main(int argc, char **argv)
{
	struct ctl ctl = { 0 };
	const char *files[MAX_FILES];
	size_t file_count;
	int status, skip = take_files(argc, argv, files, &file_count);

	/* A reader that went away (onrush … | head) is a failed write, not a death. */
	signal(SIGPIPE, SIG_IGN);
	log_init("onrush", LOG_ERROR);
	if (skip < 0)
		return CTL_USAGE;
	argc -= 1 + skip;
	argv += 1 + skip;
	if (argc == 0) {
		help_overview();
		status = CTL_USAGE;
	} else if (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0 ||
		   strcmp(argv[0], "-h") == 0) {
		status = help(argc - 1, argv + 1);
	} else if (strcmp(argv[0], "--version") == 0) {
		printf("onrush %s\n", ONRUSH_VERSION);
		status = CTL_OK;
	} else {
		status = run(&ctl, argc, argv, files, file_count);
	}
	errno = 0;
	if (fflush(stdout) != 0 || ferror(stdout))
		status = ctl_fail(CTL_FAILED, "the output could not be written%s%s",
		    errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
	return status;
}
