/*
 * The limits that there are, each with a name: what the route file says of them, and what
 * was made of that. One of each exists in the process for as long as it lives, so that
 * buckets and metrics outlive a change of the route file that does not concern them.
 */
#ifndef ONRUSH_GATEWAY_LIMITS_LIMIT_CLASS_H
#define ONRUSH_GATEWAY_LIMITS_LIMIT_CLASS_H

#include <sys/queue.h>

#include "app/metrics.h"
#include "gateway/limits/limit_rules.h"
#include "gateway/routes/route_file.h"

struct limit_class {
	SLIST_ENTRY(limit_class) link;
	struct route_limit is; /* its name is owned */
	uint32_t id;           /* 1 and up */
	bool everywhere;       /* counted for all gateways together, if Redis is there */
	struct limit_rate rate;
	struct counter *refused; /* borrowed from the metrics */
};

/* The one that is like this; made if there is none. Any thread; not for requests. */
const struct limit_class *limit_class_get(const struct route_limit *is, bool everywhere);

const char *limit_per_name(enum limit_per per); /* "address" */

#endif
