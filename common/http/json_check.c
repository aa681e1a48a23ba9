#include "http/json_check.h"

#include <stdint.h>
#include <string.h>

/* Where the checker is. */
struct check {
	const char *p, *end; /* borrowed from the caller of json_check */
	const char *why;     /* static; NULL while nothing is wrong */
	int depth;
};

static bool value(struct check *c);

static bool
wrong(struct check *c, const char *why)
{
	c->why = why;
	return false;
}

static void
skip_space(struct check *c)
{
	while (c->p < c->end &&
	       (*c->p == ' ' || *c->p == '\n' || *c->p == '\r' || *c->p == '\t'))
		c->p++;
}

/* Takes this character, after space. */
static bool
take(struct check *c, char wanted)
{
	skip_space(c);
	if (c->p == c->end || *c->p != wanted)
		return false;
	c->p++;
	return true;
}

static bool
is_digit(const struct check *c)
{
	return c->p < c->end && *c->p >= '0' && *c->p <= '9';
}

static bool
digits(struct check *c)
{
	if (!is_digit(c))
		return wrong(c, "a number is malformed");
	while (is_digit(c))
		c->p++;
	return true;
}

static bool
number(struct check *c)
{
	const char *start = c->p;

	if (*c->p == '-')
		c->p++;
	if (c->p < c->end && *c->p == '0') {
		c->p++;
		if (is_digit(c))
			return wrong(c, "a number has a leading zero");
	} else if (!digits(c)) {
		return false;
	}
	if (c->p < c->end && *c->p == '.') {
		c->p++;
		if (!digits(c))
			return false;
	}
	if (c->p < c->end && (*c->p == 'e' || *c->p == 'E')) {
		c->p++;
		if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
			c->p++;
		if (!digits(c))
			return false;
	}
	if (c->p - start > JSON_MAX_NUMBER)
		return wrong(c, "a number is too long");
	return true;
}

/* Four hex digits at p, behind "\u". */
static bool
code_unit(struct check *c, unsigned *unit)
{
	unsigned char bytes[2];

	if (c->end - c->p < 4 || !hex_decode((str){ c->p, 4 }, bytes, sizeof(bytes)))
		return wrong(c, "a \\u escape is malformed");
	*unit = (unsigned)bytes[0] << 8 | bytes[1];
	c->p += 4;
	return true;
}

/* An escape, behind its backslash. */
static bool
escape(struct check *c)
{
	unsigned unit;

	if (c->p == c->end || *c->p == '\0' || strchr("\"\\/bfnrtu", *c->p) == NULL)
		return wrong(c, "a string has an unknown escape");
	if (*c->p++ != 'u')
		return true;
	if (!code_unit(c, &unit))
		return false;
	if (unit == 0)
		return wrong(c, "a string contains NUL");
	if (unit < 0xd800 || unit > 0xdfff)
		return true;
	if (unit > 0xdbff || c->end - c->p < 2 || c->p[0] != '\\' || c->p[1] != 'u')
		return wrong(c, "a surrogate is not in a pair");
	c->p += 2;
	if (!code_unit(c, &unit))
		return false;
	if (unit < 0xdc00 || unit > 0xdfff)
		return wrong(c, "a surrogate is not in a pair");
	return true;
}

/* A string, at its first quote. */
static bool
string(struct check *c)
{
	const char *start = ++c->p;

	while (c->p < c->end && *c->p != '"') {
		if ((unsigned char)*c->p < 0x20)
			return wrong(c, "a string contains a raw control character");
		if (*c->p++ == '\\' && !escape(c))
			return false;
	}
	if (c->p == c->end)
		return wrong(c, "a string does not end");
	if (!str_is_utf8((str){ start, (size_t)(c->p - start) }))
		return wrong(c, "a string is not UTF-8");
	c->p++;
	return true;
}

/* The members of an object, behind its brace. */
static bool
object(struct check *c)
{
	int members = 0;

	if (take(c, '}'))
		return true;
	do {
		if (++members > JSON_MAX_MEMBERS)
			return wrong(c, "an object has too many members");
		skip_space(c);
		if (c->p == c->end || *c->p != '"')
			return wrong(c, "a member's name is missing");
		if (!string(c))
			return false;
		if (!take(c, ':'))
			return wrong(c, "a colon is missing");
		if (!value(c))
			return false;
	} while (take(c, ','));
	return take(c, '}') || wrong(c, "an object does not end");
}

/* The elements of an array, behind its bracket. */
static bool
array(struct check *c)
{
	int elements = 0;

	if (take(c, ']'))
		return true;
	do {
		if (++elements > JSON_MAX_ELEMENTS)
			return wrong(c, "an array has too many elements");
		if (!value(c))
			return false;
	} while (take(c, ','));
	return take(c, ']') || wrong(c, "an array does not end");
}

static bool
literal(struct check *c, str word)
{
	if (!str_starts((str){ c->p, (size_t)(c->end - c->p) }, word))
		return wrong(c, "a value is malformed");
	c->p += word.n;
	return true;
}

static bool
nested(struct check *c, bool (*content)(struct check *c))
{
	bool good;

	if (c->depth == JSON_MAX_DEPTH)
		return wrong(c, "it is nested too deeply");
	c->p++;
	c->depth++;
	good = content(c);
	c->depth--;
	return good;
}

static bool
value(struct check *c)
{
	skip_space(c);
	if (c->p == c->end)
		return wrong(c, "a value is missing");
	switch (*c->p) {
	case '{': return nested(c, object);
	case '[': return nested(c, array);
	case '"': return string(c);
	case 't': return literal(c, STR("true"));
	case 'f': return literal(c, STR("false"));
	case 'n': return literal(c, STR("null"));
	case '-': return number(c);
	default: return is_digit(c) ? number(c) : wrong(c, "a value is malformed");
	}
}

const char *
json_check(str text, size_t *at)
{
	struct check c = { text.p, NULL, NULL, 0 };

	*at = 0;
	if (text.n == 0)
		return "it is empty";
	c.end = text.p + text.n;
	if (value(&c)) {
		skip_space(&c);
		if (c.p < c.end)
			c.why = "something follows the value";
	}
	*at = (size_t)(c.p - text.p);
	return c.why;
}

bool
json_is_exact(str number)
{
	const int64_t limit = INT64_C(1) << 53;
	int64_t ignored;

	return str_to_i64(number, -limit, limit, &ignored);
}

/* Moves *at behind the string that starts there. */
static void
skip_string(str text, size_t *at)
{
	for (++*at; text.p[*at] != '"'; ++*at)
		if (text.p[*at] == '\\')
			++*at;
	++*at;
}

str
json_next_number(str text, size_t *at)
{
	size_t from;

	while (*at < text.n && text.p[*at] != '-' &&
	       (text.p[*at] < '0' || text.p[*at] > '9')) {
		if (text.p[*at] == '"')
			skip_string(text, at);
		else
			++*at;
	}
	from = *at;
	while (*at < text.n && strchr("+-.0123456789Ee", text.p[*at]) != NULL)
		++*at;
	return from == *at ? STR_NULL : (str){ text.p + from, *at - from };
}
