/*
 * Checks a whole campaign, piece by piece and in bounded memory: nothing here knows where
 * the pieces come from. What is checked is the list below; each check counts what it
 * finds wrong and keeps the first few findings as sentences.
 */
#ifndef ONRUSH_ONRUSH_VERIFY_H
#define ONRUSH_ONRUSH_VERIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/die.h"
#include "coupon/coupon.h"

/* X(name, key for programs, sentence for people) */
#define VERIFY_CHECKS(X)                                                                 \
	X(RANKS, "ranks", "ranks are 1 to N without gap or repeat")                      \
	X(COUNT, "count", "the campaign's count is the number of coupons")               \
	X(QUANTITY, "quantity", "no more were issued than there are")                    \
	X(LIMIT, "limit", "nobody has more than one may have, numbered rightly")         \
	X(REQUESTS, "requests", "no request was granted twice")                          \
	X(CHAIN, "chain", "the hash chain is unbroken")                                  \
	X(HEADS, "heads", "signed heads are on the chain and cover all of it")           \
	X(SIGNATURES, "signatures", "every head's signature is valid")                   \
	X(SEEN, "seen", "every coupon that clients saw is there")

enum verify_check {
#define X(name, key, sentence) VERIFY_##name,
	VERIFY_CHECKS(X)
#undef X
	VERIFY_CHECK_COUNT
};

enum {
	VERIFY_EXAMPLES = 5,
	VERIFY_EXAMPLE_SIZE = 160,
	VERIFY_MAX_KEYS = 8,
};

struct verify_finding {
	int64_t wrong; /* how often */
	char examples[VERIFY_EXAMPLES][VERIFY_EXAMPLE_SIZE];
};

const char *verify_check_key(enum verify_check check);
const char *verify_check_sentence(enum verify_check check);

/* A 200 that a client saw. */
struct verify_sighting {
	int64_t user_id, rank;
	bool has_request;
	uuid request_id;
};

struct verify;

/* The keys are borrowed for its life. */
struct verify *verify_new(struct verify_key *const *keys, size_t key_count);
void verify_free(struct verify *v); /* NULL is fine */

/* The pieces, in the order of campaign_sink.h. */
void verify_begin(struct verify *v, const struct campaign *c);
void verify_issued(struct verify *v, const struct receipt *r, int64_t nth);
void verify_head(struct verify *v, const struct chain_head *h);
/* At any time after verify_begin. */
void verify_seen(struct verify *v, const struct verify_sighting *s);

/* Looks at the whole. False when a temporary file failed (errno says how): then there is
 * no result. */
bool verify_end(struct verify *v) MUST_USE;

/* Results, after verify_end. */
bool verify_is_clean(const struct verify *v);
const struct verify_finding *
verify_result(const struct verify *v, enum verify_check check);
const struct campaign *verify_campaign(const struct verify *v);
int64_t verify_issued_count(const struct verify *v);
int64_t verify_head_count(const struct verify *v);
int64_t verify_seen_count(const struct verify *v);

/*
 * One receipt by itself: its fields give its hash, and with the entries after it
 * (path) they lead to a signed head. False with a sentence in why[why_size].
 */
bool verify_receipt(const struct receipt *r, const struct sha256 *path, size_t path_count,
    const struct chain_head *head, struct verify_key *const *keys, size_t key_count,
    char *why, size_t why_size) MUST_USE;

#endif
