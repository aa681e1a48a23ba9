/*
 * Which of several servers gets a call: pure functions, no clock and no state.
 *
 * By load: two different ones are drawn and the one with less under way for its weight
 * gets the call. That is as good as looking at all of them, and unlike the one with least
 * of all it does not send every worker's next call to the same server.
 *
 * By key: the same key goes to the same server (rendezvous hashing), so that what the
 * server keeps of it is used; a server that has a quarter more than its share passes the
 * call on to the key's next one. When a server goes only its keys move.
 */
#ifndef ONRUSH_GATEWAY_UPSTREAM_PICK_RULES_H
#define ONRUSH_GATEWAY_UPSTREAM_PICK_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct candidate {
	double weight; /* above 0 */
	size_t pending;
	uint64_t id; /* of the server: the same in every worker and gateway */
};

/* The index of the one to use; count of 1 or more. */
size_t pick_by_load(const struct candidate *candidates, size_t count, uint64_t random);
size_t pick_by_key(const struct candidate *candidates, size_t count, uint64_t key);

/* So few of all can be used that their number is not to be trusted, or the rest would be
 * crushed: then all are used. */
bool pick_panics(size_t usable, size_t all, double threshold);

/* A key or id of text, the same everywhere. */
uint64_t pick_hash(str text);

#endif
