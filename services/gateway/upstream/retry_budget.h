/*
 * How many calls may be sent a second time: a share of the calls of the last ten seconds,
 * and a few per second besides, so that a quiet service has retries too. When everything
 * fails, retries add that share to the load and no more.
 */
#ifndef ONRUSH_GATEWAY_UPSTREAM_RETRY_BUDGET_H
#define ONRUSH_GATEWAY_UPSTREAM_RETRY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/die.h"

enum {
	RETRY_WINDOW = 10 /* seconds */
};

struct retry_budget {
	double share, per_second;
	int64_t second;              /* the newest that is counted */
	int64_t calls[RETRY_WINDOW]; /* by second modulo the window */
	int64_t retries[RETRY_WINDOW];
};

/* share: of the calls; per_second: besides. */
void retry_budget_init(struct retry_budget *b, double share, double per_second);

/* A call is made. */
void retry_budget_call(struct retry_budget *b, int64_t now_us);

/* May it be repeated? True takes it from the budget. */
bool retry_budget_take(struct retry_budget *b, int64_t now_us) MUST_USE;

#endif
