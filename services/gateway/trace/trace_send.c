#include "gateway/trace/trace_send.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "app/log.h"
#include "base/arena.h"
#include "base/clock.h"
#include "gateway/trace/trace_rules.h"
#include "http/httpc.h"

#define GATHER_US   (1 * CLOCK_US_PER_SEC)
#define CONNECT_US  (1 * CLOCK_US_PER_SEC)
#define RESPONSE_US (5 * CLOCK_US_PER_SEC)
#define DRAIN_US    (2 * CLOCK_US_PER_SEC)
#define IDLE_US     (30 * CLOCK_US_PER_SEC)

enum {
	BATCH_BYTES = 512 * 1024, /* that are gathered; and one request's more */
	SEND_BYTES = 128 * 1024,  /* that do not wait for the end of the second */
	ANSWER_BYTES = 64 * 1024,
	TRIES = 6, /* of one batch */
};

enum state {
	QUIET,     /* nothing is there */
	GATHERING, /* the timer runs to the end of the second */
	CALLING,   /* `leaving` is at the collector */
	RESTING,   /* the timer runs to the next try; the collector failed */
	DRAINED,   /* takes nothing any more */
};

struct batch {
	struct buf json;
	struct json_writer writer;
	unsigned spans;
};

struct trace_sender {
	struct worker *worker;             /* borrowed */
	const struct trace_target *target; /* borrowed */
	struct httpc *pool;                /* owned; NULL: nobody knows where */
	struct dns_server at;              /* its address */
	uint64_t version;                  /* of the directory's list that it is from */
	struct loop_timer *timer;          /* owned */
	struct loop_job job;               /* owned; sends a large batch */
	struct batch gathering, leaving;
	enum state state;
	int tries;     /* of `leaving`, that failed */
	bool draining; /* worker_drained is to be called */
	bool ended;    /* the job frees it */
	bool lost;     /* the collector does not take spans; said once */
};

static void on_timer(void *arg);
static void on_job(struct loop_job *job);
static void send_batch(struct trace_sender *s);
static void on_response(void *arg, enum err err, const struct httpc_response *response);
static void fail(struct trace_sender *s, enum err err, int status, str retry_after);
static void go_on(struct trace_sender *s);
static void drop_all(struct trace_sender *s);
static void drained(struct trace_sender *s);

/* --- life ----------------------------------------------------------------------------
 */

struct trace_sender *
trace_sender_new(struct worker *w, const struct trace_target *target)
{
	struct trace_sender *s = xcalloc(1, sizeof(*s));

	s->worker = w;
	s->target = target;
	s->timer = loop_timer_new(w->loop, on_timer, s);
	s->job.run = on_job;
	trace_sender_observe(s);
	return s;
}

void
trace_sender_free(struct trace_sender *s)
{
	if (s == NULL)
		return;
	s->ended = true;
	httpc_free(s->pool);
	loop_timer_free(s->timer);
	drop_all(s);
	loop_defer(s->worker->loop, &s->job);
}

static void
on_job(struct loop_job *job)
{
	struct trace_sender *s = CONTAINER_OF(job, struct trace_sender, job);

	if (s->ended) {
		buf_fini(&s->gathering.json);
		buf_fini(&s->leaving.json);
		free(s);
	} else if (s->state == GATHERING) {
		send_batch(s);
	}
}

static bool
is_listed(const struct trace_sender *s, const struct dns_server *servers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(servers[i].address, s->at.address) == 0)
			return true;
	return false;
}

void
trace_sender_observe(struct trace_sender *s)
{
	uint64_t version = directory_version(s->target->directory);
	struct dns_server servers[DNS_MAX];
	size_t count;

	if (version == s->version)
		return;
	s->version = version;
	count = directory_read(s->target->directory, servers);
	if (count == 0 || is_listed(s, servers, count))
		return;
	httpc_free(s->pool); /* what it was sending is sent again, after a rest */
	s->at = servers[(size_t)s->worker->index % count];
	s->pool = httpc_new(s->worker->loop, &(struct httpc_conf){
						 .address = s->at.address,
						 .max_conns = 1,
						 .max_queue = 1,
						 .queue_us = CONNECT_US,
						 .connect_us = CONNECT_US,
						 .response_us = RESPONSE_US,
						 .idle_us = IDLE_US,
						 .max_response = ANSWER_BYTES,
					     });
}

/* --- what is gathered ----------------------------------------------------------------
 */

static void
count(const struct trace_sender *s, enum trace_outcome outcome, unsigned spans)
{
	counter_add(s->target->spans[outcome], spans);
}

void
trace_sender_add(struct trace_sender *s, const struct trace_request *r)
{
	struct batch *b = &s->gathering;
	unsigned spans = (unsigned)trace_spans(r->behind);

	if (s->state == DRAINED || buf_size(&b->json) >= BATCH_BYTES) {
		count(s, TRACE_DROPPED, spans);
		return;
	}
	if (b->spans == 0) {
		b->writer = (struct json_writer){ .out = &b->json };
		trace_encode_begin(&b->writer, &s->target->resource);
	}
	trace_encode_request(&b->writer, r);
	b->spans += spans;
	if (s->state == QUIET) {
		s->state = GATHERING;
		loop_timer_set(s->timer, GATHER_US);
	} else if (s->state == GATHERING && buf_size(&b->json) >= SEND_BYTES) {
		loop_defer(s->worker->loop, &s->job);
	}
}

