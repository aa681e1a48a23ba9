/* The types of settings, a function for each thing one can do with a value. */
#include "app/conf_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

enum {
	SIZE_TEXT = 24 /* a size as text */
};

static bool parse_bool(str text, bool *out);
static bool parse_bytes(str text, int64_t min, int64_t max, int64_t *out);
static bool parse_ratio(const char *text, double *out);
static void format_bytes(int64_t bytes, char out[SIZE_TEXT]);

bool
conf_value_set(const struct conf_item *item, void *settings, const char *text)
{
	void *at = (char *)settings + item->offset;
	str s = str_of(text);
	int64_t number;

	switch (item->type) {
	case CONF_STRING:
	case CONF_SECRET: *(const char **)at = xstrdup(text); return true;
	case CONF_INT: return str_to_i64(s, item->min, item->max, at);
	case CONF_BOOL: return parse_bool(s, at);
	case CONF_MS:
		if (!str_to_i64(s, item->min, item->max, &number))
			return false;
		*(int64_t *)at = number * CLOCK_US_PER_MS;
		return true;
	case CONF_BYTES: return parse_bytes(s, item->min, item->max, at);
	case CONF_RATIO: return parse_ratio(text, at);
	}
	UNREACHABLE();
}

void
conf_value_clear(const struct conf_item *item, void *settings)
{
	char *at = (char *)settings + item->offset;
	char *text;

	if (item->type != CONF_STRING && item->type != CONF_SECRET)
		return;
	/* The member is a pointer to const text, for everyone but us. */
	memcpy(&text, at, sizeof(text));
	free(text);
	text = NULL;
	memcpy(at, &text, sizeof(text));
}

static bool
parse_bool(str text, bool *out)
{
	static const char *const yes[] = { "true", "1", "yes", "on" };
	static const char *const no[] = { "false", "0", "no", "off" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (str_eq_nocase(text, str_of(yes[i])))
			return *out = true;
		if (str_eq_nocase(text, str_of(no[i]))) {
			*out = false;
			return true;
		}
	}
	return false;
}

/* A number, or one with K, M or G behind it. */
static bool
parse_bytes(str text, int64_t min, int64_t max, int64_t *out)
{
	int64_t number, unit = 1;

	if (text.n > 0) {
		switch (text.p[text.n - 1]) {
		case 'K': unit = INT64_C(1) << 10; break;
		case 'M': unit = INT64_C(1) << 20; break;
		case 'G': unit = INT64_C(1) << 30; break;
		}
	}
	if (unit > 1)
		text.n--;
	if (!str_to_i64(text, 0, INT64_MAX / unit, &number))
		return false;
	number *= unit;
	if (number < min || number > max)
		return false;
	*out = number;
	return true;
}

/* Digits with at most one point; strtod alone would take hex, exponents and nan. */
static bool
parse_ratio(const char *text, double *out)
{
	size_t whole = strspn(text, "0123456789");
	size_t point = text[whole] == '.';
	size_t part = point ? strspn(text + whole + 1, "0123456789") : 0;
	double value;

	if (whole == 0 || (point && part == 0) || text[whole + point + part] != '\0')
		return false;
	value = strtod(text, NULL);
	if (value > 1)
		return false;
	*out = value;
	return true;
}

/* With the largest unit that leaves no remainder. */
static void
format_bytes(int64_t bytes, char out[SIZE_TEXT])
{
	static const char *const units[] = { "", "K", "M", "G" };
	size_t unit = 0;

	while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < ARRAY_LEN(units)) {
		bytes /= 1024;
		unit++;
	}
	snprintf(out, SIZE_TEXT, "%" PRId64 "%s", bytes, units[unit]);
}

void
conf_value_words(const struct conf_item *item, char words[CONF_WORDS_SIZE])
{
	char min[SIZE_TEXT], max[SIZE_TEXT];

	switch (item->type) {
	case CONF_STRING: snprintf(words, CONF_WORDS_SIZE, "text"); return;
	case CONF_SECRET:
		snprintf(words, CONF_WORDS_SIZE, "text, or a file's name in %s_FILE",
		    item->name);
		return;
	case CONF_INT:
		snprintf(words, CONF_WORDS_SIZE,
		    "a whole number from %" PRId64 " to %" PRId64, item->min, item->max);
		return;
	case CONF_BOOL: snprintf(words, CONF_WORDS_SIZE, "true or false"); return;
	case CONF_MS:
		snprintf(words, CONF_WORDS_SIZE,
		    "a whole number of milliseconds from %" PRId64 " to %" PRId64,
		    item->min, item->max);
		return;
	case CONF_BYTES:
		format_bytes(item->min, min);
		format_bytes(item->max, max);
		snprintf(words, CONF_WORDS_SIZE,
		    "a number of bytes such as 4096, 64K, 16M or 1G, from %s to %s", min,
		    max);
		return;
	case CONF_RATIO: snprintf(words, CONF_WORDS_SIZE, "a number from 0 to 1"); return;
	}
	UNREACHABLE();
}

void
conf_value_print(const struct conf_item *item, const void *settings)
{
	const void *at = (const char *)settings + item->offset;
	char text[SIZE_TEXT];

	switch (item->type) {
	case CONF_STRING: fputs(*(const char *const *)at, stdout); return;
	case CONF_SECRET: fputs(**(const char *const *)at ? "***" : "", stdout); return;
	case CONF_INT: printf("%" PRId64, *(const int64_t *)at); return;
	case CONF_BOOL: fputs(*(const bool *)at ? "true" : "false", stdout); return;
	case CONF_MS: printf("%" PRId64, *(const int64_t *)at / CLOCK_US_PER_MS); return;
	case CONF_BYTES:
		format_bytes(*(const int64_t *)at, text);
		fputs(text, stdout);
		return;
	case CONF_RATIO: printf("%g", *(const double *)at); return;
	}
	UNREACHABLE();
}
