/* Options, and the answers of those that only ask. */
#include "app/app_args.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/log.h"

enum {
	ERR_SIZE = 2048
};

enum command {
	RUN,
	HELP,
	VERSION,
	CHECK,
	SETTINGS,
	SETTINGS_MARKDOWN,
	CONFIG, /* not a command: takes a file */
};

static const struct option options[] = {
	{ "help", no_argument, NULL, HELP },
	{ "version", no_argument, NULL, VERSION },
	{ "check", no_argument, NULL, CHECK },
	{ "settings", no_argument, NULL, SETTINGS },
	{ "settings-markdown", no_argument, NULL, SETTINGS_MARKDOWN },
	{ "config", required_argument, NULL, CONFIG },
	{ 0 },
};

struct args {
	enum command command;
	const char **files; /* owned; --config, in order */
	size_t file_count;
};

static void parse(int argc, char **argv, const struct app_desc *desc, struct args *args);
static void load(const struct app_desc *desc, const struct args *args);
static void check(const struct app_desc *desc);
static void print_help(const struct app_desc *desc);
static void print_markdown(const struct app_desc *desc);

bool
app_args_load(int argc, char **argv, const struct app_desc *desc)
{
	struct args args = { .command = RUN };

	parse(argc, argv, desc, &args);
	if (args.command == HELP) {
		print_help(desc);
	} else if (args.command == VERSION) {
		printf("onrush-%s %s\n", desc->name, ONRUSH_VERSION);
	} else if (args.command == SETTINGS_MARKDOWN) {
		print_markdown(desc);
	} else {
		load(desc, &args);
		if (args.command == CHECK)
			check(desc);
		if (args.command == SETTINGS)
			conf_print_values(desc->conf, desc->conf_count, desc->settings);
		if (args.command != RUN)
			conf_free(desc->conf, desc->conf_count, desc->settings);
	}
	free(args.files);
	return args.command == RUN;
}

static void
parse(int argc, char **argv, const struct app_desc *desc, struct args *args)
{
	int option;

	args->files = xcalloc((size_t)argc, sizeof(*args->files));
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?') /* getopt has said what is wrong */
			die("Try: onrush-%s --help", desc->name);
		if (option == CONFIG)
			args->files[args->file_count++] = optarg;
		else
			args->command = (enum command)option;
	}
	if (optind < argc)
		die("onrush-%s: takes options only, not \"%s\"; try --help.", desc->name,
		    argv[optind]);
}

/* Settings and log, or the end of the process. */
static void
load(const struct app_desc *desc, const struct args *args)
{
	const struct app_settings *settings = desc->settings;
	enum log_level level;
	char err[ERR_SIZE];

	if (!conf_load(desc->conf, desc->conf_count, desc->settings, args->files,
		args->file_count, err, sizeof(err)))
		die("%s", err);
	if (!log_level_parse(settings->log_level, &level))
		die("ONRUSH_LOG_LEVEL=%s: must be debug, info, warn or error.",
		    settings->log_level);
	log_init(desc->name, level);
}

static void
check(const struct app_desc *desc)
{
	char err[ERR_SIZE];

	if (desc->check != NULL && !desc->check(err, sizeof(err)))
		die("%s.", err);
	printf("ok\n");
}

static void
print_help(const struct app_desc *desc)
{
	printf(
	    "onrush-%s %s: %s\n\n"
	    "  --config FILE        read settings from FILE too, KEY=VALUE lines; may "
	    "be\n"
	    "                       given several times, the last one wins\n"
	    "  --hold               hold the listening sockets in a process of their "
	    "own,\n"
	    "                       which starts a new copy of the program on SIGUSR2\n"
	    "  --check              check the settings, print \"ok\"\n"
	    "  --settings           print the settings that are in force\n"
	    "  --settings-markdown  print the settings that there are, as Markdown\n"
	    "  --version            print the version\n"
	    "  --help               print this\n\n"
	    "Settings come from the environment, which wins, and from the files:\n\n",
	    desc->name, ONRUSH_VERSION, desc->summary);
	conf_print_help(desc->conf, desc->conf_count);
}

static void
print_markdown(const struct app_desc *desc)
{
	printf("## %s\n\n%s\n\n"
	       "| setting | default | takes | meaning |\n"
	       "| --- | --- | --- | --- |\n",
	    desc->name, desc->summary);
	conf_print_markdown(desc->conf, desc->conf_count);
}
