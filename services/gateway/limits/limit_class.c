#include "gateway/limits/limit_class.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
	LABELS_SIZE = 160
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static SLIST_HEAD(, limit_class) classes; /* guarded by mutex; for ever */
static uint32_t last_id;                  /* likewise */

static const char *const per_names[] = {
	[LIMIT_PER_ADDRESS] = "address",
	[LIMIT_PER_USER] = "user",
	[LIMIT_PER_ROUTE] = "route",
};

const char *
limit_per_name(enum limit_per per)
{
	return per_names[per];
}

static bool
is_like(const struct limit_class *class, const struct route_limit *is, bool everywhere)
{
	return strcmp(class->is.name, is->name) == 0 && class->is.per == is->per &&
	       class->is.rate == is->rate && class->is.burst == is->burst &&
	       class->everywhere == everywhere;
}

static struct limit_class *
make(const struct route_limit *is, bool everywhere)
{
	struct limit_class *class = xcalloc(1, sizeof(*class));
	char labels[LABELS_SIZE];

	class->is = *is;
	class->is.name = xstrdup(is->name);
	class->id = ++last_id;
	class->everywhere = everywhere;
	class->rate = limit_rate_of(is->rate, is->burst);
	snprintf(labels, sizeof(labels), "limit=\"%s\",per=\"%s\"", is->name,
	    limit_per_name(is->per));
	class->refused = counter_new("onrush_gateway_limited_total",
	    "Requests that were refused by a rate limit.", labels);
	SLIST_INSERT_HEAD(&classes, class, link);
	return class;
}

const struct limit_class *
limit_class_get(const struct route_limit *is, bool everywhere)
{
	struct limit_class *class;

	pthread_mutex_lock(&mutex);
	SLIST_FOREACH (class, &classes, link)
		if (is_like(class, is, everywhere))
			break;
	if (class == NULL)
		class = make(is, everywhere);
	pthread_mutex_unlock(&mutex);
	return class;
}
