/*
 * The keys of session tickets: one that makes them, the one before it that still opens
 * them. A key is forgotten after two terms, and with it what it could open: who steals
 * today's keys cannot read yesterday's sessions. Pure: time and randomness are given.
 */
#ifndef ONRUSH_CRYPTO_TLS_TICKET_RING_H
#define ONRUSH_CRYPTO_TLS_TICKET_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TICKET_NAME_SIZE = 16,
	TICKET_KEY_SIZE = 32, /* AES-256, HMAC-SHA256 */
};

struct ticket_key {
	unsigned char name[TICKET_NAME_SIZE]; /* in the ticket, as it is */
	unsigned char cipher[TICKET_KEY_SIZE];
	unsigned char mac[TICKET_KEY_SIZE];
};

/* All zero: no key yet. */
struct ticket_ring {
	struct ticket_key keys[2]; /* the one that makes tickets, the one before */
	size_t count;
	int64_t since_us; /* when the first became that */
};

/* Is it time for a new key, when one lasts for term_us? */
bool ticket_ring_due(const struct ticket_ring *ring, int64_t now_us, int64_t term_us);

/* Takes the new key; forgets the ones that are too old. Only when it is due. */
void ticket_ring_turn(struct ticket_ring *ring, const struct ticket_key *fresh,
    int64_t now_us, int64_t term_us);

/* The key of a ticket, borrowed; NULL: it is not known any more. */
const struct ticket_key *ticket_ring_find(
    const struct ticket_ring *ring, const unsigned char name[TICKET_NAME_SIZE]);

#endif
