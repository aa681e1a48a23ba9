/*
 * Cross-origin calls (Fetch standard, 3.2): which origins may make them, and whether a
 * preflight asks for no more than may be. Pure.
 */
#ifndef ONRUSH_GATEWAY_EDGE_CORS_RULES_H
#define ONRUSH_GATEWAY_EDGE_CORS_RULES_H

#include "http/http_parse.h"

enum {
	CORS_ORIGINS = 32,
};

/* Slices of the setting's text. */
struct cors_origins {
	str list[CORS_ORIGINS];
	size_t count;
};

/* "https://shop.example, http://localhost:3000": each as a browser writes it, in small
 * letters and without a path; an empty text is an empty list. False with a sentence in
 * err[err_size]. The text is borrowed for the list's life. */
bool cors_origins_parse(
    str text, struct cors_origins *out, char *err, size_t err_size) MUST_USE;

/* Exactly: what is alike is another origin. */
bool cors_origins_has(const struct cors_origins *origins, str origin);

/* Are these the method and the fields of a call that routes take? */
bool cors_method_fits(str method);
bool cors_fields_fit(str names);

/* The fields that a call may have beside those that need no permission, as the answer to
 * a preflight lists them; static. */
str cors_fields(void);

#endif
