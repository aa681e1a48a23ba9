#include "gateway/edge/compress_rules.h"

#include <string.h>

enum {
	WEIGHT_ONE = 1000, /* weights in thousandths */
	WEIGHT_NONE = -1,  /* the coding is not named */
};

/* --- what the client takes -----------------------------------------------------------
 */

/* qvalue: 0, 1, or with up to three decimals; anything else counts as 0. */
static int
weight_of(str q)
{
	int weight = 0, unit = WEIGHT_ONE;

	if (q.n == 0 || q.n > 5 || (q.n > 1 && q.p[1] != '.'))
		return 0;
	for (size_t i = 0; i < q.n; i++) {
		if (i == 1)
			continue;
		if (q.p[i] < '0' || q.p[i] > '9')
			return 0;
		weight += (q.p[i] - '0') * unit;
		unit /= 10;
	}
	return weight <= WEIGHT_ONE ? weight : 0;
}

/* One element: a coding, and perhaps its weight. */
static int
read_coding(str element, str *coding)
{
	str params = str_cut(element, ';', coding), one, value;

	*coding = str_trim(*coding);
	while (params.n > 0) {
		params = str_cut(params, ';', &one);
		value = str_cut(one, '=', &one);
		if (str_eq_nocase(str_trim(one), STR("q")))
			return weight_of(str_trim(value));
	}
	return WEIGHT_ONE;
}

bool
compress_accepts_gzip(str field)
{
	int gzip = WEIGHT_NONE, plain = WEIGHT_NONE, others = WEIGHT_NONE;
	str element, coding;

	while (field.n > 0) {
		int weight;

		field = str_cut(field, ',', &element);
		weight = read_coding(element, &coding);
		if (str_eq_nocase(coding, STR("gzip")) ||
		    str_eq_nocase(coding, STR("x-gzip")))
			gzip = weight;
		else if (str_eq_nocase(coding, STR("identity")))
			plain = weight;
		else if (str_eq(coding, STR("*")))
			others = weight;
	}
	if (gzip == WEIGHT_NONE)
		gzip = others;
	return gzip > 0 && gzip >= plain;
}

/* --- what is worth it ----------------------------------------------------------------
 */

static bool
ends_with(str s, str end)
{
	return s.n >= end.n && str_eq_nocase((str){ s.p + s.n - end.n, end.n }, end);
}

bool
compress_is_text(str content_type)
{
	static const str types[] = { STR_INIT("application/json"),
		STR_INIT("application/javascript"), STR_INIT("application/xml"),
		STR_INIT("application/x-ndjson") };
	str type;

	(void)str_cut(content_type, ';', &type);
	type = str_trim(type);
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (str_eq_nocase(type, types[i]))
			return true;
	if (ends_with(type, STR("+json")) || ends_with(type, STR("+xml")))
		return true;
	return type.n > 5 && str_eq_nocase((str){ type.p, 5 }, STR("text/")) &&
	       !str_eq_nocase(type, STR("text/event-stream"));
}

bool
compress_fits(const struct http_head *answer)
{
	str control = http_header(answer, STR("cache-control"));

	return answer->status >= 200 && answer->status != 204 && answer->status != 206 &&
	       answer->status != 304 &&
	       http_header(answer, STR("content-encoding")).p == NULL &&
	       http_header(answer, STR("content-range")).p == NULL &&
	       (control.n == 0 ||
		   memmem(control.p, control.n, "no-transform", 12) == NULL) &&
	       compress_is_text(http_header(answer, STR("content-type")));
}

str
compress_weak_tag(str tag, char *out)
{
	if (str_starts(tag, STR("W/")))
		return tag;
	memcpy(out, "W/", 2);
	memcpy(out + 2, tag.p, tag.n);
	return (str){ out, tag.n + 2 };
}
