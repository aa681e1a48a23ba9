/*
 * Settings. One table per program says name, type, default, limits and meaning; the
 * values land in the program's settings struct; --help, --check and docs/settings.md are
 * printed from the same table.
 *
 * Where a value comes from, the later one wins: the default, `KEY=VALUE` lines of the
 * files given with --config FILE (any number), the environment. For a secret NAME, the
 * setting NAME_FILE may name a file that holds it, on one line. In a file, empty lines
 * and lines that begin with # are skipped, blanks around key and value are dropped, and
 * nothing is unquoted.
 */
#ifndef ONRUSH_APP_CONF_H
#define ONRUSH_APP_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum conf_type {
	CONF_STRING, /* const char *, owned by conf, "" when empty */
	CONF_SECRET, /* the same, never printed */
	CONF_INT,    /* int64_t within min..max */
	CONF_BOOL,   /* bool: true, false, 1, 0, yes, no, on, off */
	CONF_MS,     /* int64_t microseconds in the struct, milliseconds in the text,
		      * within min..max milliseconds */
	CONF_BYTES,  /* int64_t: 4096, 64K, 16M, 1G, within min..max bytes */
	CONF_RATIO,  /* double, within 0..1 */
};

struct conf_item {
	const char *name; /* ONRUSH_… */
	enum conf_type type;
	size_t offset;    /* of the member in the settings struct */
	const char *def;  /* default as text; NULL: the setting is required */
	int64_t min, max; /* for CONF_INT, CONF_MS and CONF_BYTES */
	const char *help; /* one sentence */
};

/*
 * Fills *settings (zeroed by the caller) from files and environment. On a bad or missing
 * value or an unreadable file it writes a sentence that names the setting, its value and
 * what is allowed to err[err_size] and returns false, with nothing to free. Keys of a
 * file that this program does not know are ignored: several programs share one file.
 */
bool conf_load(const struct conf_item *items, size_t count, void *settings,
    const char *const *files, size_t file_count, char *err, size_t err_size);

/* Releases the strings that conf_load stored in *settings. */
void conf_free(const struct conf_item *items, size_t count, void *settings);

/* Prints the table for people (--help) and as Markdown rows (docs). */
void conf_print_help(const struct conf_item *items, size_t count);
void conf_print_markdown(const struct conf_item *items, size_t count);

/* Prints NAME=value lines of what is in force, secrets as ***. */
void conf_print_values(const struct conf_item *items, size_t count, const void *settings);

#endif
