#include "gateway/edge/cors_rules.h"

#include <stdio.h>
#include <string.h>

/* What the gateway or a service reads of a call. */
static const str fields =
    STR_INIT("Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Prefer, "
	     "traceparent, X-Api-Key, X-Onrush-Pass, X-Request-Deadline-Ms, "
	     "X-Request-Id");

/* --- origins -------------------------------------------------------------------------
 */

static bool
is_host_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	       c == ':' || c == '[' || c == ']';
}

/* scheme://host or scheme://host:port (RFC 6454, 6.2), as browsers write it. */
static bool
is_origin(str origin)
{
	str host = STR_NULL;

	if (str_starts(origin, STR("https://")))
		host = (str){ origin.p + 8, origin.n - 8 };
	else if (str_starts(origin, STR("http://")))
		host = (str){ origin.p + 7, origin.n - 7 };
	for (size_t i = 0; i < host.n; i++)
		if (!is_host_byte(host.p[i]))
			return false;
	return host.n > 0;
}

bool
cors_origins_parse(str text, struct cors_origins *out, char *err, size_t err_size)
{
	str rest = text, one;

	out->count = 0;
	if (text.n == 0)
		return true;
	do {
		rest = str_cut(rest, ',', &one);
		one = str_trim(one);
		if (!is_origin(one)) {
			snprintf(err, err_size,
			    "\"%.*s\" is not an origin such as https://shop.example or "
			    "http://localhost:3000",
			    STR_ARG(one));
			return false;
		}
		if (out->count == CORS_ORIGINS) {
			snprintf(err, err_size, "there may be at most %d origins",
			    CORS_ORIGINS);
			return false;
		}
		out->list[out->count++] = one;
	} while (rest.p != NULL);
	return true;
}

bool
cors_origins_has(const struct cors_origins *origins, str origin)
{
	for (size_t i = 0; i < origins->count; i++)
		if (str_eq(origins->list[i], origin))
			return true;
	return false;
}

/* --- preflights ----------------------------------------------------------------------
 */

bool
cors_method_fits(str method)
{
	static const enum http_method methods[] = { HTTP_GET, HTTP_HEAD, HTTP_POST,
		HTTP_PUT, HTTP_PATCH, HTTP_DELETE };

	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (str_eq(method, http_method_name(methods[i])))
			return true;
	return false;
}

bool
cors_fields_fit(str names)
{
	str one;

	while (names.n > 0) {
		names = str_cut(names, ',', &one);
		if (!http_list_has(fields, str_trim(one)))
			return false;
	}
	return true;
}

str
cors_fields(void)
{
	return fields;
}
