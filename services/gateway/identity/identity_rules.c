#include "gateway/identity/identity_rules.h"

/* How many fields of the name there are, up to 2; the first one's value in *value. */
static int
count_fields(const struct http_head *head, str name, str *value)
{
	int count = 0;

	for (size_t i = 0; i < head->header_count && count < 2; i++) {
		if (!str_eq_nocase(head->headers[i].name, name))
			continue;
		if (count++ == 0)
			*value = head->headers[i].value;
	}
	return count;
}

str
identity_cookie(const struct http_head *head, str name)
{
	str rest = http_header(head, STR("cookie"));

	while (rest.n > 0) {
		str pair, value;

		rest = str_cut(rest, ';', &pair);
		value = str_cut(str_trim(pair), '=', &pair);
		if (value.p != NULL && str_eq(pair, name))
			return value;
	}
	return STR_NULL;
}

/* May a cookie speak for a call like this? */
static bool
is_our_own(const struct http_head *head)
{
	return http_method_is_safe(head->method) ||
	       str_eq(http_header(head, STR("sec-fetch-site")), STR("same-origin"));
}

enum identity_shown
identity_find_token(const struct http_head *head, str *token)
{
	str field = STR_NULL, scheme;

	switch (count_fields(head, STR("authorization"), &field)) {
	case 0: break;
	case 1:
		*token = str_trim(str_cut(field, ' ', &scheme));
		if (!str_eq_nocase(scheme, STR("Bearer")) || token->n == 0)
			return SHOWN_ELSE;
		return SHOWN_TOKEN;
	default: return SHOWN_TWICE;
	}
	*token = identity_cookie(head, STR("onrush_token"));
	if (token->n == 0)
		return SHOWN_NO_TOKEN;
	return is_our_own(head) ? SHOWN_TOKEN : SHOWN_ASTRAY;
}

enum identity_shown
identity_find_key(const struct http_head *head, str *key)
{
	*key = STR_NULL;
	switch (count_fields(head, STR("x-api-key"), key)) {
	case 0: return SHOWN_NO_TOKEN;
	case 1: return key->n > 0 ? SHOWN_TOKEN : SHOWN_NO_TOKEN;
	default: return SHOWN_TWICE;
	}
}
