#include "gateway/trace/trace_encode.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* opentelemetry/proto/trace/v1/trace.proto: SpanKind, StatusCode, SpanFlags. */
enum {
	KIND_SERVER = 2,
	KIND_CLIENT = 3,
	STATUS_ERROR = 2,
	FLAG_SAMPLED = 1,
	FLAG_PARENT_KNOWN = 0x100, /* whether the parent is another program's is known */
	FLAG_PARENT_REMOTE = 0x200,
};

/* --- what OTLP is made of ------------------------------------------------------------
 */

static void
put_digits(struct json_writer *w, const char *name, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	json_put_str(w, name, str_of(text));
}

/* An attribute, up to the inside of its value. */
static void
begin_attribute(struct json_writer *w, const char *key)
{
	json_begin_object(w, NULL);
	json_put_str(w, "key", str_of(key));
	json_begin_object(w, "value");
}

static void
end_attribute(struct json_writer *w)
{
	json_end_object(w);
	json_end_object(w);
}

static void
put_text(struct json_writer *w, const char *key, str value)
{
	if (value.n == 0)
		return;
	begin_attribute(w, key);
	json_put_str(w, "stringValue", value);
	end_attribute(w);
}

static void
put_integer(struct json_writer *w, const char *key, int64_t value)
{
	begin_attribute(w, key);
	put_digits(w, "intValue", value);
	end_attribute(w);
}

static void
put_time(struct json_writer *w, const char *name, int64_t wall_us)
{
	put_digits(w, name, wall_us * 1000);
}

/* --- the batch -----------------------------------------------------------------------
 */

void
trace_encode_begin(struct json_writer *w, const struct trace_resource *resource)
{
	json_begin_object(w, NULL);
	json_begin_array(w, "resourceSpans");
	json_begin_object(w, NULL);
	json_begin_object(w, "resource");
	json_begin_array(w, "attributes");
	put_text(w, "service.name", resource->service);
	put_text(w, "service.version", resource->version);
	put_text(w, "service.instance.id", resource->instance);
	json_end_array(w);
	json_end_object(w);
	json_begin_array(w, "scopeSpans");
	json_begin_object(w, NULL);
	json_begin_object(w, "scope");
	json_put_str(w, "name", resource->service);
	json_put_str(w, "version", resource->version);
	json_end_object(w);
	json_begin_array(w, "spans");
}

void
trace_encode_end(struct json_writer *w)
{
	json_end_array(w);
	json_end_object(w);
	json_end_array(w);
	json_end_object(w);
	json_end_array(w);
	json_end_object(w);
}

/* --- a span --------------------------------------------------------------------------
 */

static str
number_text(int number, char text[12])
{
	snprintf(text, 12, "%d", number);
	return str_of(text);
}

/* A method that is not well known must not become a name of its own. */
static void
put_method(struct json_writer *w, enum http_method method, str original)
{
	if (method != HTTP_OTHER) {
		put_text(w, "http.request.method", http_method_name(method));
		return;
	}
	put_text(w, "http.request.method", STR("_OTHER"));
	put_text(w, "http.request.method_original", original);
}

static void
begin_span(struct json_writer *w, const struct trace_request *r, const char *id,
    str parent, int flags)
{
	json_begin_object(w, NULL);
	json_put_str(w, "traceId", r->trace);
	json_put_str(w, "spanId", str_of(id));
	if (parent.n > 0)
		json_put_str(w, "parentSpanId", parent);
	json_put_i64(w, "flags", FLAG_SAMPLED | FLAG_PARENT_KNOWN | flags);
}

/* `failed`: what is told of it in one word; empty: nothing has. */
static void
end_span(struct json_writer *w, int status, str failed)
{
	if (status > 0)
		put_integer(w, "http.response.status_code", status);
	put_text(w, "error.type", failed);
	json_end_array(w);
	if (failed.n > 0) {
		json_begin_object(w, "status");
		json_put_i64(w, "code", STATUS_ERROR);
		json_end_object(w);
	}
	json_end_object(w);
}

/* --- the request ---------------------------------------------------------------------
 */

/* A client's mistake is not the server's failure; an answer that broke off is. */
static str
request_failure(const struct trace_request *r, char text[12])
{
	if (r->status < 500 && (r->status >= 400 || r->err == ERR_OK))
		return STR_NULL;
	if (r->err != ERR_OK)
		return str_of(err_info(r->err)->code);
	return number_text(r->status, text);
}

