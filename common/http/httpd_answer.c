/*
 * From an outcome to bytes: the answers that steps give, and the one function that makes
 * an answer's head, sends it together with its body in one write, counts it and logs it.
 * The bytes are made in a buffer of the worker; a connection keeps only what its client
 * did not take at once.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "http/httpd_impl.h"

enum {
	HEAD_MAX = 512,     /* of a head without the parts that are counted */
	OUT_KEEP = 1 << 20, /* of the worker's buffer between two answers */
};

static const str json_type = { "application/json", 16 };
static const rq_next next_token;

/* --- what steps call -----------------------------------------------------------------
 */

rq_next
rq_ok(struct rq *rq, str data)
{
	return rq_ok_status(rq, 200, "OK", data);
}

rq_next
rq_ok_status(struct rq *rq, int status, const char *message, str data)
{
	struct exchange *x = exchange_of(rq);
	struct buf *text = &x->httpd->text;
	str parts[3];

	ASSERT(status >= 200 && status < 300);
	buf_clear(text);
	buf_add_str(text, STR("{\"code\":"));
	buf_add_i64(text, status);
	buf_add_str(text, STR(",\"message\":"));
	buf_add_json_str(text, str_of(message));
	buf_add_str(text, STR(",\"data\":"));
	parts[0] = buf_str(text);
	parts[1] = data.n > 0 ? data : STR("null");
	parts[2] = STR("}");
	exchange_answer(x, status, ERR_OK, json_type, parts, ARRAY_LEN(parts));
	return next_token;
}

void
exchange_fail(struct exchange *x, enum err err, str message)
{
	const struct err_info *info = err_info(err);
	struct buf *text = &x->httpd->text;
	str part;

	ASSERT(err != ERR_OK);
	if (info->retry && !x->retry_after)
		rq_header(&x->rq, STR("Retry-After"), STR("1"));
	buf_clear(text);
	buf_add_str(text, STR("{\"code\":"));
	buf_add_i64(text, info->status);
	buf_add_str(text, STR(",\"error\":\""));
	buf_add_str(text, str_of(info->code));
	buf_add_str(text, STR("\",\"message\":"));
	buf_add_json_str(text, message.n > 0 ? message : str_of(info->message));
	buf_add_str(text, STR("}"));
	part = buf_str(text);
	exchange_answer(x, info->status, err, json_type, &part, 1);
}

rq_next
rq_fail(struct rq *rq, enum err err)
{
	exchange_fail(exchange_of(rq), err, STR_NULL);
	return next_token;
}

