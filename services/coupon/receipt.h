/*
 * The hash chain of receipts. Pure; the same code makes and checks it.
 *
 *   entry(i) = SHA-256("onrush-receipt-v1" | couponId | rank | userId | issuedAt |
 * requestId) hash(0)  = SHA-256("onrush-chain-v1" | couponId) hash(i)  =
 * SHA-256(hash(i-1) | entry(i)) head     = Ed25519("onrush-head-v1" | couponId | rank |
 * hash(rank))
 *
 * Integers are 8 bytes, big endian; issuedAt is microseconds since 1970 UTC; requestId is
 * its 16 bytes. One who has a receipt, the entries after it up to a signed head, and the
 * public key can check the receipt without anything else, and learns nobody's name.
 */
#ifndef ONRUSH_COUPON_RECEIPT_H
#define ONRUSH_COUPON_RECEIPT_H

#include "coupon/coupon.h"

/* hash(0) of the campaign. */
struct sha256 receipt_chain_start(int64_t coupon_id);

/* entry(rank); the receipt's hashes are not looked at. */
struct sha256 receipt_entry(const struct receipt *r);

/* hash(i) from hash(i-1) and entry(i). */
struct sha256 receipt_link(const struct sha256 *previous, const struct sha256 *entry);

/* Sets r->previous and r->hash. */
void receipt_seal(struct receipt *r, const struct sha256 *previous);

/* Signs, or checks the signature of, the head (its coupon_id, rank and hash). */
void receipt_sign_head(struct chain_head *head, struct sign_key *key);
bool receipt_check_head(const struct chain_head *head, struct verify_key *key);

#endif
