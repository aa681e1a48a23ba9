/*
 * Seats that PostgreSQL refused lately because somebody has them: a table of a fixed size
 * in which a new entry replaces what was in its place, so that it can forget but never
 * say what is not true. An entry is good until the time that it was put in with; the
 * caller limits that to its lease and to the hold's end.
 */
#ifndef ONRUSH_RESERVATION_TAKEN_H
#define ONRUSH_RESERVATION_TAKEN_H

#include <stdbool.h>
#include <stdint.h>

struct taken;

struct taken *taken_new(void);
void taken_free(struct taken *t); /* NULL is fine */

/* Times are monotonic microseconds. */
void taken_put(struct taken *t, int64_t seat_id, int64_t until_us);
bool taken_has(const struct taken *t, int64_t seat_id, int64_t now_us);

#endif
