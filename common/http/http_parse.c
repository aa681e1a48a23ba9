/*
 * Heads of requests and responses, in one pass over the bytes. What the single fields
 * mean is decided in http_fields.c while they go by.
 *
 *   GET /coupons/1?x=y HTTP/1.1 CRLF      start line: request or status
 *   Host: onrush CRLF                     field lines: http_scan_field, http_fields_note
 *   CRLF                                  http_fields_end_…
 *
 * An empty line before the start line is refused: the implementations differ about it.
 */
#include "http/http_parse.h"

#include <string.h>

#include "http/http_fields.h"
#include "http/http_scan.h"

/* Where the parser is in the bytes of a head. */
struct scan {
	const char *p, *end; /* borrowed from the caller of http_parse_… */
	enum err err;        /* why the result is HTTP_PARSE_BAD */
};

static bool has_new_line(str in, size_t *scanned);
static enum http_parse request_line(struct scan *s, struct http_head *head);
static enum http_parse status_line(struct scan *s, struct http_head *head);
static enum http_parse
fields(struct scan *s, struct http_head *head, struct http_fields *f);

static const str method_names[] = {
	[HTTP_GET] = { "GET", 3 },
	[HTTP_HEAD] = { "HEAD", 4 },
	[HTTP_POST] = { "POST", 4 },
	[HTTP_PUT] = { "PUT", 3 },
	[HTTP_PATCH] = { "PATCH", 5 },
	[HTTP_DELETE] = { "DELETE", 6 },
	[HTTP_OPTIONS] = { "OPTIONS", 7 },
	[HTTP_OTHER] = { "OTHER", 5 },
};

str
http_method_name(enum http_method method)
{
	return method_names[method];
}

bool
http_method_is_safe(enum http_method method)
{
	switch (method) {
	case HTTP_GET:
	case HTTP_HEAD:
	case HTTP_OPTIONS: return true;
	case HTTP_POST:
	case HTTP_PUT:
	case HTTP_PATCH:
	case HTTP_DELETE:
	case HTTP_OTHER: return false;
	}
	UNREACHABLE();
}

void
http_head_add(struct http_head *head, struct http_header header)
{
	ASSERT(head->header_count < HTTP_MAX_HEADERS);
	head->present |= http_name_bit(header.name);
	head->headers[head->header_count++] = header;
}

str
http_header_find(const struct http_head *head, str name)
{
	for (size_t i = 0; i < head->header_count; i++)
		if (str_eq_nocase(head->headers[i].name, name))
			return head->headers[i].value;
	return STR_NULL;
}

bool
http_list_has(str list, str token)
{
	str one;

	while (list.n > 0) {
		list = str_cut(list, ',', &one);
		if (str_eq_nocase(str_trim(one), token))
			return true;
	}
	return false;
}

static enum http_parse
bad(struct scan *s, enum err err)
{
	s->err = err;
	return HTTP_PARSE_BAD;
}

/* Sets up the scan and clears the head, but for the fields, which nobody looks at beyond
 * header_count. */
static struct scan
start(str in, struct http_head *head)
{
	memset(head, 0, offsetof(struct http_head, headers));
	if (in.n > HTTP_MAX_HEAD)
		in.n = HTTP_MAX_HEAD;
	return (struct scan){ in.p, in.p + in.n, ERR_OK };
}

enum http_parse
http_parse_request(str in, size_t *scanned, struct http_head *head, enum err *err)
{
	struct http_fields f = { 0 };
	enum http_parse result;
	struct scan s;

	*err = ERR_OK;
	if (!has_new_line(in, scanned))
		return HTTP_PARSE_MORE;
	s = start(in, head);
	result = request_line(&s, head);
	if (result == HTTP_PARSE_DONE)
		result = fields(&s, head, &f);
	if (result == HTTP_PARSE_DONE) {
		head->head_size = (size_t)(s.p - in.p);
		s.err = http_fields_end_request(&f, head);
		if (s.err != ERR_OK)
			result = HTTP_PARSE_BAD;
	} else if (result == HTTP_PARSE_MORE && in.n >= HTTP_MAX_HEAD) {
		result = bad(&s, ERR_HEADERS_TOO_LARGE);
	}
	*err = s.err;
	return result;
}

