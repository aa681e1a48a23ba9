/*
 * How often records of one partition were tried in vain; private to this folder. Only
 * those that were are in it, in the order of their offsets: none in normal times, at most
 * a few batches otherwise. All zero is empty. Pure.
 */
#ifndef ONRUSH_BUS_TRIES_H
#define ONRUSH_BUS_TRIES_H

#include <stddef.h>
#include <stdint.h>

struct
try {
	int64_t offset;
	int attempts;
};

struct tries {
	struct try *list; /* owned; [count], room for more */
	size_t count, room;
};

void tries_fini(struct tries *t);
int tries_get(const struct tries *t, int64_t offset); /* 0: never */
void tries_set(struct tries *t, int64_t offset, int attempts);
/* Forgets all offsets below. */
void tries_forget(struct tries *t, int64_t below);

#endif
