#include "gateway/identity/api_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "crypto/digest.h"

struct api_key {
	str id;     /* in the arena, like the scopes */
	str scopes; /* separated by commas */
	struct sha256 hash;
};

struct api_keys {
	struct arena *arena;  /* owned */
	struct api_key *keys; /* in the arena, by id */
	size_t count;
};

static bool
is_word(str s, size_t max, const char *others)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if ((c < '0' || c > '9') && (c < 'a' || c > 'z') &&
		    (c < 'A' || c > 'Z') && (c == '\0' || strchr(others, c) == NULL))
			return false;
	}
	return s.n > 0 && s.n <= max;
}

bool
api_key_is_id(str id)
{
	return is_word(id, API_KEY_ID_MAX, "-_");
}

bool
api_key_is_scope(str scope)
{
	return is_word(scope, API_KEY_SCOPE_MAX, "-_.:");
}

bool
api_key_are_scopes(str list)
{
	str one;

	do {
		list = str_cut(list, ',', &one);
		if (!api_key_is_scope(one))
			return false;
	} while (list.p != NULL);
	return true;
}

/* --- the file ------------------------------------------------------------------------
 */

/* What is wrong with the line, or NULL. */
static const char *
add_key(struct api_keys *keys, str line)
{
	struct api_key *key = &keys->keys[keys->count];
	str id, hash, scopes;

	scopes = str_trim(str_cut(str_trim(str_cut(line, ' ', &id)), ' ', &hash));
	if (!api_key_is_id(id))
		return "must begin with an id of 1 to 32 letters, digits, - or _";
	if (!hex_decode(hash, key->hash.b, SHA256_SIZE))
		return "must have a space and 64 hex digits after the id";
	if (!api_key_are_scopes(scopes))
		return "must end with scopes, separated by commas: 1 to 64 letters, "
		       "digits, -, _, . or :";
	if (keys->count == API_KEYS_MAX)
		return "is one key more than there may be";
	key->id = arena_str(keys->arena, id);
	key->scopes = arena_str(keys->arena, scopes);
	keys->count++;
	return NULL;
}

static int
compare_ids(str a, str b)
{
	int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

static int
by_id(const void *a, const void *b)
{
	const struct api_key *left = a, *right = b;

	return compare_ids(left->id, right->id);
}

static bool
has_twins(const struct api_keys *keys)
{
	for (size_t i = 1; i < keys->count; i++)
		if (by_id(&keys->keys[i - 1], &keys->keys[i]) == 0)
			return true;
	return false;
}

struct api_keys *
api_keys_parse(str text, char *err, size_t err_size)
{
	struct api_keys *keys = xcalloc(1, sizeof(*keys));
	const char *why = NULL;
	size_t number = 0;
	str line;

	keys->arena = arena_new();
	/* One more, for the line that is one too many. */
	keys->keys = arena_alloc(keys->arena, (API_KEYS_MAX + 1) * sizeof(*keys->keys));
	for (; text.n > 0 && why == NULL; number++) {
		text = str_cut(text, '\n', &line);
		line = str_trim(line);
		if (line.n > 0 && line.p[0] != '#')
			why = add_key(keys, line);
	}
	if (why != NULL) {
		snprintf(err, err_size, "line %zu %s.", number, why);
	} else {
		qsort(keys->keys, keys->count, sizeof(*keys->keys), by_id);
		if (!has_twins(keys))
			return keys;
		snprintf(err, err_size, "two keys have the same id.");
	}
	api_keys_free(keys);
	return NULL;
}

void
api_keys_free(struct api_keys *keys)
{
	if (keys == NULL)
		return;
	arena_free(keys->arena);
	free(keys);
}

size_t
api_keys_count(const struct api_keys *keys)
{
	return keys->count;
}

/* --- a key that is shown -------------------------------------------------------------
 */

static int
against_key(const void *id, const void *key)
{
	return compare_ids(*(const str *)id, ((const struct api_key *)key)->id);
}

const struct api_key *
api_keys_find(const struct api_keys *keys, str shown)
{
	const struct api_key *key;
	struct sha256 hash;
	str id, secret = str_cut(shown, '.', &id);

	if (shown.n > API_KEY_TEXT_MAX || secret.n == 0)
		return NULL;
	key = bsearch(&id, keys->keys, keys->count, sizeof(*keys->keys), against_key);
	if (key == NULL)
		return NULL;
	hash = sha256_of(&shown, 1);
	return digest_equal(hash.b, key->hash.b, SHA256_SIZE) ? key : NULL;
}

str
api_key_id(const struct api_key *key)
{
	return key->id;
}

bool
api_key_may(const struct api_key *key, str scope)
{
	str list = key->scopes, one;

	do {
		list = str_cut(list, ',', &one);
		if (str_eq(one, scope))
			return true;
	} while (list.p != NULL);
	return false;
}
