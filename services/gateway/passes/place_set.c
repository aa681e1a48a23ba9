#include "gateway/passes/place_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/die.h"

void
place_set_fini(struct place_set *set)
{
	free(set->bits);
	*set = (struct place_set){ 0 };
}

void
place_set_clear(struct place_set *set)
{
	set->size = 0;
}

/* Room for `before` zero bytes in front and `after` behind. */
static void
widen(struct place_set *set, size_t before, size_t after)
{
	size_t size = before + set->size + after;

	if (size > set->cap) {
		set->cap = 2 * size;
		set->bits = xrealloc(set->bits, set->cap);
	}
	memmove(set->bits + before, set->bits, set->size);
	memset(set->bits, 0, before);
	memset(set->bits + before + set->size, 0, after);
	set->size = size;
	set->from -= (int64_t)before;
}

void
place_set_add(struct place_set *set, int64_t place)
{
	int64_t byte = place / 8, end = set->from + (int64_t)set->size;

	if (set->size == 0) {
		set->from = byte;
		widen(set, 0, 1);
	} else if (byte < set->from && end - byte <= PLACE_SET_MAX) {
		widen(set, (size_t)(set->from - byte), 0);
	} else if (byte >= end && byte - set->from < PLACE_SET_MAX) {
		widen(set, 0, (size_t)(byte + 1 - end));
	} else if (byte < set->from || byte >= end) {
		return;
	}
	set->bits[byte - set->from] |= (uint8_t)(0x80 >> place % 8);
}
