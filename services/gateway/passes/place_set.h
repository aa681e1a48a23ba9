/* Some places of a line that are not far apart, as bits. All zero is an empty set. */
#ifndef ONRUSH_GATEWAY_PASSES_PLACE_SET_H
#define ONRUSH_GATEWAY_PASSES_PLACE_SET_H

#include <stddef.h>
#include <stdint.h>

enum {
	PLACE_SET_MAX = 1 << 19, /* bytes: as many places as can be served at once */
};

struct place_set {
	uint8_t *bits; /* owned; of places from*8 …, MSB first; `size` bytes */
	size_t size, cap;
	int64_t from; /* the first byte's number */
};

void place_set_fini(struct place_set *set);
void place_set_clear(struct place_set *set); /* keeps the memory */

/* A place that is too far from the others is left out. */
void place_set_add(struct place_set *set, int64_t place);

#endif
