/*
 * Tokens whose signature was found to fit, so that who asks often is checked in less than
 * a microsecond. Of a token it keeps its SHA-256, which stands for the whole text, until
 * the token expires or the keys change. Bounded, without allocation: a place that is
 * needed is taken from the token of its set that expires first.
 *
 * One thread's.
 */
#ifndef ONRUSH_GATEWAY_IDENTITY_TOKEN_CACHE_H
#define ONRUSH_GATEWAY_IDENTITY_TOKEN_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/digest.h"

enum {
	TOKEN_CACHE_WAYS = 4,
	TOKEN_CACHE_SETS = 1 << 14, /* 65,536 tokens in 3 MB, touched as they come */
};

struct token_cache;

struct token_cache *token_cache_new(void);        /* the caller owns it */
void token_cache_free(struct token_cache *cache); /* NULL is fine */

/* The user of a token that was added and has not expired at now_s; 0: it is not here. */
int64_t token_cache_find(
    const struct token_cache *cache, const struct sha256 *token, int64_t now_s);

/* The user's id is 1 or more. */
void token_cache_add(struct token_cache *cache, const struct sha256 *token,
    int64_t user_id, int64_t expires_s);

/* Forgets all. */
void token_cache_clear(struct token_cache *cache);

#endif
