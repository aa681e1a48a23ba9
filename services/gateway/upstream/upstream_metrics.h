/* The numbers of one service, of all workers together. Labels are the service's name and
 * what the settings call its servers, never what a look-up or a client said. */
#ifndef ONRUSH_GATEWAY_UPSTREAM_UPSTREAM_METRICS_H
#define ONRUSH_GATEWAY_UPSTREAM_UPSTREAM_METRICS_H

#include "app/metrics.h"
#include "base/err.h"
#include "http/httpc.h"

enum upstream_outcome {
	OUTCOME_ANSWERED,
	OUTCOME_UNREACHABLE,
	OUTCOME_OVERLOAD,
	OUTCOME_TIMEOUT,
	OUTCOME_BAD_ANSWER,
	OUTCOME_BAD_REQUEST,
	OUTCOME_COUNT
};

/* What a server is to a worker at the moment. */
enum server_state {
	SERVER_UP,
	SERVER_DOWN,
	SERVER_EJECTED,
	SERVER_LEAVING,
	SERVER_STATES
};

extern const char *const upstream_state_names[SERVER_STATES]; /* "up" */

struct upstream_metrics { /* all for ever */
	struct counter *calls[OUTCOME_COUNT];
	struct histogram *seconds;
	struct gauge *limit; /* calls that its servers are given at the same time */
	struct counter *refused[HTTPC_PRIORITIES]; /* there was no room for */
	struct gauge *conns, *busy, *queued;
	struct gauge *servers[SERVER_STATES];
	struct gauge *resting; /* workers whose breaker is not closed */
	struct counter *retries, *retries_denied, *ejections;
};

/* The same name gives the same metrics again. */
void upstream_metrics_init(struct upstream_metrics *m, const char *name);

/* The outcome of a call that ended so. */
enum upstream_outcome upstream_outcome(enum err err);

#endif
