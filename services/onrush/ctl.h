/*
 * What the subcommands of `onrush` share: the settings, a command's row in the table,
 * its options and operands, exit statuses. Blocking, one thread.
 *
 *   main.c ── table of struct ctl_command ──> cmd_*.c: run(ctl)
 *                └─ options.c reads the command line, help.c prints both help and docs
 */
#ifndef ONRUSH_ONRUSH_CTL_H
#define ONRUSH_ONRUSH_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/conf.h"
#include "base/arena.h"
#include "base/die.h"
#include "base/str.h"

struct pgsync;
struct redsync;

/* Exit statuses; they are part of the command's contract. */
enum {
	CTL_OK = 0,          /* done; or checked and clean */
	CTL_FAILED = 1,      /* refused, failed, or checked and not clean */
	CTL_USAGE = 2,       /* the command line or a setting is wrong */
	CTL_UNREACHABLE = 3, /* a system that is needed does not answer */
};

enum {
	CTL_MAX_OPTIONS = 16
};

/* Strings are owned by conf. */
struct ctl_settings {
	const char *pg_dsn;
	const char *redis_url;
	const char *kafka_brokers;
	const char *topic_prefix;
	const char *url;       /* of the gateway */
	const char *admin_key; /* "": none */
	const char *public_key;
	const char *wait;   /* programs whose /readyz is looked at */
	const char *listen; /* of the program beside which `probe --local` runs */
};

/* One option of a command. Strings are static. */
struct ctl_option {
	const char *name;    /* "--timeout" */
	const char *arg;     /* what it takes, "SECONDS"; NULL: a flag */
	const char *def;     /* the default; NULL: none */
	int64_t min, max;    /* of an integer; both 0: any text */
	const char *choices; /* "text|json"; NULL: no list */
	const char *help;    /* a sentence */
};

struct ctl;

/* One command. Strings are static. */
struct ctl_command {
	const char *name;     /* one or two words: "migrate", "coupon open" */
	const char *operands; /* "ID…"; NULL: takes none */
	int min_operands, max_operands;
	const char *summary; /* one line, no full stop */
	const char *text; /* paragraphs; lines that begin with two spaces are examples */
	const struct ctl_option *options;
	size_t option_count;
	int (*run)(struct ctl *ctl); /* gives the exit status */
};

/* What a running command sees. */
struct ctl {
	struct ctl_settings settings;
	const struct ctl_command *command;   /* borrowed, static */
	const char *values[CTL_MAX_OPTIONS]; /* of command->options; borrowed from argv */
	char **operands;                     /* borrowed from argv */
	int operand_count;
	struct arena *arena; /* owned by main; lives as long as the command */
};

/* --- options ---------------------------------------------------------------- */

/* Reads what stands after the command's name. False after a sentence on stderr. */
bool ctl_parse(struct ctl *ctl, int argc, char **argv) MUST_USE;

/* The value of an option in ctl->command's table: NULL when absent without default. A
 * name that is not in the table is a bug. */
const char *ctl_text(const struct ctl *ctl, const char *name);
bool ctl_flag(const struct ctl *ctl, const char *name);
int64_t ctl_int(const struct ctl *ctl, const char *name); /* it has a default */
bool ctl_json(const struct ctl *ctl);                     /* -o json */

/* For the table of a command that prints either way. */
#define CTL_OUTPUT_OPTION                                                                \
	{                                                                                \
		"-o", "FORMAT", "text", 0, 0, "text|json", "How the result is printed."  \
	}

/* An operand as an id of 1..2^63-1; false after a sentence on stderr. */
bool ctl_operand_id(const struct ctl *ctl, int index, int64_t *id) MUST_USE;

/* --- what went wrong -------------------------------------------------------- */

/* Prints "onrush: …" on stderr. */
void ctl_complain(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* The same, and gives `status`. */
int ctl_fail(int status, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* --- systems ---------------------------------------------------------------- */

/* A connected PostgreSQL, or NULL after a sentence on stderr. The caller frees it. */
struct pgsync *ctl_connect(const struct ctl *ctl, int64_t timeout_us);

/* A topic's name with the prefix of the settings, in the arena. */
const char *ctl_topic(const struct ctl *ctl, const char *name);

/* --- help ------------------------------------------------------------------- */

extern const struct ctl_command *const CTL_COMMANDS[]; /* ends with NULL */
extern const struct conf_item CTL_CONF[];
extern const size_t CTL_CONF_COUNT;

void help_overview(void);
/* One command, or all whose name begins with this word; false when there is none. */
bool help_command(const char *name);
void help_markdown(void);

#endif