static void
on_timer(void *arg)
{
	struct trace_sender *s = arg;

	if (s->draining)
		drained(s); /* the collector took too long */
	else if (s->leaving.spans == 0 && s->gathering.spans == 0)
		s->state = QUIET; /* has rested after the last that it gave up */
	else
		send_batch(s);
}

/* --- to the collector ----------------------------------------------------------------
 */

/* Sends `leaving`, which is what was gathered unless there is one to be sent again. */
static void
send_batch(struct trace_sender *s)
{
	static const struct http_header headers[] = {
		{ STR_INIT("content-type"), STR_INIT("application/json") },
		{ STR_INIT("user-agent"), STR_INIT("onrush-gateway/" ONRUSH_VERSION) },
	};
	struct httpc_request request = {
		.method = HTTP_POST,
		.target = s->target->path,
		.host = str_of(s->at.host),
		.headers = headers,
		.header_count = ARRAY_LEN(headers),
		.repeatable = true, /* a span that comes twice is the same one */
	};

	if (s->leaving.spans == 0) {
		struct batch empty = s->leaving;

		s->leaving = s->gathering;
		s->gathering = empty;
		s->leaving.writer.out = &s->leaving.json;
		trace_encode_end(&s->leaving.writer);
		s->tries = 0;
	}
	if (s->pool == NULL) {
		fail(s, ERR_UNAVAILABLE, 0, STR_NULL);
		return;
	}
	s->state = CALLING;
	request.body = buf_str(&s->leaving.json);
	httpc_send(s->pool, &request, on_response, s);
}

/* How many of a batch that was taken were not (OTLP, "Partial Success"). An answer that
 * says nothing of it has taken all. */
static unsigned
rejected(const struct trace_sender *s, str answer)
{
	struct arena *arena = arena_new();
	struct json_reader r;
	int64_t spans = 0;

	json_open(&r, arena, answer);
	if (r.err == ERR_OK && json_has(r.root, "partialSuccess"))
		spans = json_i64_or(&r, json_object(&r, r.root, "partialSuccess"),
		    "rejectedSpans", 0, s->leaving.spans, 0);
	json_close(&r);
	arena_free(arena);
	return (unsigned)spans;
}

static void
leave(struct trace_sender *s)
{
	buf_clear(&s->leaving.json);
	s->leaving.spans = 0;
}

static void
on_response(void *arg, enum err err, const struct httpc_response *response)
{
	struct trace_sender *s = arg;
	int status = err == ERR_OK ? response->head->status : 0;
	unsigned spans = s->leaving.spans, refused = spans;

	if (s->ended || s->state == DRAINED)
		return;
	switch (trace_judge(err, status)) {
	case TRACE_LATER:
		fail(s, err, status,
		    err == ERR_OK ? http_header(response->head, STR("Retry-After"))
				  : STR_NULL);
		return;
	case TRACE_TAKEN:
		refused = rejected(s, response->body);
		if (s->lost)
			log_info("the trace collector takes spans again");
		s->lost = false;
		break;
	case TRACE_REFUSED:
		if (!s->lost)
			log_warn("the trace collector at %s refuses spans: it answers %d",
			    s->at.address, status);
		s->lost = true;
		break;
	}
	count(s, TRACE_NOT_WANTED, refused);
	count(s, TRACE_SENT, spans - refused);
	leave(s);
	go_on(s);
}

static uint64_t
random_number(void)
{
	uint64_t number;

	/* Cannot fail for 8 bytes (getrandom(2)). */
	ASSERT(getrandom(&number, sizeof(number), 0) == (ssize_t)sizeof(number));
	return number;
}

/* The collector has not taken the batch and may do so later. */
static void
fail(struct trace_sender *s, enum err err, int status, str retry_after)
{
	if (!s->lost && err == ERR_OK)
		log_warn("the trace collector at %s answers %d: spans wait, and are "
			 "dropped when there are too many",
		    s->at.address, status);
	else if (!s->lost)
		log_warn("the trace collector cannot be asked (%s): spans wait, and are "
			 "dropped when there are too many",
		    err_info(err)->code);
	s->lost = true;
	if (s->draining) {
		drained(s);
		return;
	}
	s->state = RESTING;
	loop_timer_set(s->timer, trace_rest_us(++s->tries, random_number(), retry_after));
	if (s->tries >= TRIES) {
		count(s, TRACE_DROPPED, s->leaving.spans);
		leave(s);
	}
}

/* After a batch that has left. */
static void
go_on(struct trace_sender *s)
{
	s->state = QUIET;
	if (s->gathering.spans == 0) {
		if (s->draining)
			drained(s);
	} else if (s->draining || buf_size(&s->gathering.json) >= SEND_BYTES) {
		send_batch(s);
	} else {
		s->state = GATHERING;
		loop_timer_set(s->timer, GATHER_US);
	}
}

/* --- the end -------------------------------------------------------------------------
 */

static void
drop_all(struct trace_sender *s)
{
	count(s, TRACE_DROPPED, s->gathering.spans + s->leaving.spans);
	s->gathering.spans = s->leaving.spans = 0;
}

static void
drained(struct trace_sender *s)
{
	drop_all(s);
	s->state = DRAINED;
	loop_timer_stop(s->timer);
	worker_drained(s->worker);
}

void
trace_sender_drain(struct trace_sender *s)
{
	s->draining = true;
	switch (s->state) {
	case QUIET:
	case RESTING: drained(s); return;
	case GATHERING: send_batch(s); break;
	case CALLING: break;
	case DRAINED: return;
	}
	if (s->state == CALLING)
		loop_timer_set(s->timer, DRAIN_US);
}
