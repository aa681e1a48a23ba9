/*
 * Spans as OTLP writes them in JSON (opentelemetry-proto 1.x, "JSON Protobuf Encoding":
 * ids in hex, 64-bit integers as strings, enums as numbers), with the names of
 * OpenTelemetry's semantic conventions for HTTP 1.2x. Pure.
 *
 *   trace_encode_begin ──> {"resourceSpans":[{"resource":…,"scopeSpans":[{"spans":[
 *   trace_encode_request ─> {SERVER span},{CLIENT span},   … of each request
 *   trace_encode_end ────> ]}]}]}
 */
#ifndef ONRUSH_GATEWAY_TRACE_TRACE_ENCODE_H
#define ONRUSH_GATEWAY_TRACE_TRACE_ENCODE_H

#include "base/buf.h"
#include "http/json.h"
#include "http/rq.h"

/* A request that has ended. Everything is borrowed; texts are UTF-8. */
struct trace_request {
	str trace;     /* id: 32 hex digits, like the next ones 16 */
	str parent;    /* the span that the client named; empty: the trace begins here */
	char span[17]; /* of the request; NUL-terminated, like the next */
	char call[17]; /* of the call at the service */
	int64_t start_us; /* wall clock, like the next */
	int64_t end_us;
	int64_t wall_from_mono_us; /* what turns the times of `behind` into such ones */
	enum http_method method;
	str method_text;
	str path, route, client; /* route empty: none */
	bool secure;
	int status;
	enum err err;                   /* what it was answered because of */
	const struct rq_behind *behind; /* NULL: it was not passed on */
};

/* Who the spans are of. */
struct trace_resource {
	str service, version, instance;
};

void trace_encode_begin(struct json_writer *w, const struct trace_resource *resource);
void trace_encode_request(struct json_writer *w, const struct trace_request *r);
void trace_encode_end(struct json_writer *w);

/* How many spans the request has: with a call at a service 2, else 1. */
int trace_spans(const struct rq_behind *behind);

#endif
