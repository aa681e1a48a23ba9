#include "gateway/upstream/upstream_metrics.h"

#include <stdio.h>

enum {
	LABELS_SIZE = 160
};

static const char *const outcomes[OUTCOME_COUNT] = {
	[OUTCOME_ANSWERED] = "answered",
	[OUTCOME_UNREACHABLE] = "unreachable",
	[OUTCOME_OVERLOAD] = "overload",
	[OUTCOME_TIMEOUT] = "timeout",
	[OUTCOME_BAD_ANSWER] = "bad_answer",
	[OUTCOME_BAD_REQUEST] = "bad_request",
};

static const char *const priorities[HTTPC_PRIORITIES] = {
	[HTTPC_NORMAL] = "normal",
	[HTTPC_HIGH] = "high",
	[HTTPC_LOW] = "low",
};

const char *const upstream_state_names[SERVER_STATES] = {
	[SERVER_UP] = "up",
	[SERVER_DOWN] = "down",
	[SERVER_EJECTED] = "ejected",
	[SERVER_LEAVING] = "leaving",
};

static void init_calls(struct upstream_metrics *m, const char *name);

void
upstream_metrics_init(struct upstream_metrics *m, const char *name)
{
	char labels[LABELS_SIZE];

	init_calls(m, name);
	for (int i = 0; i < SERVER_STATES; i++) {
		snprintf(labels, sizeof(labels), "upstream=\"%s\",state=\"%s\"", name,
		    upstream_state_names[i]);
		m->servers[i] = gauge_new("onrush_gateway_upstream_servers",
		    "Servers of the services behind by what they are to a worker, summed "
		    "over the workers.",
		    labels);
	}
	snprintf(labels, sizeof(labels), "upstream=\"%s\"", name);
	m->conns = gauge_new("onrush_gateway_upstream_connections",
	    "Open connections to the services behind.", labels);
	m->busy = gauge_new("onrush_gateway_upstream_busy_connections",
	    "Connections that wait for an answer.", labels);
	m->queued = gauge_new("onrush_gateway_upstream_queued_calls",
	    "Calls that wait for a connection.", labels);
	m->limit = gauge_new("onrush_gateway_upstream_limit",
	    "Calls that the services behind are given at the same time, at most.",
	    labels);
	m->resting = gauge_new("onrush_gateway_upstream_resting",
	    "Workers that give the service a rest: their breaker is open.", labels);
	m->ejections = counter_new("onrush_gateway_upstream_ejections_total",
	    "How often a worker left a server out after calls that failed.", labels);
}

static void
init_calls(struct upstream_metrics *m, const char *name)
{
	static const char retries[] = "onrush_gateway_upstream_retries_total";
	static const char help[] = "Calls that failed and could have been sent again: "
				   "that were, and for which there was no budget.";
	char labels[LABELS_SIZE];

	for (int i = 0; i < OUTCOME_COUNT; i++) {
		snprintf(labels, sizeof(labels), "upstream=\"%s\",outcome=\"%s\"", name,
		    outcomes[i]);
		m->calls[i] = counter_new("onrush_gateway_upstream_calls_total",
		    "Calls to the services behind, by how they ended.", labels);
	}
	for (int i = 0; i < HTTPC_PRIORITIES; i++) {
		snprintf(labels, sizeof(labels), "upstream=\"%s\",priority=\"%s\"", name,
		    priorities[i]);
		m->refused[i] = counter_new("onrush_gateway_upstream_refused_total",
		    "Calls that were refused at once: their turn would have come too "
		    "late.",
		    labels);
	}
	snprintf(labels, sizeof(labels), "upstream=\"%s\"", name);
	m->seconds = histogram_new("onrush_gateway_upstream_seconds",
	    "Time from a call's start, queue included, to its answer.", labels);
	snprintf(labels, sizeof(labels), "upstream=\"%s\",budget=\"granted\"", name);
	m->retries = counter_new(retries, help, labels);
	snprintf(labels, sizeof(labels), "upstream=\"%s\",budget=\"denied\"", name);
	m->retries_denied = counter_new(retries, help, labels);
}

enum upstream_outcome
upstream_outcome(enum err err)
{
	if (err == ERR_OK)
		return OUTCOME_ANSWERED;
	if (err == ERR_OVERLOAD)
		return OUTCOME_OVERLOAD;
	if (err == ERR_TIMEOUT)
		return OUTCOME_TIMEOUT;
	if (err == ERR_BAD_GATEWAY)
		return OUTCOME_BAD_ANSWER;
	if (err_info(err)->status < 500)
		return OUTCOME_BAD_REQUEST;
	return OUTCOME_UNREACHABLE;
}
