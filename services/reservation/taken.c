#include "reservation/taken.h"

#include <stdlib.h>

#include "base/die.h"

enum {
	PLACES =
	    1 << 16, /* 1 MB; seats of one sale have ids in a row and do not collide */
};

struct taken {
	struct place {
		int64_t seat_id; /* 0: nothing */
		int64_t until_us;
	} places[PLACES];
};

struct taken *
taken_new(void)
{
	return xcalloc(1, sizeof(struct taken));
}

void
taken_free(struct taken *t)
{
	free(t);
}

static size_t
place_of(int64_t seat_id)
{
	return (uint64_t)seat_id % PLACES;
}

void
taken_put(struct taken *t, int64_t seat_id, int64_t until_us)
{
	t->places[place_of(seat_id)] = (struct place){ seat_id, until_us };
}

bool
taken_has(const struct taken *t, int64_t seat_id, int64_t now_us)
{
	const struct place *p = &t->places[place_of(seat_id)];

	return p->seat_id == seat_id && now_us < p->until_us;
}
