#include "http/http_parse.h"

bool
http_unescape(str s, char *out, str *decoded)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '%') {
			if (s.n - i < 3 || !hex_decode((str){ s.p + i + 1, 2 }, &c, 1))
				return false;
			i += 2;
		}
		if (c == '\0')
			return false;
		out[n++] = c;
	}
	*decoded = (str){ out, n };
	return true;
}

/* The dot is not plain: a segment of dots is a way up. */
static bool
is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '~';
}

char *
http_escape(str s, char *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (is_plain(s.p[i])) {
			*out++ = s.p[i];
			continue;
		}
		*out++ = '%';
		*out++ = digits[c >> 4];
		*out++ = digits[c & 15];
	}
	return out;
}
