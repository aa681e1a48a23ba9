/*
 * The file of API keys: for programs of others that call for no user. Each line has a
 * key's id, the SHA-256 of the key in hex and what it may do; the key itself is nowhere
 * here (`onrush apikey` makes one and shows it once).
 *
 *   partner-a 9f86d081884c7d65…0a08 orders.read,orders.cancel
 *   # a comment
 *
 * A key is "<id>.<secret>"; its secret is random, so that a hash without a salt tells
 * nothing of it. Immutable: any thread may look keys up.
 */
#ifndef ONRUSH_GATEWAY_IDENTITY_API_KEYS_H
#define ONRUSH_GATEWAY_IDENTITY_API_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum {
	API_KEYS_SIZE = 1 << 20, /* bytes of a file at most */
	API_KEYS_MAX = 1000,
	API_KEY_ID_MAX = 32,
	API_KEY_TEXT_MAX = 128, /* bytes of a key */
	API_KEY_SCOPE_MAX = 64,
};

struct api_keys;
struct api_key; /* one of them */

/* The caller owns the result. NULL with a sentence in err[err_size]. */
struct api_keys *api_keys_parse(str text, char *err, size_t err_size);
void api_keys_free(struct api_keys *keys); /* NULL is fine */

size_t api_keys_count(const struct api_keys *keys);

/* The key that was shown, borrowed; NULL if it is none of ours. How long it takes tells
 * whether there is an id, but nothing of a secret. */
const struct api_key *api_keys_find(const struct api_keys *keys, str shown);

/* Its id, borrowed from the keys. */
str api_key_id(const struct api_key *key);
bool api_key_may(const struct api_key *key, str scope);

/* 1 to 32 letters, digits, '-' or '_'. */
bool api_key_is_id(str id);
/* 1 to 64 letters, digits, '-', '_', '.' or ':'. */
bool api_key_is_scope(str scope);
bool api_key_are_scopes(str list); /* one or more, separated by commas */

#endif
