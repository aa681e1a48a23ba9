/* Finding places in a file whose JSON is known to be right: for messages only. */
#include <string.h>

#include "gateway/routes/route_file.h"

/* Behind the string that begins at `at`. */
static size_t
skip_string(str text, size_t at)
{
	for (at++; at < text.n && text.p[at] != '"'; at++)
		if (text.p[at] == '\\')
			at++;
	return at + 1;
}

static size_t
skip_blank(str text, size_t at)
{
	while (at < text.n && memchr(" \t\r\n", text.p[at], 4) != NULL)
		at++;
	return at;
}

/* Behind the value that begins at `at`. */
static size_t
skip_value(str text, size_t at)
{
	size_t depth = 0;

	while (at < text.n) {
		char c = text.p[at];

		if (depth == 0 && memchr(",]} \t\r\n", c, 7) != NULL)
			return at;
		at = c == '"' ? skip_string(text, at) : at + 1;
		depth += c == '{' || c == '[';
		depth -= c == '}' || c == ']';
		if (depth == 0 && (c == '"' || c == '}' || c == ']'))
			return at;
	}
	return text.n;
}

/* Is the string at `at` this one, with no escapes? */
static bool
is_string(str text, size_t at, const char *want)
{
	size_t n = strlen(want);

	return text.n - at >= n + 2 && memcmp(text.p + at + 1, want, n) == 0 &&
	       text.p[at + n + 1] == '"';
}

/* Where the value of the member of the outermost object begins; text.n: there is none. */
static size_t
find_member(str text, const char *name)
{
	size_t at = skip_blank(text, skip_blank(text, 0) + 1);

	while (at < text.n && text.p[at] == '"') {
		bool found = is_string(text, at, name);

		at = skip_blank(text, skip_string(text, at));
		at = skip_blank(text, at + 1); /* the colon */
		if (found)
			return at;
		at = skip_blank(text, skip_value(text, at));
		at = skip_blank(text, at + 1); /* the comma */
	}
	return text.n;
}

size_t
route_file_place(str text, const char *name, size_t index)
{
	size_t start = find_member(text, name), at;

	if (start >= text.n)
		return 0;
	at = skip_blank(text, start + 1);
	for (; index > 0 && at < text.n && text.p[at] != ']' && text.p[at] != '}';
	     index--) {
		at = skip_blank(text, skip_value(text, at));
		if (at < text.n && text.p[at] == ':') {
			at = skip_blank(text, at + 1);
			at = skip_blank(text, skip_value(text, at));
		}
		at = skip_blank(text, at + 1);
	}
	return at < text.n && text.p[at] != ']' && text.p[at] != '}' ? at : start;
}
