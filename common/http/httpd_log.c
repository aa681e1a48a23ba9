/*
 * The access log, one JSON line per request that is logged, and the ids by which a
 * request is found in it and in traces. Lines gather in a buffer and leave with one
 * write(2) at the end of the turn. Failures are always logged, but at most so many a
 * second: an attack shall not fill a disk.
 */
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "app/log.h"
#include "base/clock.h"
#include "base/splitmix.h"
#include "http/httpd_impl.h"

enum {
	FAILURES_PER_SECOND = 1000, /* lines, per worker */
	FLUSH_AT = 65536,           /* bytes that do not wait for the end of the turn */
	ID_MAX = 64,                /* of an id that a client gave */
	TRACE_SIZE = 55,            /* 00-<32>-<16>-<2> (W3C Trace Context, level 1) */
};

/* A member's name with what stands around it: one piece to copy. */
#define NAME(name) STR(",\"" name "\":")

static void flush(struct loop_job *job);

void
log_start(struct httpd *httpd)
{
	uint64_t seed[2];

	httpd->log_job.run = flush;
	/* Cannot fail for 16 bytes (getrandom(2)); ids are unique, not secret. */
	ASSERT(getrandom(seed, sizeof(seed), 0) == (ssize_t)sizeof(seed));
	httpd->id_high = seed[0];
	httpd->id_next = seed[1];
}

/* --- ids -----------------------------------------------------------------------------
 */

/* As 16 digits; whatever stands behind them comes after. */
static char *
put_hex(char *p, uint64_t random)
{
	hex_encode(&random, sizeof(random), p);
	return p + 2 * sizeof(random);
}

static bool
is_id(str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			(c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-'))
			return false;
	}
	return s.n > 0 && s.n <= ID_MAX;
}

/* `size` lower-case hex digits, not all zero. */
static bool
is_hex(const char *p, size_t size, bool may_be_zero)
{
	bool zero = true;

	for (size_t i = 0; i < size; i++) {
		if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f')))
			return false;
		zero &= p[i] == '0';
	}
	return may_be_zero || !zero;
}

/* Version 00 exactly: of later ones we would not know what we pass on. */
static bool
is_trace(str s)
{
	return s.n == TRACE_SIZE && memcmp(s.p, "00-", 3) == 0 &&
	       is_hex(s.p + 3, 32, false) && s.p[35] == '-' &&
	       is_hex(s.p + 36, 16, false) && s.p[52] == '-' && is_hex(s.p + 53, 2, true);
}

void
log_identify(struct exchange *x)
{
	struct httpd *httpd = x->httpd;
	const struct httpd_tracer *tracer = httpd->conf.tracer;
	struct rq *rq = &x->rq;
	char *trace = NULL, *p;

	rq->id = http_header(&x->head, STR("X-Request-Id"));
	rq->traceparent = http_header(&x->head, STR("traceparent"));
	if (!is_trace(rq->traceparent)) {
		p = trace = arena_alloc(rq->arena, TRACE_SIZE);
		memcpy(p, "00-", 3);
		p = put_hex(
		    put_hex(p + 3, httpd->id_high), splitmix64_next(&httpd->id_next));
		*p++ = '-';
		p = put_hex(p, splitmix64_next(&httpd->id_next) | 1); /* not zero */
		memcpy(p, "-01", 3);
		rq->traceparent = (str){ trace, TRACE_SIZE };
	}
	if (tracer != NULL)
		tracer->begin(tracer->arg, rq, trace);
	if (!is_id(rq->id))
		rq->id = (str){ rq->traceparent.p + 3, 32 };
}

/* --- lines ---------------------------------------------------------------------------
 */

/* A sale says no all the time: not your turn, not there, sold out, too fast. */
static bool
is_everyday(int status)
{
	return status == 403 || status == 404 || status == 409 || status == 429;
}

