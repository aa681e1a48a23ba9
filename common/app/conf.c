/*
 * Settings out of a table: where each value comes from, and the words for what it may be.
 * Text is turned into values by conf_value.c.
 *
 *   environment NAME, NAME_FILE > files NAME, NAME_FILE (the last line wins) > default
 */
#include "app/conf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "app/conf_value.h"
#include "base/die.h"
#include "base/str.h"

enum {
	FILE_LIMIT = 64 * 1024, /* bytes; a settings file is not larger */
	NAME_LIMIT = 128,
};

/* One line of a file. */
struct pair {
	SLIST_ENTRY(pair) link;
	char *name;  /* owned */
	char *value; /* owned */
};

struct loader {
	SLIST_HEAD(, pair) pairs; /* owned; the newest first */
	char *err;                /* borrowed for the call */
	size_t err_size;
};

static bool fail(struct loader *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
static bool read_file(struct loader *l, const char *path);
static char *read_text(struct loader *l, const char *path);
static bool take_line(struct loader *l, str line, const char *path, int number);
static bool load_item(struct loader *l, const struct conf_item *item, void *settings);
static char *find_text(struct loader *l, const struct conf_item *item);
static char *
read_secret(struct loader *l, const struct conf_item *item, const char *path);
static const char *find_pair(const struct loader *l, const char *name);

bool
conf_load(const struct conf_item *items, size_t count, void *settings,
    const char *const *files, size_t file_count, char *err, size_t err_size)
{
	struct loader l = { .err = err, .err_size = err_size };
	struct pair *pair;
	bool ok = true;

	for (size_t i = 0; ok && i < file_count; i++)
		ok = read_file(&l, files[i]);
	for (size_t i = 0; ok && i < count; i++)
		ok = load_item(&l, &items[i], settings);
	if (!ok)
		conf_free(items, count, settings);
	while ((pair = SLIST_FIRST(&l.pairs)) != NULL) {
		SLIST_REMOVE_HEAD(&l.pairs, link);
		free(pair->name);
		free(pair->value);
		free(pair);
	}
	return ok;
}

void
conf_free(const struct conf_item *items, size_t count, void *settings)
{
	for (size_t i = 0; i < count; i++)
		conf_value_clear(&items[i], settings);
}

/* Writes the sentence that conf_load returns. Always false. */
static bool
fail(struct loader *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->err, l->err_size, fmt, ap);
	va_end(ap);
	return false;
}

/* --- files ---------------------------------------------------------------------------
 */

static bool
read_file(struct loader *l, const char *path)
{
	char *text = read_text(l, path);
	str rest = str_of(text), line;
	bool ok = text != NULL;

	for (int number = 1; ok && rest.p != NULL; number++) {
		rest = str_cut(rest, '\n', &line);
		ok = take_line(l, line, path, number);
	}
	free(text);
	return ok;
}

/* The whole file, NUL-terminated; the caller frees it. NULL after fail(). */
static char *
read_text(struct loader *l, const char *path)
{
	FILE *f = fopen(path, "re");
	char *text;
	size_t n;

	if (f == NULL) {
		fail(l, "%s: cannot be read: %s.", path, strerror(errno));
		return NULL;
	}
	text = xmalloc(FILE_LIMIT + 1);
	errno = 0;
	n = fread(text, 1, FILE_LIMIT + 1, f);
	if (ferror(f))
		fail(l, "%s: cannot be read: %s.", path, strerror(errno));
	else if (n > FILE_LIMIT)
		fail(l, "%s: must be smaller than %d bytes.", path, FILE_LIMIT);
	else if (memchr(text, '\0', n) != NULL)
		fail(l, "%s: must be text, but has a NUL byte.", path);
	else {
		text[n] = '\0';
		fclose(f);
		return text;
	}
	fclose(f);
	free(text);
	return NULL;
}

static char *
copy_text(str s)
{
	char *copy = xmalloc(s.n + 1);

	memcpy(copy, s.p, s.n);
	copy[s.n] = '\0';
	return copy;
}

