/* Which keys there are, and since when. */
#include "crypto/tls_ticket_ring.h"

#include <string.h>

bool
ticket_ring_due(const struct ticket_ring *ring, int64_t now_us, int64_t term_us)
{
	return ring->count == 0 || now_us - ring->since_us >= term_us;
}

void
ticket_ring_turn(struct ticket_ring *ring, const struct ticket_key *fresh, int64_t now_us,
    int64_t term_us)
{
	/* Nobody may have asked for longer than the newest key lasts twice. */
	bool keep = ring->count > 0 && now_us - ring->since_us < 2 * term_us;

	if (keep)
		ring->keys[1] = ring->keys[0];
	else
		explicit_bzero(&ring->keys[1], sizeof(ring->keys[1]));
	ring->keys[0] = *fresh;
	ring->count = keep ? 2 : 1;
	ring->since_us = now_us;
}

const struct ticket_key *
ticket_ring_find(
    const struct ticket_ring *ring, const unsigned char name[TICKET_NAME_SIZE])
{
	for (size_t i = 0; i < ring->count; i++)
		if (memcmp(ring->keys[i].name, name, TICKET_NAME_SIZE) == 0)
			return &ring->keys[i];
	return NULL;
}
