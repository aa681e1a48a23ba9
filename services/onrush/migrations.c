#include "onrush/migrations.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "crypto/digest.h"

enum {
	FILE_MAX = 4 << 20 /* bytes; a migration is written by hand */
};

static const char middle[] = "/migrations/", suffix[] = ".sql";

/* A path as a pattern that matches just it. */
static char *
quote_pattern(struct arena *arena, const char *path)
{
	char *out = arena_alloc(arena, 2 * strlen(path) + 1), *at = out;

	for (; *path != '\0'; path++) {
		if (strchr("*?[\\", *path) != NULL)
			*at++ = '\\';
		*at++ = *path;
	}
	return out;
}

static bool
read_file(struct arena *arena, const char *path, str *text, const char **why)
{
	FILE *f = fopen(path, "re");
	struct buf content = { 0 };
	size_t n = 0;
	bool whole;

	if (f == NULL) {
		*why = arena_printf(arena, "%s: %s", path, strerror(errno));
		return false;
	}
	do {
		n = fread(buf_reserve(&content, BUFSIZ), 1, BUFSIZ, f);
		buf_grew(&content, n);
	} while (n > 0 && buf_size(&content) <= FILE_MAX);
	whole = !ferror(f) && n == 0;
	fclose(f);
	*text = arena_str(arena, buf_str(&content));
	buf_fini(&content);
	if (whole && str_is_utf8(*text) && memchr(text->p, '\0', text->n) == NULL)
		return true;
	*why = arena_printf(arena,
	    whole ? "%s: is not UTF-8 text" : "%s: cannot be read or is too large", path);
	return false;
}

const char *
migration_up(struct arena *arena, str text, const char **why)
{
	const str up = STR("-- migrate:up"), down = STR("-- migrate:down");
	const char *start = NULL, *end = text.p + text.n;
	str rest = text, line;

	while (rest.p != NULL && rest.n > 0) {
		rest = str_cut(rest, '\n', &line);
		if (str_starts(line, down)) {
			end = line.p;
			break;
		}
		if (!str_starts(line, up))
			continue;
		if (start != NULL || str_trim(line).n != up.n) {
			*why = start != NULL ? "has two \"-- migrate:up\" lines"
					     : "has options after \"-- migrate:up\"; a "
					       "file is always one transaction";
			return NULL;
		}
		start = line.p + line.n;
	}
	if (start == NULL) {
		*why = "has no \"-- migrate:up\" line";
		return NULL;
	}
	return arena_strdup(arena, (str){ start, (size_t)(end - start) });
}

/* "coupon/0001_campaigns" of "dir/coupon/migrations/0001_campaigns.sql"; NULL when the
 * name has other than lower-case letters, digits, '-' and '_', or no number in front. */
static const char *
version_of(struct arena *arena, const char *path, size_t dir_size)
{
	const char *service = path + dir_size + 1;
	const char *at = strstr(service, middle), *stem;
	char *version;

	ASSERT(at != NULL);
	stem = at + sizeof(middle) - 1;
	version = arena_printf(arena, "%.*s/%.*s", (int)(at - service), service,
	    (int)(strlen(stem) - (sizeof(suffix) - 1)), stem);
	at = strchr(version, '/');
	if (strspn(version, "abcdefghijklmnopqrstuvwxyz0123456789-_/") != strlen(version))
		return NULL;
	return strspn(at + 1, "0123456789") > 0 ? version : NULL;
}

/* Have two versions the same service and number? */
static bool
is_same_number(const char *a, const char *b)
{
	size_t service = (size_t)(strchr(a, '/') - a) + 1;
	size_t number = service + strspn(a + service, "0123456789");

	return strncmp(a, b, number) == 0 &&
	       strspn(b + service, "0123456789") + service == number;
}

static bool
load_one(struct arena *arena, const char *path, size_t dir_size, struct migration *m,
    const char **why)
{
	struct sha256 sum;
	const char *wrong;
	str text;

	m->version = version_of(arena, path, dir_size);
	if (m->version == NULL) {
		*why = arena_printf(arena,
		    "%s: the name must be like coupon/migrations/0001_name.sql, in "
		    "lower case",
		    path);
		return false;
	}
	if (!read_file(arena, path, &text, why))
		return false;
	m->up = migration_up(arena, text, &wrong);
	if (m->up == NULL) {
		*why = arena_printf(arena, "%s %s", path, wrong);
		return false;
	}
	sum = sha256_of(&text, 1);
	hex_encode(sum.b, sizeof(sum.b), m->sha256);
	return true;
}

static bool
load_all(struct arena *arena, const glob_t *found, size_t dir_size,
    struct migrations *out, const char **why)
{
	out->list = arena_alloc(arena, found->gl_pathc * sizeof(*out->list));
	for (size_t i = 0; i < found->gl_pathc; i++) {
		struct migration *m = &out->list[i];

		if (!load_one(arena, found->gl_pathv[i], dir_size, m, why))
			return false;
		if (i > 0 && is_same_number(m[-1].version, m->version)) {
			*why = arena_printf(arena, "%s and %s have the same number",
			    m[-1].version, m->version);
			return false;
		}
	}
	out->count = found->gl_pathc;
	return true;
}

bool
migrations_load(
    struct arena *arena, const char *dir, struct migrations *out, const char **why)
{
	glob_t found = { 0 };
	char *pattern =
	    arena_printf(arena, "%s/*%s*%s", quote_pattern(arena, dir), middle, suffix);
	bool ok = false;

	if (glob(pattern, 0, NULL, &found) == 0)
		ok = load_all(arena, &found, strlen(dir), out, why);
	else
		*why = arena_printf(
		    arena, "there is no %s/SERVICE%sNUMBER_NAME%s", dir, middle, suffix);
	globfree(&found);
	return ok;
}