/* A line is empty, a comment, or KEY=VALUE. Nothing is unquoted. */
static bool
take_line(struct loader *l, str line, const char *path, int number)
{
	struct pair *pair;
	str name, value;

	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	line = str_trim(line);
	if (line.n == 0 || line.p[0] == '#')
		return true;
	value = str_cut(line, '=', &name);
	name = str_trim(name);
	if (value.p == NULL || name.n == 0)
		return fail(l, "%s line %d: must be KEY=VALUE.", path, number);
	pair = xcalloc(1, sizeof(*pair));
	pair->name = copy_text(name);
	pair->value = copy_text(str_trim(value));
	SLIST_INSERT_HEAD(&l->pairs, pair, link);
	return true;
}

static const char *
find_pair(const struct loader *l, const char *name)
{
	const struct pair *pair;

	SLIST_FOREACH (pair, &l->pairs, link)
		if (strcmp(pair->name, name) == 0)
			return pair->value;
	return NULL;
}

/* --- values --------------------------------------------------------------------------
 */

static bool
load_item(struct loader *l, const struct conf_item *item, void *settings)
{
	char words[CONF_WORDS_SIZE];
	char *text = find_text(l, item);
	bool ok;

	if (text == NULL)
		return false;
	ok = conf_value_set(item, settings, text);
	if (!ok) {
		conf_value_words(item, words);
		fail(l, "%s=%.100s: must be %s.", item->name, text, words);
	}
	free(text);
	return ok;
}

/* The item's text, which the caller frees. NULL after fail(). */
static char *
find_text(struct loader *l, const struct conf_item *item)
{
	char name_file[NAME_LIMIT];
	const char *value, *path = NULL;

	snprintf(name_file, sizeof(name_file), "%s_FILE", item->name);
	value = getenv(item->name);
	if (value == NULL && item->type == CONF_SECRET)
		path = getenv(name_file);
	if (value == NULL && path == NULL)
		value = find_pair(l, item->name);
	if (value == NULL && path == NULL && item->type == CONF_SECRET)
		path = find_pair(l, name_file);
	if (value == NULL && path == NULL)
		value = item->def;
	if (path != NULL)
		return read_secret(l, item, path);
	if (value == NULL || (item->def == NULL && value[0] == '\0')) {
		fail(l, "%s: must be set; it has no default.", item->name);
		return NULL;
	}
	return xstrdup(value);
}

/* What a NAME_FILE holds, without the newline at its end. NULL after fail(). */
static char *
read_secret(struct loader *l, const struct conf_item *item, const char *path)
{
	char *text = read_text(l, path);
	size_t n;

	if (text == NULL)
		return NULL;
	n = strcspn(text, "\r\n");
	if (n == 0 || text[n + strspn(text + n, "\r\n")] != '\0') {
		fail(l, "%s_FILE=%.100s: must name a file with the secret on one line.",
		    item->name, path);
		free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

/* --- printing ------------------------------------------------------------------------
 */

void
conf_print_help(const struct conf_item *items, size_t count)
{
	char words[CONF_WORDS_SIZE];

	for (size_t i = 0; i < count; i++) {
		const struct conf_item *item = &items[i];

		conf_value_words(item, words);
		printf("  %s%s%s\n      %s\n      Takes %s.\n", item->name,
		    item->def == NULL ? " (required)" : "=",
		    item->def == NULL ? "" : item->def, item->help, words);
	}
}

void
conf_print_markdown(const struct conf_item *items, size_t count)
{
	char words[CONF_WORDS_SIZE];

	for (size_t i = 0; i < count; i++) {
		const struct conf_item *item = &items[i];
		const char *def = item->def == NULL ? "required" : item->def;

		conf_value_words(item, words);
		printf("| `%s` | %s%s%s | %s | %s |\n", item->name,
		    def[0] == '\0' || item->def == NULL ? "" : "`",
		    def[0] == '\0' ? "empty" : def,
		    def[0] == '\0' || item->def == NULL ? "" : "`", words, item->help);
	}
}

void
conf_print_values(const struct conf_item *items, size_t count, const void *settings)
{
	for (size_t i = 0; i < count; i++) {
		printf("%s=", items[i].name);
		conf_value_print(&items[i], settings);
		printf("\n");
	}
}
