/*
 * The Idempotency-Keys whose requests this worker is working on: a repetition that comes
 * meanwhile is told so (409 REQUEST_IN_PROGRESS) and does not wait. A key is here from
 * the moment its statement is sent until its result came, so nothing is left behind when
 * a request is given up. Another worker's keys are not here: there the rows' locks and
 * the unique ids decide, and the repetition gets the stored answer.
 */
#ifndef ONRUSH_ORDER_RUNNING_H
#define ONRUSH_ORDER_RUNNING_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/uuid.h"

struct running;

/* One key; a member of what is being worked on. */
struct running_key {
	uuid id;
	LIST_ENTRY(running_key) link;
};

struct running *running_new(void);
void running_free(struct running *r); /* NULL is fine */

bool running_has(const struct running *r, uuid id);
/* The key is borrowed until running_end. */
void running_begin(struct running *r, struct running_key *key);
void running_end(struct running_key *key);

#endif
