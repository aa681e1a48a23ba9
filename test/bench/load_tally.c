#include <string.h>

#include "load.h"

void
tally_answer(struct load_tally *t, int status, str body, int64_t took_us)
{
	t->requests++;
	t->statuses[status < 600 ? status : 0]++;
	hist_add(&t->latency, took_us);
	if (status < 400)
		return;

	str code = tally_member(body, STR("\"error\":"));
	for (size_t i = 0; i < LOAD_CODES; i++) {
		char *name = t->codes[i].code;
		if (name[0] == '\0')
			snprintf(name, LOAD_CODE_SIZE, "%.*s", STR_ARG(code));
		if (str_eq(str_of(name), code)) {
			t->codes[i].count++;
			return;
		}
	}
}

str
tally_member(str body, str name)
{
	const char *at = memmem(body.p, body.n, name.p, name.n);

	if (at == NULL)
		return STR_NULL;
	str rest = { at + name.n, (size_t)(body.p + body.n - at) - name.n };
	str value;
	if (rest.n > 0 && rest.p[0] == '"') {
		str_cut((str){ rest.p + 1, rest.n - 1 }, '"', &value);
		return value;
	}
	size_t n = 0;
	while (n < rest.n && strchr(",}] ", rest.p[n]) == NULL)
		n++;
	return (str){ rest.p, n };
}

void
tally_merge(struct load_tally *a, const struct load_tally *b)
{
	a->requests += b->requests;
	for (size_t i = 0; i < ARRAY_LEN(a->statuses); i++)
		a->statuses[i] += b->statuses[i];
	for (size_t i = 0; i < LOAD_CODES && b->codes[i].count > 0; i++) {
		for (size_t j = 0; j < LOAD_CODES; j++) {
			char *name = a->codes[j].code;
			if (name[0] == '\0')
				strcpy(name, b->codes[i].code);
			if (strcmp(name, b->codes[i].code) == 0) {
				a->codes[j].count += b->codes[i].count;
				break;
			}
		}
	}
	hist_merge(&a->latency, &b->latency);
	if (a->first_us == 0 || b->first_us < a->first_us)
		a->first_us = b->first_us;
	if (b->last_us > a->last_us)
		a->last_us = b->last_us;
	a->granted += b->granted;
	a->lost += b->lost;
	a->refused += b->refused;
	a->unsent += b->unsent;
}