/* Is this one written? */
static bool
wanted(struct httpd *httpd, int status, int64_t now_us)
{
	int64_t second = now_us / CLOCK_US_PER_SEC;

	if (status < 400 || is_everyday(status)) {
		httpd->log_share += httpd->conf.settings->access_log;
		if (httpd->log_share < 1)
			return false;
		httpd->log_share -= 1;
		return true;
	}
	if (httpd->log_second != second) {
		httpd->log_second = second;
		httpd->log_failures = 0;
	}
	if (httpd->log_failures >= FAILURES_PER_SECOND) {
		httpd->log_dropped++;
		return false;
	}
	httpd->log_failures++;
	return true;
}

static void
add_field(struct buf *log, str name, str value)
{
	buf_add_str(log, name);
	buf_add_json_str(log, value);
}

/* A value of ours, in which there is nothing to escape. */
static void
add_plain(struct buf *log, str name, str value)
{
	buf_add_str(log, name);
	buf_add_str(log, STR("\""));
	buf_add_str(log, value);
	buf_add_str(log, STR("\""));
}

static void
add_number(struct buf *log, str name, int64_t value)
{
	buf_add_str(log, name);
	buf_add_i64(log, value);
}

static void
add_behind(struct buf *log, const struct rq_behind *behind)
{
	if (behind == NULL)
		return;
	add_field(log, NAME("upstream"), behind->service);
	add_field(log, NAME("server"), behind->server);
	add_number(log, NAME("tries"), behind->tries);
	if (behind->us > 0)
		add_number(log, NAME("upstream_us"), behind->us);
}

void
log_answer(struct exchange *x, int status, enum err err, int64_t took_us, size_t bytes)
{
	struct httpd *httpd = x->httpd;
	struct buf *log = &httpd->log;
	const struct rq *rq = &x->rq;
	const char *pattern = rq->route->pattern;
	char ts[CLOCK_ISO_SIZE];

	if (x->unlogged)
		return;
	if (rq->trace != NULL)
		httpd->conf.tracer->end(
		    httpd->conf.tracer->arg, rq, status, err, took_us);
	if (!wanted(httpd, status, rq->start_us + took_us))
		return;
	clock_format_iso(clock_wall_us(), ts);
	buf_add_str(log, STR("{\"ts\":\""));
	buf_add_str(log, str_of(ts));
	buf_add_str(log, STR("\""));
	add_plain(log, NAME("level"), status < 500 ? STR("info") : STR("warn"));
	add_plain(log, NAME("svc"), str_of(log_service()));
	add_plain(log, NAME("msg"), STR("request"));
	add_field(log, NAME("id"), rq->id);
	add_plain(log, NAME("trace"), (str){ rq->traceparent.p + 3, 32 });
	add_field(log, NAME("peer"), rq->peer);
	add_field(log, NAME("method"), x->head.method_text);
	add_field(log, NAME("path"), rq->path);
	add_field(log, NAME("route"), pattern != NULL ? str_of(pattern) : STR("(other)"));
	add_number(log, NAME("status"), status);
	if (err != ERR_OK)
		add_plain(log, NAME("error"), str_of(err_info(err)->code));
	add_number(log, NAME("us"), took_us);
	add_behind(log, rq->behind);
	add_number(log, NAME("bytes"), (int64_t)bytes);
	if (x->received > 0)
		add_number(log, NAME("received"), (int64_t)x->received);
	if (httpd->log_dropped > 0) {
		add_number(log, NAME("dropped"), httpd->log_dropped);
		httpd->log_dropped = 0;
	}
	buf_add_str(log, STR("}\n"));
	if (buf_size(log) >= FLUSH_AT)
		flush(&httpd->log_job);
	else
		loop_defer(httpd->worker->loop, &httpd->log_job);
}

/* What stderr does not take is lost: a log never stops a sale. */
static void
flush(struct loop_job *job)
{
	struct httpd *httpd = CONTAINER_OF(job, struct httpd, log_job);
	str lines = buf_str(&httpd->log);

	if (lines.n > 0 && write(STDERR_FILENO, lines.p, lines.n) < 0)
		httpd->log_dropped++;
	buf_clear(&httpd->log);
	if (httpd->ended)
		httpd_settle(httpd);
}
