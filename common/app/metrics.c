/*
 * The registry of metrics and its text form (Prometheus exposition format 0.0.4).
 *
 *   families ─> family (name, help, type) ─> metric (labels, value) ─> metric …
 *
 * The mutex guards the lists; values are relaxed atomics and are never locked. A metric
 * has cache lines of its own, so that two threads that count different things do not
 * slow each other down. Nothing is ever freed.
 */
#include "app/metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "app/metrics_process.h"
#include "base/clock.h"
#include "base/die.h"

enum {
	CACHE_LINE = 64,
	SOURCES_MAX = 4,
};

enum type {
	COUNTER,
	GAUGE,
	HISTOGRAM,
};

static const char *const type_names[] = {
	[COUNTER] = "counter",
	[GAUGE] = "gauge",
	[HISTOGRAM] = "histogram",
};

/* Upper bounds of the buckets; the last bucket has none. */
static const struct {
	int64_t us;
	const char *le;
} bounds[] = {
	{ 500, "0.0005" },
	{ 1000, "0.001" },
	{ 2500, "0.0025" },
	{ 5000, "0.005" },
	{ 10000, "0.01" },
	{ 25000, "0.025" },
	{ 50000, "0.05" },
	{ 100000, "0.1" },
	{ 250000, "0.25" },
	{ 500000, "0.5" },
	{ 1000000, "1" },
	{ 2500000, "2.5" },
	{ 5000000, "5" },
	{ 10000000, "10" },
};

struct counter {
	_Atomic uint64_t value;
};

struct gauge {
	_Atomic int64_t value;
};

struct histogram {
	_Atomic uint64_t buckets[ARRAY_LEN(bounds) + 1]; /* each on its own, not summed */
	_Atomic uint64_t sum_us;
};

struct metric {
	alignas(CACHE_LINE) union {
		struct counter counter;
		struct gauge gauge;
		struct histogram histogram;
	} as;
	STAILQ_ENTRY(metric) link;
	char *labels; /* owned; "" without */
};

struct family {
	STAILQ_ENTRY(family) link;
	STAILQ_HEAD(, metric) metrics; /* owned */
	char *name, *help;             /* owned */
	enum type type;
};

static STAILQ_HEAD(, family) families = STAILQ_HEAD_INITIALIZER(families); /* owned */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void (*sources[SOURCES_MAX])(struct buf *out);
static size_t source_count;

static struct metric *
register_metric(enum type type, const char *name, const char *help, const char *labels);
static struct family *find_family(enum type type, const char *name, const char *help);
static struct metric *find_metric(struct family *family, const char *labels);
static void print_family(struct buf *out, const struct family *family);
static void print_sample(struct buf *out, const struct family *family, const char *suffix,
    const char *labels, const char *le);
static void print_histogram(
    struct buf *out, const struct family *family, const struct metric *metric);

/* --- registration --------------------------------------------------------------------
 */

struct counter *
counter_new(const char *name, const char *help, const char *labels)
{
	return &register_metric(COUNTER, name, help, labels)->as.counter;
}

struct gauge *
gauge_new(const char *name, const char *help, const char *labels)
{
	return &register_metric(GAUGE, name, help, labels)->as.gauge;
}

struct histogram *
histogram_new(const char *name, const char *help, const char *labels)
{
	return &register_metric(HISTOGRAM, name, help, labels)->as.histogram;
}

static struct metric *
register_metric(enum type type, const char *name, const char *help, const char *labels)
{
	struct metric *metric;

	pthread_mutex_lock(&mutex);
	metric = find_metric(find_family(type, name, help), labels == NULL ? "" : labels);
	pthread_mutex_unlock(&mutex);
	return metric;
}

static bool
is_name(const char *name)
{
	static const char allowed[] = "_:abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

	return name[0] != '\0' && (name[0] < '0' || name[0] > '9') &&
	       name[strspn(name, allowed)] == '\0';
}

/* The family with this name, made if there is none. */
static struct family *
find_family(enum type type, const char *name, const char *help)
{
	struct family *family;

	STAILQ_FOREACH (family, &families, link) {
		if (strcmp(family->name, name) == 0) {
			ASSERT(family->type == type);
			return family;
		}
	}
	ASSERT(is_name(name));
	family = xcalloc(1, sizeof(*family));
	STAILQ_INIT(&family->metrics);
	family->name = xstrdup(name);
	family->help = xstrdup(help);
	family->type = type;
	STAILQ_INSERT_TAIL(&families, family, link);
	return family;
}

