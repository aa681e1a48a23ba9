/*
 * Metrics in the Prometheus text format. All are registered before the workers start and
 * live as long as the process; after that any thread may change and any may print them.
 * Names: onrush_<subsystem>_<unit>, counters end in _total, times are in seconds.
 */
#ifndef ONRUSH_APP_METRICS_H
#define ONRUSH_APP_METRICS_H

#include <stdint.h>

#include "base/buf.h"

struct counter;
struct gauge;
struct histogram;

/*
 * Registers a metric. `labels` is what goes between the braces, such as
 * "route=\"/coupons\",code=\"200\"", or NULL. Metrics of one name share help and type and
 * differ in labels. Registering the same name and labels again gives the same metric.
 * All strings are copied.
 */
struct counter *counter_new(const char *name, const char *help, const char *labels);
struct gauge *gauge_new(const char *name, const char *help, const char *labels);
/* Fixed buckets from 0.5 ms to 10 s. */
struct histogram *histogram_new(const char *name, const char *help, const char *labels);

void counter_add(struct counter *c, uint64_t by);
uint64_t counter_value(const struct counter *c);
void gauge_set(struct gauge *g, int64_t value);
void gauge_add(struct gauge *g, int64_t by);
int64_t gauge_value(const struct gauge *g);
void histogram_observe_us(struct histogram *h, int64_t us);

/* `print` appends families of its own, in the text format, whenever metrics are printed:
 * for what comes and goes while the process runs. From any thread; one at a time. */
void metrics_add_source(void (*print)(struct buf *out));

/* Appends everything registered, then the sources', with onrush_build_info and the
 * process's own metrics (CPU seconds, resident bytes, open files, start time). */
void metrics_print(struct buf *out);

#endif
