/*
 * What is decided about traces: which requests are followed, where their spans go, and
 * what the collector's answer means. Pure.
 */
#ifndef ONRUSH_GATEWAY_TRACE_TRACE_RULES_H
#define ONRUSH_GATEWAY_TRACE_TRACE_RULES_H

#include "base/err.h"
#include "base/str.h"
#include "gateway/upstream/server_list.h"

enum {
	/* Of a traceparent, 00-<trace>-<span>-<flags> (W3C Trace Context, 3.2). */
	TRACE_ID_AT = 3,
	TRACE_ID_SIZE = 32, /* hex digits, like the next two */
	TRACE_SPAN_AT = 36,
	TRACE_SPAN_SIZE = 16,
	TRACE_FLAGS_AT = 53,
	TRACE_PARENT_SIZE = 55,
};

/* Where spans are sent: "http://collector:4318". */
struct trace_place {
	struct server_entry server;
	str path; /* a slice of the text, or static: "/v1/traces" unless it names one */
};

/* False with a sentence in err[err_size]. */
bool
trace_place_parse(str text, struct trace_place *out, char *err, size_t err_size) MUST_USE;

/* Does the context say that the trace is recorded? Of a traceparent that is one. */
bool trace_is_sampled(str traceparent);

/*
 * The draw for a trace that begins here. Every tracer that draws by the last 56 bits of
 * the trace's id (W3C Trace Context level 2, 3.2.2.3; OpenTelemetry's consistent
 * sampling) draws alike: what one with a small ratio takes, those with larger ones take,
 * too.
 */
bool trace_draw(str traceparent, double ratio);

/* What the collector has done with a batch (OTLP 1.x, "OTLP/HTTP Response"). */
enum trace_verdict {
	TRACE_TAKEN,
	TRACE_REFUSED, /* and it would be again */
	TRACE_LATER,   /* it may be sent again */
};

/* status: the answer's, when err is ERR_OK. */
enum trace_verdict trace_judge(enum err err, int status);

/* How long to wait after the nth failure in a row, 1 and up: about twice as long each
 * time, from 1 to 30 seconds, drawn by a random number so that gateways do not come
 * together; but as long as Retry-After says, an hour at most. A date there is not heard.
 */
int64_t trace_rest_us(int failures, uint64_t random, str retry_after);

#endif
