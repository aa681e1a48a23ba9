#include <stdio.h>
#include <string.h>

#include "store/redis_impl.h"

enum {
	DEFAULT_PORT = 6379,
	DB_MAX = 65535
};

static bool unescape(str from, char *to, size_t size);
static bool parse_credentials(str s, struct redis_url *out);
static bool parse_address(str s, struct redis_url *out);

bool
redis_url_parse(const char *url, struct redis_url *out)
{
	const str scheme = STR("redis://");
	str rest = str_of(url), authority, path, credentials;
	const char *at;

	*out = (struct redis_url){ 0 };
	if (!str_starts(rest, scheme))
		return false;
	rest = (str){ rest.p + scheme.n, rest.n - scheme.n };
	path = str_cut(rest, '/', &authority);
	if (path.n > 0 && !str_to_i64(path, 0, DB_MAX, &out->db))
		return false;
	/* The last @: one in the password need not be escaped. */
	at = authority.n == 0 ? NULL : memrchr(authority.p, '@', authority.n);
	if (at != NULL) {
		credentials = (str){ authority.p, (size_t)(at - authority.p) };
		authority = (str){ at + 1, authority.n - credentials.n - 1 };
		if (!parse_credentials(credentials, out))
			return false;
	}
	return parse_address(authority, out);
}

void
redis_url_parse_or_die(const char *url, struct redis_url *out)
{
	if (!redis_url_parse(url, out))
		die("ONRUSH_REDIS_URL: must be "
		    "redis://[user:password@]host[:port][/db].");
}

static bool
parse_credentials(str s, struct redis_url *out)
{
	str user;
	str password = str_cut(s, ':', &user);

	return password.n > 0 && unescape(user, out->user, sizeof(out->user)) &&
	       unescape(password, out->password, sizeof(out->password));
}

/* "host", "host:port", "[v6]", "[v6]:port". */
static bool
parse_address(str s, struct redis_url *out)
{
	const char *host_end =
	    s.n > 0 && s.p[0] == '[' ? memchr(s.p, ']', s.n) : memchr(s.p, ':', s.n);
	int64_t port = DEFAULT_PORT;
	str host = s;

	if (s.n == 0 || (s.p[0] == '[' && host_end == NULL))
		return false;
	if (host_end != NULL) {
		size_t n = (size_t)(host_end - s.p) + (s.p[0] == '[' ? 1 : 0);

		host = (str){ s.p, n };
		if (n < s.n &&
		    (s.p[n] != ':' ||
			!str_to_i64((str){ s.p + n + 1, s.n - n - 1 }, 1, 65535, &port)))
			return false;
	}
	if (host.n == 0 || host.n > sizeof(out->address) - 8)
		return false;
	snprintf(out->address, sizeof(out->address), "%.*s:%d", STR_ARG(host), (int)port);
	return true;
}

/* Decodes %xx into a NUL-terminated text. */
static bool
unescape(str from, char *to, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < from.n; i++) {
		char c = from.p[i];

		if (c == '%') {
			if (from.n - i < 3 ||
			    !hex_decode((str){ from.p + i + 1, 2 }, &c, 1))
				return false;
			i += 2;
		}
		if (c == '\0' || n + 1 >= size)
			return false;
		to[n++] = c;
	}
	to[n] = '\0';
	return true;
}