rq_next
rq_fail_because(struct rq *rq, enum err err, const char *fmt, ...)
{
	char message[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	exchange_fail(exchange_of(rq), err, str_of(message));
	return next_token;
}

rq_next
rq_reply(struct rq *rq, int status, str content_type, str body)
{
	ASSERT(status >= 200 && status < 600);
	exchange_answer(exchange_of(rq), status, ERR_OK, content_type, &body, 1);
	return next_token;
}

void
rq_header(struct rq *rq, str name, str value)
{
	struct exchange *x = exchange_of(rq);

	for (size_t i = 0; i < value.n; i++)
		ASSERT(value.p[i] != '\r' && value.p[i] != '\n' && value.p[i] != '\0');
	x->retry_after |= str_eq_nocase(name, STR("Retry-After"));
	buf_add_str(&x->headers, name);
	buf_add_str(&x->headers, STR(": "));
	buf_add_str(&x->headers, value);
	buf_add_str(&x->headers, STR("\r\n"));
}

void
rq_close_after(struct rq *rq)
{
	exchange_of(rq)->close_after = true;
}

/* --- bytes ---------------------------------------------------------------------------
 */

static str
reason(int status)
{
	switch (status) {
	case 200: return STR("OK");
	case 201: return STR("Created");
	case 202: return STR("Accepted");
	case 204: return STR("No Content");
	case 301: return STR("Moved Permanently");
	case 302: return STR("Found");
	case 303: return STR("See Other");
	case 304: return STR("Not Modified");
	case 307: return STR("Temporary Redirect");
	case 400: return STR("Bad Request");
	case 401: return STR("Unauthorized");
	case 403: return STR("Forbidden");
	case 404: return STR("Not Found");
	case 405: return STR("Method Not Allowed");
	case 408: return STR("Request Timeout");
	case 409: return STR("Conflict");
	case 413: return STR("Content Too Large");
	case 414: return STR("URI Too Long");
	case 415: return STR("Unsupported Media Type");
	case 417: return STR("Expectation Failed");
	case 422: return STR("Unprocessable Content");
	case 429: return STR("Too Many Requests");
	case 431: return STR("Request Header Fields Too Large");
	case 500: return STR("Internal Server Error");
	case 501: return STR("Not Implemented");
	case 502: return STR("Bad Gateway");
	case 503: return STR("Service Unavailable");
	case 504: return STR("Gateway Timeout");
	case 505: return STR("HTTP Version Not Supported");
	default: return STR(""); /* a reason may be empty (RFC 9112, 4) */
	}
}

/* The lines that all answers share, made once per second. */
static void
refresh_date(struct httpd *httpd, int64_t now_us)
{
	int64_t wall_us = clock_wall_us();
	time_t sec = (time_t)(wall_us / CLOCK_US_PER_SEC);
	struct tm tm;

	gmtime_r(&sec, &tm);
	httpd->date_size = strftime(httpd->date, sizeof(httpd->date),
	    "\r\nServer: onrush\r\nDate: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
	httpd->date_until_us = now_us + CLOCK_US_PER_SEC - wall_us % CLOCK_US_PER_SEC;
}

/* Appends at p, where there is room; the new end. */
static char *
put(char *p, str s)
{
	memcpy(p, s.p, s.n);
	return p + s.n;
}

static char *
put_number(char *p, size_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	return put(p, (str){ digits + at, sizeof(digits) - at });
}

/* Does a message with this status have a body (RFC 9110, 6.4.1)? */
static bool
has_body(int status)
{
	return status != 204 && status != 304;
}

/* How the body ends: by its length, by a last chunk, or (HTTP/1.0) with the connection.
 */
static char *
put_framing(char *p, const struct exchange *x, int64_t length)
{
	if (length < 0)
		return x->head.minor == 0 ? p
					  : put(p, STR("Transfer-Encoding: chunked\r\n"));
	p = put(p, STR("Content-Length: "));
	p = put_number(p, (size_t)length);
	return put(p, STR("\r\n"));
}

static char *
put_head(char *p, struct exchange *x, int status, str type, int64_t length, bool last)
{
	const struct http_head *head = &x->head;

	p = put(p, STR("HTTP/1.1 "));
	p = put_number(p, (size_t)status);
	*p++ = ' ';
	p = put(p, reason(status));
	p = put(p, (str){ x->httpd->date, x->httpd->date_size });
	if (has_body(status)) {
		if (type.n > 0) {
			p = put(p, STR("Content-Type: "));
			p = put(p, type);
			p = put(p, STR("\r\n"));
		}
		p = put_framing(p, x, length);
	}
	p = put(p, STR("X-Request-Id: "));
	p = put(p, x->rq.id);
	if (last)
		p = put(p, STR("\r\nConnection: close\r\n"));
	else if (head->minor == 0)
		p = put(p, STR("\r\nConnection: keep-alive\r\n"));
	else
		p = put(p, STR("\r\n"));
	if (buf_size(&x->headers) > 0)
		p = put(p, buf_str(&x->headers));
	return put(p, STR("\r\n"));
}

/* Makes the whole answer in the worker's buffer. */
static str
compose(
    struct exchange *x, int status, str type, const str *parts, size_t count, bool last)
{
	struct buf *out = &x->httpd->out;
	size_t length = 0;
	char *start, *p;

	for (size_t i = 0; i < count; i++)
		length += parts[i].n;
	if (out->cap > OUT_KEEP)
		buf_fini(out);
	buf_clear(out);
	start = buf_reserve(
	    out, HEAD_MAX + x->rq.id.n + buf_size(&x->headers) + type.n + length);
	p = put_head(start, x, status, type, (int64_t)length, last);
	if (x->head.method != HTTP_HEAD && has_body(status))
		for (size_t i = 0; i < count; i++)
			p = parts[i].n > 0 ? put(p, parts[i]) : p;
	buf_grew(out, (size_t)(p - start));
	return buf_str(out);
}

void
answer_head(
    struct exchange *x, int status, str type, int64_t length, struct buf *out, bool *last)
{
	struct httpd *httpd = x->httpd;
	int64_t now_us = clock_mono_us();
	char *start;

	if (now_us >= httpd->date_until_us)
		refresh_date(httpd, now_us);
	*last = !x->head.keep_alive || x->close_after || httpd->draining ||
		(length < 0 && x->head.minor == 0);
	start = buf_reserve(out, HEAD_MAX + x->rq.id.n + buf_size(&x->headers) + type.n);
	buf_grew(out, (size_t)(put_head(start, x, status, type, length, *last) - start));
}

void
exchange_answer(struct exchange *x, int status, enum err err, str type, const str *parts,
    size_t count)
{
	struct httpd *httpd = x->httpd;
	struct conn *c = x->conn;
	int64_t now_us = clock_mono_us();
	int64_t took_us = now_us - x->rq.start_us;
	str bytes = STR_NULL;
	bool last;

	ASSERT(x->state == RQ_RUNNING);
	if (c != NULL) {
		if (now_us >= httpd->date_until_us)
			refresh_date(httpd, now_us);
		last = !x->head.keep_alive || x->close_after || httpd->draining;
		bytes = compose(x, status, type, parts, count, last);
	}
	route_count(x, status, took_us);
	log_answer(x, status, err, took_us, bytes.n);
	x->state = RQ_ANSWERED;
	x->conn = NULL;
	if (c != NULL)
		conn_answer(c, bytes, last);
}
