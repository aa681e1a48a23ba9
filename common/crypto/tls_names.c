/* Which name fits which. */
#include "crypto/tls_names.h"

#include <string.h>

enum tls_fit
tls_name_fit(str certified, str asked)
{
	const char *dot;
	str rest;

	if (asked.n > 0 && asked.p[asked.n - 1] == '.')
		asked.n--;
	if (asked.n == 0)
		return TLS_FIT_NOT;
	if (str_eq_nocase(certified, asked))
		return TLS_FIT_EXACT;
	if (!str_starts(certified, STR("*.")))
		return TLS_FIT_NOT;
	dot = memchr(asked.p, '.', asked.n);
	if (dot == NULL || dot == asked.p)
		return TLS_FIT_NOT;
	rest = (str){ dot, (size_t)(asked.p + asked.n - dot) };
	/* A star for a whole top-level domain would be a mistake of whoever certified it.
	 */
	if (memchr(rest.p + 1, '.', rest.n - 1) == NULL)
		return TLS_FIT_NOT;
	certified = (str){ certified.p + 1, certified.n - 1 };
	return str_eq_nocase(certified, rest) ? TLS_FIT_WILDCARD : TLS_FIT_NOT;
}
