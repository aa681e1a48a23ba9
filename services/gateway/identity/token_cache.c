#include "gateway/identity/token_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/die.h"

/* All zero: free. */
struct entry {
	struct sha256 token;
	int64_t user_id;
	int64_t expires_s;
};

struct token_cache {
	struct entry sets[TOKEN_CACHE_SETS][TOKEN_CACHE_WAYS];
};

struct token_cache *
token_cache_new(void)
{
	return xcalloc(1, sizeof(struct token_cache));
}

void
token_cache_free(struct token_cache *cache)
{
	free(cache);
}

/* Nobody chooses a hash: its first bytes spread the tokens evenly. */
static size_t
set_of(const struct sha256 *token)
{
	uint32_t head;

	memcpy(&head, token->b, sizeof(head));
	return head % TOKEN_CACHE_SETS;
}

int64_t
token_cache_find(
    const struct token_cache *cache, const struct sha256 *token, int64_t now_s)
{
	const struct entry *set = cache->sets[set_of(token)];

	for (size_t i = 0; i < TOKEN_CACHE_WAYS; i++)
		if (set[i].expires_s > now_s &&
		    memcmp(set[i].token.b, token->b, SHA256_SIZE) == 0)
			return set[i].user_id;
	return 0;
}

void
token_cache_add(struct token_cache *cache, const struct sha256 *token, int64_t user_id,
    int64_t expires_s)
{
	struct entry *set = cache->sets[set_of(token)], *first = set;

	for (size_t i = 1; i < TOKEN_CACHE_WAYS; i++)
		if (set[i].expires_s < first->expires_s)
			first = &set[i];
	*first = (struct entry){ *token, user_id, expires_s };
}

void
token_cache_clear(struct token_cache *cache)
{
	memset(cache, 0, sizeof(*cache));
}
