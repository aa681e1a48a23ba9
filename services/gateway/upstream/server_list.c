#include "gateway/upstream/server_list.h"

#include <stdio.h>
#include <string.h>

static bool parse_entry(str text, struct server_entry *entry, char *err, size_t err_size);
static bool parse_weight(str text, int *weight);
static bool is_path(str text);
static bool is_address(str text);

bool
server_list_parse(str text, struct server_entry entries[SERVER_LIST_MAX], size_t *count,
    char *err, size_t err_size)
{
	str item;

	*count = 0;
	text = str_trim(text);
	while (text.n > 0) {
		text = str_trim(str_cut(text, ',', &item));
		if (*count == SERVER_LIST_MAX) {
			snprintf(err, err_size, "more than %d servers", SERVER_LIST_MAX);
			return false;
		}
		if (!parse_entry(str_trim(item), &entries[*count], err, err_size))
			return false;
		++*count;
	}
	return true;
}

/* "host:port", "unix:/path", each perhaps with " weight=N", or "srv:name". */
static bool
parse_entry(str text, struct server_entry *entry, char *err, size_t err_size)
{
	str name, rest = str_trim(str_cut(text, ' ', &name));

	*entry = (struct server_entry){ .weight = 1 };
	entry->srv = str_starts(name, STR("srv:"));
	if (entry->srv)
		name = (str){ name.p + 4, name.n - 4 };
	if (name.n >= SERVER_NAME_SIZE || name.n == 0 ||
	    (!entry->srv && !is_path(name) && !is_address(name))) {
		snprintf(err, err_size,
		    "\"%.*s\" is not host:port, unix: and an absolute path, or srv: "
		    "and the name of SRV records",
		    STR_ARG(text));
		return false;
	}
	memcpy(entry->name, name.p, name.n);
	entry->name[name.n] = '\0';
	if (rest.n > 0 && (entry->srv || !parse_weight(rest, &entry->weight))) {
		snprintf(err, err_size,
		    "\"%.*s\" must have nothing behind the address but weight=1 to "
		    "weight=%d, and nothing at all behind an srv: name",
		    STR_ARG(text), SERVER_WEIGHT_MAX);
		return false;
	}
	return true;
}

static bool
parse_weight(str text, int *weight)
{
	int64_t value;
	str key, number = str_cut(text, '=', &key);

	if (!str_eq(key, STR("weight")) ||
	    !str_to_i64(number, 1, SERVER_WEIGHT_MAX, &value))
		return false;
	*weight = (int)value;
	return true;
}

/* Whether somebody listens there, connecting will say. */
static bool
is_path(str text)
{
	return str_starts(text, STR("unix:/")) && text.n <= SERVER_PATH_MAX;
}

/* A host and a port from 1 on; what the host is, the look-up will say. */
static bool
is_address(str text)
{
	const char *colon = memrchr(text.p, ':', text.n);
	int64_t port;
	str digits;

	if (colon == NULL || colon == text.p)
		return false;
	digits = (str){ colon + 1, text.n - (size_t)(colon + 1 - text.p) };
	return str_to_i64(digits, 1, 65535, &port);
}