enum http_parse
http_parse_response(str in, size_t *scanned, enum http_method method,
    struct http_head *head, enum err *err)
{
	struct http_fields f = { 0 };
	enum http_parse result;
	struct scan s;

	*err = ERR_OK;
	if (!has_new_line(in, scanned))
		return HTTP_PARSE_MORE;
	s = start(in, head);
	result = status_line(&s, head);
	if (result == HTTP_PARSE_DONE)
		result = fields(&s, head, &f);
	if (result == HTTP_PARSE_DONE) {
		head->head_size = (size_t)(s.p - in.p);
		if (http_fields_end_response(&f, method, head) != ERR_OK)
			result = HTTP_PARSE_BAD;
	} else if (result == HTTP_PARSE_MORE && in.n >= HTTP_MAX_HEAD) {
		result = HTTP_PARSE_BAD;
	}
	/* Whatever is wrong with it: the other side gave no valid answer. */
	if (result == HTTP_PARSE_BAD)
		*err = ERR_BAD_GATEWAY;
	return result;
}

/*
 * Is it worth to parse (again)? The first time, and whenever a line has become complete;
 * so a head that trickles in is not parsed once per byte, but at most once per line.
 */
static bool
has_new_line(str in, size_t *scanned)
{
	size_t from = *scanned;

	if (in.n == 0)
		return false;
	*scanned = in.n;
	return from == 0 || in.n >= HTTP_MAX_HEAD ||
	       (in.n > from && memchr(in.p + from, '\n', in.n - from) != NULL);
}

/* Ends a start line or a head. */
static enum http_parse
take_crlf(struct scan *s)
{
	size_t left = (size_t)(s->end - s->p);

	if (left > 0 && s->p[0] != '\r')
		return bad(s, ERR_BAD_REQUEST);
	if (left < 2)
		return HTTP_PARSE_MORE;
	if (s->p[1] != '\n')
		return bad(s, ERR_BAD_REQUEST);
	s->p += 2;
	return HTTP_PARSE_DONE;
}

static enum http_method
find_method(str name)
{
	for (int m = HTTP_GET; m < HTTP_OTHER; m++)
		if (str_eq(name, method_names[m]))
			return (enum http_method)m;
	return HTTP_OTHER;
}

static enum http_parse
take_method(struct scan *s, struct http_head *head)
{
	const char *p = s->p;

	while (p < s->end && http_is(*p, HTTP_CHAR_TOKEN))
		p++;
	if (p == s->end)
		return HTTP_PARSE_MORE;
	if (p == s->p || *p != ' ')
		return bad(s, ERR_BAD_REQUEST);
	head->method_text = (str){ s->p, (size_t)(p - s->p) };
	head->method = find_method(head->method_text);
	s->p = p + 1;
	return HTTP_PARSE_DONE;
}

/* The form of a complete target that fits the method. */
static bool
is_target(const struct http_head *head)
{
	if (head->target.n == 0)
		return false;
	if (head->target.p[0] != '/')
		return head->method == HTTP_OPTIONS && str_eq(head->target, STR("*"));
	/* CONNECT takes an authority, and only that. */
	return head->method != HTTP_OTHER || !str_eq(head->method_text, STR("CONNECT"));
}