/* The metric with these labels, made if there is none. */
static struct metric *
find_metric(struct family *family, const char *labels)
{
	struct metric *metric;

	STAILQ_FOREACH (metric, &family->metrics, link)
		if (strcmp(metric->labels, labels) == 0)
			return metric;
	metric = aligned_alloc(alignof(struct metric), sizeof(*metric));
	ASSERT(metric != NULL);
	memset(metric, 0, sizeof(*metric));
	metric->labels = xstrdup(labels);
	STAILQ_INSERT_TAIL(&family->metrics, metric, link);
	return metric;
}

void
metrics_add_source(void (*print)(struct buf *out))
{
	pthread_mutex_lock(&mutex);
	ASSERT(source_count < SOURCES_MAX);
	sources[source_count++] = print;
	pthread_mutex_unlock(&mutex);
}

/* --- values --------------------------------------------------------------------------
 */

void
counter_add(struct counter *c, uint64_t by)
{
	atomic_fetch_add_explicit(&c->value, by, memory_order_relaxed);
}

uint64_t
counter_value(const struct counter *c)
{
	return atomic_load_explicit(&c->value, memory_order_relaxed);
}

void
gauge_set(struct gauge *g, int64_t value)
{
	atomic_store_explicit(&g->value, value, memory_order_relaxed);
}

void
gauge_add(struct gauge *g, int64_t by)
{
	atomic_fetch_add_explicit(&g->value, by, memory_order_relaxed);
}

int64_t
gauge_value(const struct gauge *g)
{
	return atomic_load_explicit(&g->value, memory_order_relaxed);
}

void
histogram_observe_us(struct histogram *h, int64_t us)
{
	size_t i = 0;

	if (us < 0)
		us = 0;
	while (i < ARRAY_LEN(bounds) && us > bounds[i].us)
		i++;
	atomic_fetch_add_explicit(&h->buckets[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->sum_us, (uint64_t)us, memory_order_relaxed);
}

/* --- text ----------------------------------------------------------------------------
 */

void
metrics_print(struct buf *out)
{
	const struct family *family;

	pthread_mutex_lock(&mutex);
	STAILQ_FOREACH (family, &families, link)
		print_family(out, family);
	for (size_t i = 0; i < source_count; i++)
		sources[i](out);
	pthread_mutex_unlock(&mutex);
	metrics_print_process(out);
}

static void
print_family(struct buf *out, const struct family *family)
{
	const struct metric *metric;

	buf_printf(out, "# HELP %s ", family->name);
	for (const char *p = family->help; *p != '\0'; p++) {
		if (*p == '\\')
			buf_add(out, "\\\\", 2);
		else if (*p == '\n')
			buf_add(out, "\\n", 2);
		else
			buf_add(out, p, 1);
	}
	buf_printf(out, "\n# TYPE %s %s\n", family->name, type_names[family->type]);
	STAILQ_FOREACH (metric, &family->metrics, link) {
		switch (family->type) {
		case COUNTER:
			print_sample(out, family, "", metric->labels, NULL);
			buf_printf(
			    out, "%" PRIu64 "\n", counter_value(&metric->as.counter));
			break;
		case GAUGE:
			print_sample(out, family, "", metric->labels, NULL);
			buf_printf(out, "%" PRId64 "\n", gauge_value(&metric->as.gauge));
			break;
		case HISTOGRAM: print_histogram(out, family, metric); break;
		}
	}
}

/* `name_suffix{labels,le="…"} `; the value comes behind it. */
static void
print_sample(struct buf *out, const struct family *family, const char *suffix,
    const char *labels, const char *le)
{
	buf_printf(out, "%s%s", family->name, suffix);
	if (le != NULL)
		buf_printf(
		    out, "{%s%sle=\"%s\"}", labels, labels[0] == '\0' ? "" : ",", le);
	else if (labels[0] != '\0')
		buf_printf(out, "{%s}", labels);
	buf_add_str(out, STR(" "));
}

/* _count is the sum of the buckets that were read here, so that the two always agree. */
static void
print_histogram(struct buf *out, const struct family *family, const struct metric *metric)
{
	const struct histogram *h = &metric->as.histogram;
	uint64_t count = 0, sum_us;

	for (size_t i = 0; i < ARRAY_LEN(h->buckets); i++) {
		count += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
		print_sample(out, family, "_bucket", metric->labels,
		    i < ARRAY_LEN(bounds) ? bounds[i].le : "+Inf");
		buf_printf(out, "%" PRIu64 "\n", count);
	}
	sum_us = atomic_load_explicit(&h->sum_us, memory_order_relaxed);
	print_sample(out, family, "_sum", metric->labels, NULL);
	buf_printf(out, "%" PRIu64 ".%06" PRIu64 "\n", sum_us / CLOCK_US_PER_SEC,
	    sum_us % CLOCK_US_PER_SEC);
	print_sample(out, family, "_count", metric->labels, NULL);
	buf_printf(out, "%" PRIu64 "\n", count);
}
