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
