/*
 * The strict JSON grammar (RFC 8259, RFC 3629), checked on the text before cJSON sees it,
 * because cJSON lets too much pass. Part of json.c; nobody else includes this.
 */
#ifndef ONRUSH_HTTP_JSON_CHECK_H
#define ONRUSH_HTTP_JSON_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum {
	JSON_MAX_DEPTH = 16,
	JSON_MAX_ELEMENTS = 1000, /* of one array */
	JSON_MAX_MEMBERS = 64,    /* of one object */
	JSON_MAX_NUMBER = 63,     /* bytes: what cJSON's number buffer holds */
};

/* What is wrong with the text, static, with the place in *at; NULL if nothing is. */
const char *json_check(str text, size_t *at);

/* Is this number (as json_check accepts it) written as an integer, without fraction and
 * exponent, of at most 2^53 in size? */
bool json_is_exact(str number);

/* The next number in a text that json_check accepts, at or behind *at, which is moved
 * behind it; p == NULL if there is none. */
str json_next_number(str text, size_t *at);

#endif
