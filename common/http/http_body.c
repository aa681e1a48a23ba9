/*
 * Bodies, decoded as they arrive. Data is handed on in whatever pieces come; the lines
 * around chunks are only taken when they are complete, so nothing is kept between calls
 * but the state:
 *
 *   SIZE ──> DATA ──> DATA_END ──> SIZE … last chunk ──> TRAILER ──> END
 *
 * A partial line thus stays in the caller's buffer; it can never be longer than the head
 * limit. Extensions follow the grammar without its historical spaces, as llhttp has it.
 */
#include "http/http_parse.h"

#include <string.h>

#include "http/http_scan.h"

enum {
	SIZE,     /* before a chunk-size line */
	DATA,     /* `left` bytes of content are to come */
	DATA_END, /* before the CRLF behind a chunk's data */
	TRAILER,  /* before a trailer field or the last empty line */
	END,      /* complete */
	BROKEN,   /* malformed */
};

enum {
	MAX_SIZE_DIGITS = 8
};

void
http_body_init(struct http_body *b, const struct http_head *head)
{
	*b = (struct http_body){ .framing = head->framing };
	switch (head->framing) {
	case HTTP_BODY_NONE: b->state = END; break;
	case HTTP_BODY_LENGTH:
		b->left = head->content_length;
		b->state = b->left > 0 ? DATA : END;
		break;
	case HTTP_BODY_CHUNKED: b->state = SIZE; break;
	case HTTP_BODY_UNTIL_CLOSE:
		b->left = UINT64_MAX;
		b->state = DATA;
		break;
	}
}

/* Takes up to `left` bytes off `in`. */
static str
take_data(struct http_body *b, str in)
{
	str data = { in.p, in.n < b->left ? in.n : (size_t)b->left };

	if (b->framing == HTTP_BODY_UNTIL_CLOSE)
		return data;
	b->left -= data.n;
	if (b->left == 0)
		b->state = b->framing == HTTP_BODY_LENGTH ? END : DATA_END;
	return data;
}

/* The line at the start of `in`, with its CRLF; MORE if it is not complete. */
static enum http_parse
find_line(str in, str *line)
{
	const char *lf = memchr(in.p, '\n', in.n);

	if (lf == NULL)
		return in.n < HTTP_MAX_HEAD ? HTTP_PARSE_MORE : HTTP_PARSE_BAD;
	*line = (str){ in.p, (size_t)(lf - in.p) + 1 };
	if (line->n < 2 || lf[-1] != '\r')
		return HTTP_PARSE_BAD;
	return HTTP_PARSE_DONE;
}

/* Counts bytes that are neither content nor needed; false when they are too many. */
static bool
count_extra(struct http_body *b, size_t size)
{
	b->extra_bytes += size;
	return b->extra_bytes <= HTTP_MAX_HEAD;
}

static const char *
skip_token(const char *p)
{
	while (http_is(*p, HTTP_CHAR_TOKEN))
		p++;
	return p;
}

/* A quoted-string (RFC 9110, 5.6.4) at p; NULL if it is malformed. */
static const char *
skip_quoted(const char *p)
{
	for (p++; *p != '"'; p++) {
		if (*p == '\\')
			p++;
		if (!http_is(*p, HTTP_CHAR_VALUE))
			return NULL;
	}
	return p + 1;
}

/* Are p up to `end` well-formed chunk extensions? There is a CR at `end`, which no set of
 * characters contains. */
static bool
are_extensions(const char *p, const char *end)
{
	while (*p == ';') {
		const char *name = ++p, *value;

		if ((p = skip_token(p)) == name)
			return false;
		if (*p != '=')
			continue;
		value = ++p;
		if (*p == '"')
			p = skip_quoted(p);
		else if ((p = skip_token(p)) == value)
			p = NULL;
		if (p == NULL)
			return false;
	}
	return p == end;
}

/* A chunk-size line: 1*8HEXDIG [ extensions ] CRLF. */
static bool
parse_size(struct http_body *b, str line)
{
	size_t digits = 0;
	uint64_t size = 0;

	for (; http_is(line.p[digits], HTTP_CHAR_HEX); digits++) {
		unsigned c = (unsigned char)line.p[digits];

		if (digits == MAX_SIZE_DIGITS)
			return false;
		size = size << 4 | ((c & 15) + (c > '9' ? 9 : 0));
	}
	if (digits == 0 || !are_extensions(line.p + digits, line.p + line.n - 2) ||
	    !count_extra(b, line.n - digits - 2))
		return false;
	b->left = size;
	b->state = size > 0 ? DATA : TRAILER;
	return true;
}

/* A trailer field, which is dropped, or the end. */
static bool
parse_trailer(struct http_body *b, str line)
{
	struct http_header field;
	const char *p = line.p;

	if (line.n == 2) {
		b->state = END;
		return true;
	}
	return http_scan_field(&p, line.p + line.n, &field) == HTTP_PARSE_DONE &&
	       p == line.p + line.n && !http_is_framing_field(field.name) &&
	       count_extra(b, line.n);
}

/* The CRLF behind a chunk's data. */
static enum http_parse
take_data_end(struct http_body *b, str in, size_t *taken)
{
	if (in.p[0] != '\r' || (in.n > 1 && in.p[1] != '\n'))
		return HTTP_PARSE_BAD;
	if (in.n < 2)
		return HTTP_PARSE_MORE;
	b->state = SIZE;
	*taken = 2;
	return HTTP_PARSE_DONE;
}

/* What the state waits for, at the start of `in`, which is not empty. */
static enum http_parse
take_line(struct http_body *b, str in, size_t *taken)
{
	enum http_parse result;
	str line;

	if (b->state == DATA_END)
		return take_data_end(b, in, taken);
	if ((result = find_line(in, &line)) != HTTP_PARSE_DONE)
		return result;
	*taken = line.n;
	if (b->state == SIZE ? parse_size(b, line) : parse_trailer(b, line))
		return HTTP_PARSE_DONE;
	return HTTP_PARSE_BAD;
}

enum http_parse
http_body_decode(struct http_body *b, str in, size_t *used, str *data)
{
	enum http_parse result;
	size_t taken;

	*used = 0;
	*data = (str){ in.p, 0 };
	while (*used < in.n &&
	       (b->state == SIZE || b->state == DATA_END || b->state == TRAILER)) {
		result = take_line(b, (str){ in.p + *used, in.n - *used }, &taken);
		if (result == HTTP_PARSE_MORE)
			return HTTP_PARSE_MORE;
		if (result == HTTP_PARSE_BAD)
			b->state = BROKEN;
		else
			*used += taken;
	}
	if (*used < in.n && b->state == DATA) {
		*data = take_data(b, (str){ in.p + *used, in.n - *used });
		*used += data->n;
	}
	return b->state == BROKEN ? HTTP_PARSE_BAD
	       : b->state == END  ? HTTP_PARSE_DONE
				  : HTTP_PARSE_MORE;
}
