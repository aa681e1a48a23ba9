/*
 * Traces (OpenTelemetry): of the requests whose trace is recorded, a span of the request
 * and one of its call at a service go to a collector by OTLP/HTTP.
 *
 *   httpd ──begin──> mark in the request ──────────> traceparent names the call's span
 *         ──end────> spans ──trace_send──> collector
 *
 * Whether a trace is recorded is said by its traceparent, to us and by us: the client's
 * flag, or for a trace that begins here a draw. The flag alone decides; by the time that
 * a request fails its service has been told already.
 */
#ifndef ONRUSH_GATEWAY_TRACE_TRACE_H
#define ONRUSH_GATEWAY_TRACE_TRACE_H

#include "app/app.h"
#include "app/conf.h"
#include "http/httpd.h"

struct trace_settings {
	const char *url; /* "": nobody is told of requests; owned by conf */
	double ratio;
};

/* Put TRACE_CONF_ITEMS in the program's table. */
#define TRACE_CONF_ITEMS(type, member)                                                   \
	{ "ONRUSH_OTLP_URL", CONF_STRING, offsetof(type, member.url), "", 0, 0,          \
		"Collector that traces are sent to by OTLP/HTTP, as "                    \
		"http://host:port, with a path if it is not /v1/traces; empty: none." }, \
	{                                                                                \
		"ONRUSH_OTLP_RATIO", CONF_RATIO, offsetof(type, member.ratio), "0.01",   \
		    0, 1,                                                                \
		    "Share of the traces that begin here which are recorded; of others " \
		    "the caller has decided."                                            \
	}

/* What one worker has. */
struct trace;

/* Takes the settings, which are borrowed until trace_stop. False with a sentence in
 * err[err_size]. */
bool
trace_read(const struct trace_settings *settings, char *err, size_t err_size) MUST_USE;

/* For all workers, before the first; false with an error logged. name_server (as
 * dns_lookup takes it) is borrowed until trace_stop. */
bool trace_start(const char *name_server, int64_t lookup_us) MUST_USE;
void trace_stop(void);

/* NULL when traces are off. Borrows the worker; the caller owns the result. */
struct trace *trace_new(struct worker *w);
void trace_free(struct trace *t); /* after the server; NULL is fine */

/* For httpd_conf; borrowed from `t`, NULL when that is. */
const struct httpd_tracer *trace_tracer(const struct trace *t);

/* Every second. NULL is fine. */
void trace_observe(struct trace *t);

/* The last request has been answered: sends what is left, for two seconds at most, and
 * calls worker_drained; at once when `t` is NULL. */
void trace_drain(struct trace *t, struct worker *w);

#endif
