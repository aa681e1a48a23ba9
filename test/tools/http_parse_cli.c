/*
 * Shows how our parser understands requests, for the differential tests. Reads records
 * from standard input, each a decimal size, a newline and that many bytes, and writes one
 * line of JSON for each: {"result":"more"}, {"result":"bad","status":400} or what was
 * understood, with texts in hex because they may be any bytes. The optional argument is
 * the size of the pieces in which a record is given to the parser.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "http/http_parse.h"
#include "http/json.h"

static void
put_text(struct json_writer *w, const char *name, str s)
{
	json_put_hex(w, name, s.p, s.n);
}

static void
put_head(struct json_writer *w, const struct http_head *head)
{
	put_text(w, "method", head->method_text);
	put_text(w, "target", head->target);
	json_put_i64(w, "minor", head->minor);
	json_put_bool(w, "keepAlive", head->keep_alive);
	json_begin_array(w, "headers");
	for (size_t i = 0; i < head->header_count; i++) {
		json_begin_array(w, NULL);
		put_text(w, NULL, head->headers[i].name);
		put_text(w, NULL, head->headers[i].value);
		json_end_array(w);
	}
	json_end_array(w);
}

/* The head, given `piece` more bytes at a time. */
static enum http_parse
parse_head(str in, size_t piece, struct http_head *head, enum err *err)
{
	enum http_parse result = HTTP_PARSE_MORE;
	size_t scanned = 0, end = 0;

	while (result == HTTP_PARSE_MORE && end < in.n) {
		end = in.n - end > piece ? end + piece : in.n;
		result = http_parse_request((str){ in.p, end }, &scanned, head, err);
	}
	return result;
}

/* The body behind the head, likewise; *used becomes the bytes of it. */
static enum http_parse
parse_body(
    str in, size_t piece, const struct http_head *head, struct buf *content, size_t *used)
{
	enum http_parse result;
	struct http_body b;
	size_t end = 0, step;
	str data;

	*used = 0;
	http_body_init(&b, head);
	do {
		end = in.n - end > piece ? end + piece : in.n;
		do {
			result = http_body_decode(
			    &b, (str){ in.p + *used, end - *used }, &step, &data);
			*used += step;
			buf_add_str(content, data);
		} while (result == HTTP_PARSE_MORE && step > 0);
	} while (result == HTTP_PARSE_MORE && end < in.n);
	return result;
}

static void
show(str in, size_t piece, struct buf *out)
{
	struct json_writer w = { .out = out };
	struct buf content = { 0 };
	enum err err = ERR_OK;
	enum http_parse result;
	struct http_head head;
	size_t used = 0;

	buf_reserve(&content, 1);
	result = parse_head(in, piece, &head, &err);
	if (result == HTTP_PARSE_DONE) {
		str rest = { in.p + head.head_size, in.n - head.head_size };

		err = ERR_BAD_REQUEST;
		result = parse_body(rest, piece, &head, &content, &used);
	}
	json_begin_object(&w, NULL);
	switch (result) {
	case HTTP_PARSE_MORE: json_put_str(&w, "result", STR("more")); break;
	case HTTP_PARSE_BAD:
		json_put_str(&w, "result", STR("bad"));
		json_put_i64(&w, "status", err_info(err)->status);
		break;
	case HTTP_PARSE_DONE:
		json_put_str(&w, "result", STR("done"));
		put_head(&w, &head);
		put_text(&w, "body", buf_str(&content));
		json_put_i64(&w, "used", (int64_t)(head.head_size + used));
		break;
	}
	json_end_object(&w);
	buf_fini(&content);
}

int
main(int argc, char **argv)
{
	size_t piece = argc > 1 ? strtoul(argv[1], NULL, 10) : SIZE_MAX, size;
	struct buf in = { 0 }, out = { 0 };

	if (piece == 0)
		die("the size of the pieces must be a number above 0");
	while (scanf("%zu", &size) == 1 && getchar() == '\n') {
		buf_clear(&in);
		buf_clear(&out);
		if (fread(buf_reserve(&in, size + 1), 1, size, stdin) != size)
			die("a record of %zu bytes is cut off", size);
		buf_grew(&in, size);
		show(buf_str(&in), piece, &out);
		printf("%.*s\n", STR_ARG(buf_str(&out)));
	}
	buf_fini(&in);
	buf_fini(&out);
	return 0;
}
