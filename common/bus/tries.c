/* See tries.h: a sorted array with binary search. */
#include "bus/tries.h"

#include <stdlib.h>
#include <string.h>

#include "base/die.h"

/* The index of the first entry that is not below offset. */
static size_t
lower_bound(const struct tries *t, int64_t offset)
{
	size_t low = 0, high = t->count, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (t->list[mid].offset < offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void
tries_fini(struct tries *t)
{
	free(t->list);
	*t = (struct tries){ 0 };
}

int
tries_get(const struct tries *t, int64_t offset)
{
	size_t at = lower_bound(t, offset);

	return at < t->count && t->list[at].offset == offset ? t->list[at].attempts : 0;
}

void
tries_set(struct tries *t, int64_t offset, int attempts)
{
	size_t at = lower_bound(t, offset);

	if (at == t->count || t->list[at].offset != offset) {
		if (t->count == t->room) {
			t->room = t->room == 0 ? 16 : t->room * 2;
			t->list = xrealloc(t->list, sizeof(*t->list) * t->room);
		}
		memmove(
		    &t->list[at + 1], &t->list[at], sizeof(*t->list) * (t->count - at));
		t->count++;
	}
	t->list[at] = (struct try){ offset, attempts };
}

void
tries_forget(struct tries *t, int64_t below)
{
	size_t gone = lower_bound(t, below);

	if (gone == 0)
		return;
	t->count -= gone;
	memmove(t->list, &t->list[gone], sizeof(*t->list) * t->count);
}
