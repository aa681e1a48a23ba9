/* The public keys that receipts are checked with. */
#ifndef ONRUSH_ONRUSH_KEYS_H
#define ONRUSH_ONRUSH_KEYS_H

#include "onrush/ctl.h"
#include "onrush/verify.h"

struct keys {
	struct verify_key *list[VERIFY_MAX_KEYS]; /* owned */
	size_t count;
};

/* Loads the files of --key, or else of ONRUSH_RECEIPT_PUBLIC_KEY. False after a
 * complaint. keys_free is right in both cases. */
bool keys_load(const struct ctl *ctl, struct keys *keys) MUST_USE;
void keys_free(struct keys *keys);

#endif
