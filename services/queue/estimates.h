/* How true the promised times are: the metric onrush_queue_wait_to_promise_ratio. */
#ifndef ONRUSH_QUEUE_ESTIMATES_H
#define ONRUSH_QUEUE_ESTIMATES_H

#include "queue/lines.h"

/* The holder of this place, who waits, was promised to wait no longer than this. */
void estimates_note(struct line *line, int64_t place, int64_t promised_s);

#endif
