/*
 * What the files that read a route file share and nobody else includes.
 *
 *   route_file.c    the file: services, the list of routes, what is wrong and where
 *   route_row.c     one route
 *   route_limits.c  the limits, and which of them a route has
 *
 * The first thing that is wrong is noted; what is read after that is not used.
 */
#ifndef ONRUSH_GATEWAY_ROUTES_ROUTE_READER_H
#define ONRUSH_GATEWAY_ROUTES_ROUTE_READER_H

#include "gateway/routes/route_file.h"
#include "http/json.h"

enum {
	ROUTE_NAME_BYTES = 64,
	ROUTE_TEXT_BYTES = 1024,
};

/* A file that is being read. */
struct route_reader {
	str text;
	struct route_file *file; /* borrowed until it is read */
	struct json_reader json;
	route_setting *setting;
	const char *part; /* "services" or "routes", of which… */
	size_t index;     /* …this one is being read */
	char *err;        /* borrowed; "" until something is wrong */
	size_t err_size;
};

/* Notes the first thing that is wrong, with the place of what is being read. */
void route_fail(struct route_reader *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Is anything wrong? Also takes over what the JSON reader found. */
bool route_failed(struct route_reader *r);
/* Refuses members of other names than these and "//". */
void route_check_names(struct route_reader *r, const struct json *object,
    const char *const *names, size_t count);

/* The next {…} of a pattern, with its name in *name and what is before it in *before;
 * false when there is none. */
bool route_next_param(str *rest, str *before, str *name);

/* How many members or elements it has. */
size_t route_members(const struct json *value);
/* 1 to ROUTE_NAME_BYTES small letters, digits and hyphens? */
bool route_is_name(str s);

/* Reads the member "limits" of the file, which may be absent. */
void route_read_limits(struct route_reader *r);
/* Reads the member "limit" of a route, which may be absent. */
void route_read_row_limits(
    struct route_reader *r, const struct json *object, struct route_row *row);

/* Reads a row of the list into *row, zeroed; it is not to be used when that failed. */
void
route_read_row(struct route_reader *r, const struct json *object, struct route_row *row);

#endif
