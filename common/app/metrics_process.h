/* The process's own metrics, read from the kernel when they are printed. For metrics.c
 * only. */
#ifndef ONRUSH_APP_METRICS_PROCESS_H
#define ONRUSH_APP_METRICS_PROCESS_H

#include "base/buf.h"

void metrics_print_process(struct buf *out);

#endif
