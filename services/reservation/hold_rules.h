/* What a request for seats must be, and what of it tells one request from another. */
#ifndef ONRUSH_RESERVATION_HOLD_RULES_H
#define ONRUSH_RESERVATION_HOLD_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HOLD_SEATS_MAX = 20, /* of one request */
};

struct hold_seats {
	int64_t ids[HOLD_SEATS_MAX];
	size_t count;
};

/* Sorts them; false if one is there twice. */
bool hold_seats_sort(struct hold_seats *seats);

/* Of sorted seats: the same for the same wish. */
int64_t hold_content_hash(int64_t user_id, const struct hold_seats *seats);

#endif
