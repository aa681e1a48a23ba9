/* The answer to GET /queue/serving as numbers to decide with. */
#ifndef ONRUSH_GATEWAY_PASSES_LINE_NUMBERS_H
#define ONRUSH_GATEWAY_PASSES_LINE_NUMBERS_H

#include "base/buf.h"
#include "queue/line_rules.h"

/* All zero are no numbers. */
struct line_numbers {
	struct line_view view;
	struct buf gone; /* owned; what view.gone points to */
};

/*
 * Takes over what the answer's body says, at this time. False, and nothing changed, when
 * it is not that. With `merge` the line does not go back: one of several queue services
 * may know a little less than the one that answered before.
 */
bool
line_numbers_take(struct line_numbers *n, str body, int64_t wall_us, bool merge) MUST_USE;
void line_numbers_fini(struct line_numbers *n);

#endif