static enum http_parse
take_target(struct scan *s, struct http_head *head)
{
	const char *start = s->p, *p = start, *query = NULL;
	char escaped;

	for (;; p++) {
		while (p < s->end && http_is(*p, HTTP_CHAR_TARGET))
			p++;
		if (p - start > HTTP_MAX_TARGET)
			return bad(s, ERR_URI_TOO_LONG);
		if (p == s->end)
			return HTTP_PARSE_MORE;
		if (*p == '%') {
			if (s->end - p < 3)
				return HTTP_PARSE_MORE;
			if (!hex_decode((str){ p + 1, 2 }, &escaped, 1) ||
			    escaped == '\0')
				return bad(s, ERR_BAD_REQUEST);
			p += 2;
		} else if (*p == '?') {
			if (query == NULL)
				query = p;
		} else {
			break;
		}
	}
	head->target = head->path = (str){ start, (size_t)(p - start) };
	if (*p != ' ' || !is_target(head))
		return bad(s, ERR_BAD_REQUEST);
	if (query != NULL) {
		head->path.n = (size_t)(query - start);
		head->query = (str){ query + 1, (size_t)(p - query) - 1 };
	}
	s->p = p + 1;
	return HTTP_PARSE_DONE;
}

/* "HTTP/1.0" or "HTTP/1.1". */
static enum http_parse
take_version(struct scan *s, struct http_head *head)
{
	static const char form[] = "HTTP/d.d"; /* d: a digit */
	size_t left = (size_t)(s->end - s->p), n = sizeof(form) - 1;

	if (left >= n && memcmp(s->p, "HTTP/1.1", n) == 0) { /* as good as always */
		head->minor = 1;
		s->p += n;
		return HTTP_PARSE_DONE;
	}
	for (size_t i = 0; i < n && i < left; i++)
		if (form[i] == 'd' ? s->p[i] < '0' || s->p[i] > '9' : s->p[i] != form[i])
			return bad(s, ERR_BAD_REQUEST);
	if (left < n)
		return HTTP_PARSE_MORE;
	head->minor = s->p[7] - '0';
	if (s->p[5] != '1' || head->minor > 1)
		return bad(s, ERR_HTTP_VERSION);
	s->p += n;
	return HTTP_PARSE_DONE;
}

static enum http_parse
request_line(struct scan *s, struct http_head *head)
{
	enum http_parse result;

	if ((result = take_method(s, head)) != HTTP_PARSE_DONE ||
	    (result = take_target(s, head)) != HTTP_PARSE_DONE ||
	    (result = take_version(s, head)) != HTTP_PARSE_DONE)
		return result;
	return take_crlf(s);
}

static enum http_parse
status_line(struct scan *s, struct http_head *head)
{
	enum http_parse result = take_version(s, head);
	const char *p = s->p;

	if (result != HTTP_PARSE_DONE)
		return result;
	if (s->end - p < 5)
		return HTTP_PARSE_MORE;
	if (p[0] != ' ' || p[4] != ' ')
		return HTTP_PARSE_BAD;
	for (int i = 1; i <= 3; i++) {
		if (p[i] < '0' || p[i] > '9')
			return HTTP_PARSE_BAD;
		head->status = head->status * 10 + (p[i] - '0');
	}
	if (head->status < 100 || head->status > 599)
		return HTTP_PARSE_BAD;
	/* The reason is for people; it may be empty. */
	for (p += 5; p < s->end && http_is(*p, HTTP_CHAR_VALUE);)
		p++;
	s->p = p;
	return take_crlf(s);
}

/* All field lines and the empty line behind them. */
static enum http_parse
fields(struct scan *s, struct http_head *head, struct http_fields *f)
{
	while (s->p < s->end && *s->p != '\r') {
		struct http_header field;
		enum http_parse result;
		enum err err;

		if (head->header_count == HTTP_MAX_HEADERS)
			return bad(s, ERR_HEADERS_TOO_LARGE);
		result = http_scan_field(&s->p, s->end, &field);
		if (result == HTTP_PARSE_BAD)
			return bad(s, ERR_BAD_REQUEST);
		if (result == HTTP_PARSE_MORE)
			return result;
		if ((err = http_fields_note(f, &field)) != ERR_OK)
			return bad(s, err);
		http_head_add(head, field);
	}
	return take_crlf(s);
}