static void
put_name(struct json_writer *w, const struct trace_request *r)
{
	str method = r->method == HTTP_OTHER ? STR("HTTP") : http_method_name(r->method);
	struct buf name = { 0 };

	buf_add_str(&name, method);
	if (r->route.n > 0)
		buf_add_str(&name, STR(" "));
	buf_add_str(&name, r->route);
	json_put_str(w, "name", buf_str(&name));
	buf_fini(&name);
}

static void
put_request(struct json_writer *w, const struct trace_request *r)
{
	char digits[12];

	begin_span(w, r, r->span, r->parent, r->parent.n > 0 ? FLAG_PARENT_REMOTE : 0);
	put_name(w, r);
	json_put_i64(w, "kind", KIND_SERVER);
	put_time(w, "startTimeUnixNano", r->start_us);
	put_time(w, "endTimeUnixNano", r->end_us);
	json_begin_array(w, "attributes");
	put_method(w, r->method, r->method_text);
	put_text(w, "url.scheme", r->secure ? STR("https") : STR("http"));
	put_text(w, "url.path", r->path);
	put_text(w, "http.route", r->route);
	put_text(w, "client.address", r->client);
	end_span(w, r->status, request_failure(r, digits));
}

/* --- its call at a service -----------------------------------------------------------
 */

/* To a caller, what is not a success is a failure. */
static str
call_failure(const struct trace_request *r, char text[12])
{
	const struct rq_behind *b = r->behind;

	if (b->err != ERR_OK)
		return str_of(err_info(b->err)->code);
	if (b->status >= 400)
		return number_text(b->status, text);
	if (b->status > 0)
		return STR_NULL;
	/* The request did not wait for it. */
	return r->err != ERR_OK ? str_of(err_info(r->err)->code) : STR("_OTHER");
}

/* "127.0.0.1:8081", "[::1]:8081" or "unix:/path". */
static void
put_server(struct json_writer *w, str server)
{
	const char *colon = memrchr(server.p, ':', server.n);
	const str path = STR("unix:");
	str host;
	int64_t port;

	if (str_starts(server, path)) {
		put_text(
		    w, "server.address", (str){ server.p + path.n, server.n - path.n });
		put_text(w, "network.transport", STR("unix"));
		return;
	}
	host = colon == NULL ? server : (str){ server.p, (size_t)(colon - server.p) };
	if (host.n > 2 && host.p[0] == '[')
		host = (str){ host.p + 1, host.n - 2 };
	put_text(w, "server.address", host);
	if (colon != NULL &&
	    str_to_i64((str){ colon + 1, server.n - (size_t)(colon + 1 - server.p) }, 1,
		65535, &port))
		put_integer(w, "server.port", port);
}

/* Without the query, which may have what is nobody's business. */
static void
put_url(struct json_writer *w, const struct rq_behind *b)
{
	str server = str_starts(b->server, STR("unix:")) ? STR("localhost") : b->server;
	struct buf url = { 0 };
	str path;

	(void)str_cut(b->target, '?', &path);
	buf_add_str(&url, STR("http://"));
	buf_add_str(&url, server);
	buf_add_str(&url, path);
	put_text(w, "url.full", buf_str(&url));
	buf_fini(&url);
}

static void
put_call(struct json_writer *w, const struct trace_request *r)
{
	const struct rq_behind *b = r->behind;
	int64_t start_us = b->start_us + r->wall_from_mono_us, end_us = r->end_us;
	char digits[12];

	if (b->end_us > 0)
		end_us = b->end_us + r->wall_from_mono_us;
	begin_span(w, r, r->call, str_of(r->span), 0);
	json_put_str(w, "name", http_method_name(b->method));
	json_put_i64(w, "kind", KIND_CLIENT);
	put_time(w, "startTimeUnixNano", start_us);
	put_time(w, "endTimeUnixNano", end_us);
	json_begin_array(w, "attributes");
	put_method(w, b->method, STR_NULL);
	put_url(w, b);
	put_server(w, b->server);
	put_text(w, "onrush.upstream.name", b->service);
	put_integer(w, "onrush.upstream.tries", b->tries);
	if (b->us > 0)
		put_integer(w, "onrush.upstream.answer_us", b->us);
	end_span(w, b->status, call_failure(r, digits));
}

int
trace_spans(const struct rq_behind *behind)
{
	return behind != NULL && behind->tries > 0 ? 2 : 1;
}

void
trace_encode_request(struct json_writer *w, const struct trace_request *r)
{
	put_request(w, r);
	if (trace_spans(r->behind) == 2)
		put_call(w, r);
}
