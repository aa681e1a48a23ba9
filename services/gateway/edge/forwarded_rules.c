#include "gateway/edge/forwarded_rules.h"

#include <string.h>

/* The last element of a comma-separated list; *rest is what is before it, p == NULL when
 * there is nothing. */
static str
cut_last(str list, str *rest)
{
	const char *comma = list.n > 0 ? memrchr(list.p, ',', list.n) : NULL;
	size_t before = comma == NULL ? 0 : (size_t)(comma - list.p);

	*rest = comma == NULL ? STR_NULL : (str){ list.p, before };
	return str_trim(comma == NULL ? list : (str){ comma + 1, list.n - before - 1 });
}

str
forwarded_sound_end(str list)
{
	str rest = list, one, sound = STR_NULL;
	struct address address;

	for (int i = 0; rest.p != NULL && i < FORWARDED_HOPS; i++) {
		one = cut_last(rest, &rest);
		if (!address_parse(one, &address))
			break;
		sound = (str){ one.p, (size_t)(list.p + list.n - one.p) };
	}
	return str_trim(sound);
}

str
forwarded_client(str list, const struct address_list *trusted, str proxy)
{
	str rest = forwarded_sound_end(list), client = proxy;
	struct address address;

	while (rest.n > 0) {
		client = cut_last(rest, &rest);
		if (!address_parse(client, &address) ||
		    !address_list_has(trusted, &address))
			break;
	}
	return client;
}

/* --- Forwarded -----------------------------------------------------------------------
 */

/* RFC 9110, 5.6.2. */
static size_t
token_size(str s)
{
	size_t n = 0;

	while (n < s.n && ((s.p[n] >= '0' && s.p[n] <= '9') ||
			      ((s.p[n] | 0x20) >= 'a' && (s.p[n] | 0x20) <= 'z') ||
			      (s.p[n] != '\0' && strchr("!#$%&'*+-.^_`|~", s.p[n]))))
		n++;
	return n;
}

/* A quoted string without escapes: nothing that belongs there needs one. 0: it is none.
 */
static size_t
quoted_size(str s)
{
	size_t n = 1;

	if (s.n < 2 || s.p[0] != '"')
		return 0;
	while (
	    n < s.n && s.p[n] > ' ' && s.p[n] <= '~' && s.p[n] != '"' && s.p[n] != '\\')
		n++;
	return n < s.n && s.p[n] == '"' ? n + 1 : 0;
}

static str
skip(str s, size_t n)
{
	return (str){ s.p + n, s.n - n };
}

/* One "name=value"; false unless there is one at the start of *s, which moves behind it.
 */
static bool
take_pair(str *s)
{
	size_t n = token_size(*s);

	if (n == 0 || n == s->n || s->p[n] != '=')
		return false;
	*s = skip(*s, n + 1);
	n = token_size(*s);
	if (n == 0)
		n = quoted_size(*s);
	*s = skip(*s, n);
	return n > 0;
}

/* What separates two pairs, with blanks around a comma only; false when there is none. */
static bool
take_separator(str *s)
{
	str rest = str_trim(*s);

	if (rest.n > 0 && rest.p[0] == ',') {
		*s = str_trim(skip(rest, 1));
		return true;
	}
	if (s->p[0] != ';')
		return false;
	*s = skip(*s, 1);
	return true;
}

bool
forwarded_is_sound(str field)
{
	if (field.n > FORWARDED_BYTES)
		return false;
	while (take_pair(&field)) {
		if (field.n == 0)
			return true;
		if (!take_separator(&field))
			return false;
	}
	return false;
}

static char *
put(char *out, str s)
{
	return mempcpy(out, s.p, s.n);
}

char *
forwarded_hop(char *out, str peer, bool secure, str host)
{
	bool v6 = memchr(peer.p, ':', peer.n) != NULL;

	out = put(out, v6 ? STR("for=\"[") : STR("for="));
	out = put(out, peer.n > 1 ? peer : STR("unknown"));
	out = put(out, v6 ? STR("]\"") : STR(""));
	out = put(out, secure ? STR(";proto=https") : STR(";proto=http"));
	if (host.n > 0) {
		out = put(out, STR(";host=\""));
		out = put(out, host);
		out = put(out, STR("\""));
	}
	return out;
}
