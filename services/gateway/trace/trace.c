#include "gateway/trace/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "app/log.h"
#include "base/clock.h"
#include "base/splitmix.h"
#include "base/uuid.h"
#include "gateway/trace/trace_rules.h"
#include "gateway/trace/trace_send.h"

struct trace {
	struct trace_sender *sender; /* owned */
	struct httpd_tracer tracer;
	double ratio;
	uint64_t ids; /* of splitmix64_next */
};

/* Of a request that is followed; in its arena. */
struct mark {
	char parent[TRACE_SPAN_SIZE]; /* not when the trace begins here */
	char span[TRACE_SPAN_SIZE + 1], call[TRACE_SPAN_SIZE + 1];
	bool begins;
};

/* Set before the workers start. */
static const struct trace_settings *settings;
static struct trace_place place;
static struct trace_target target;
static char instance[UUID_TEXT_SIZE];

static void on_begin(void *arg, struct rq *rq, char *made);
static void
on_end(void *arg, const struct rq *rq, int status, enum err err, int64_t took_us);

/* --- life ----------------------------------------------------------------------------
 */

bool
trace_read(const struct trace_settings *s, char *err, size_t err_size)
{
	char why[512];

	settings = s;
	if (s->url[0] == '\0' ||
	    trace_place_parse(str_of(s->url), &place, why, sizeof(why)))
		return true;
	snprintf(err, err_size, "ONRUSH_OTLP_URL: %s", why);
	return false;
}

static void
count_outcomes(void)
{
	static const char *const labels[TRACE_OUTCOMES] = {
		[TRACE_SENT] = "outcome=\"sent\"",
		[TRACE_NOT_WANTED] = "outcome=\"refused\"",
		[TRACE_DROPPED] = "outcome=\"dropped\"",
	};

	for (size_t i = 0; i < TRACE_OUTCOMES; i++)
		target.spans[i] = counter_new("onrush_trace_spans_total",
		    "Spans of traces, by what became of them.", labels[i]);
}

bool
trace_start(const char *name_server, int64_t lookup_us)
{
	const struct directory_conf conf = {
		.name = "trace collector",
		.name_server = name_server,
		.interval_us = lookup_us,
		.patient = true,
	};
	char err[512];

	if (settings->url[0] == '\0')
		return true;
	target.directory = directory_new(&conf, &place.server, 1, err, sizeof(err));
	if (target.directory == NULL) {
		log_error("ONRUSH_OTLP_URL: %s", err);
		return false;
	}
	uuid_format(uuid_new(), instance);
	target.path = place.path;
	target.resource = (struct trace_resource){
		.service = STR("onrush-gateway"),
		.version = STR(ONRUSH_VERSION),
		.instance = str_of(instance),
	};
	count_outcomes();
	return true;
}

void
trace_stop(void)
{
	directory_free(target.directory);
	target.directory = NULL;
}

struct trace *
trace_new(struct worker *w)
{
	struct trace *t;

	if (target.directory == NULL)
		return NULL;
	t = xcalloc(1, sizeof(*t));
	t->sender = trace_sender_new(w, &target);
	t->tracer = (struct httpd_tracer){ on_begin, on_end, t };
	t->ratio = settings->ratio;
	/* Cannot fail for 8 bytes (getrandom(2)); ids are unique, not secret. */
	ASSERT(getrandom(&t->ids, sizeof(t->ids), 0) == (ssize_t)sizeof(t->ids));
	return t;
}

void
trace_free(struct trace *t)
{
	if (t == NULL)
		return;
	trace_sender_free(t->sender);
	free(t);
}

const struct httpd_tracer *
trace_tracer(const struct trace *t)
{
	return t == NULL ? NULL : &t->tracer;
}

void
trace_observe(struct trace *t)
{
	if (t != NULL)
		trace_sender_observe(t->sender);
}

void
trace_drain(struct trace *t, struct worker *w)
{
	if (t == NULL)
		worker_drained(w);
	else
		trace_sender_drain(t->sender);
}

/* --- requests ------------------------------------------------------------------------
 */

/* A span's id: 16 hex digits, not all zero. */
static void
make_id(struct trace *t, char out[TRACE_SPAN_SIZE + 1])
{
	snprintf(out, TRACE_SPAN_SIZE + 1, "%016" PRIx64, splitmix64_next(&t->ids) | 1);
}

/* The service is told of the call's span, and of the flag by which we go ourselves. */
static void
on_begin(void *arg, struct rq *rq, char *made)
{
	struct trace *t = arg;
	struct mark *mark;
	char *text;

	if (made != NULL && !trace_draw(rq->traceparent, t->ratio))
		made[TRACE_FLAGS_AT + 1] = '0';
	if (!trace_is_sampled(rq->traceparent))
		return;
	rq->trace = mark = ARENA_NEW(rq->arena, struct mark);
	mark->begins = made != NULL;
	memcpy(mark->parent, rq->traceparent.p + TRACE_SPAN_AT, TRACE_SPAN_SIZE);
	make_id(t, mark->span);
	make_id(t, mark->call);
	text = arena_alloc(rq->arena, TRACE_PARENT_SIZE);
	memcpy(text, rq->traceparent.p, TRACE_PARENT_SIZE);
	memcpy(text + TRACE_SPAN_AT, mark->call, TRACE_SPAN_SIZE);
	rq->traceparent = (str){ text, TRACE_PARENT_SIZE };
}

static void
on_end(void *arg, const struct rq *rq, int status, enum err err, int64_t took_us)
{
	struct trace *t = arg;
	const struct mark *mark = rq->trace;
	const char *pattern = rq->route->pattern;
	int64_t wall_from_mono_us = clock_wall_us() - clock_mono_us();
	struct trace_request r = {
		.trace = { rq->traceparent.p + TRACE_ID_AT, TRACE_ID_SIZE },
		.start_us = rq->start_us + wall_from_mono_us,
		.end_us = rq->start_us + took_us + wall_from_mono_us,
		.wall_from_mono_us = wall_from_mono_us,
		.method = rq->head->method,
		.method_text = rq->head->method_text,
		.path = rq->path,
		.client = rq->peer,
		.secure = rq->secure,
		.status = status,
		.err = err,
		.behind = rq->behind,
	};

	/* "(none)" and the like stand for no path. */
	if (pattern != NULL && pattern[0] == '/')
		r.route = str_of(pattern);
	if (!mark->begins)
		r.parent = (str){ mark->parent, TRACE_SPAN_SIZE };
	memcpy(r.span, mark->span, sizeof(r.span));
	memcpy(r.call, mark->call, sizeof(r.call));
	trace_sender_add(t->sender, &r);
}
