#include "http/http_fields.h"

#include "http/http_scan.h"

static enum err note_host(struct http_fields *f, str value);
static enum err note_length(struct http_fields *f, str value);
static enum err note_coding(struct http_fields *f, str value);
static enum err note_connection(struct http_fields *f, str value);
static enum err note_expect(struct http_fields *f, str value);

enum err
http_fields_note(struct http_fields *f, const struct http_header *field)
{
	/* The length tells almost every other field apart without a comparison. */
	switch (field->name.n) {
	case sizeof("Host") - 1:
		if (str_eq_nocase(field->name, STR("Host")))
			return note_host(f, field->value);
		break;
	case sizeof("Expect") - 1:
		if (str_eq_nocase(field->name, STR("Expect")))
			return note_expect(f, field->value);
		break;
	case sizeof("Connection") - 1:
		if (str_eq_nocase(field->name, STR("Connection")))
			return note_connection(f, field->value);
		break;
	case sizeof("Content-Length") - 1:
		if (str_eq_nocase(field->name, STR("Content-Length")))
			return note_length(f, field->value);
		break;
	case sizeof("Transfer-Encoding") - 1:
		if (str_eq_nocase(field->name, STR("Transfer-Encoding")))
			return note_coding(f, field->value);
		break;
	}
	return ERR_OK;
}

/* A name or an IPv4 address, or an IPv6 address in brackets, then maybe a port. The
 * grammar of RFC 3986 also has "%" and sub-delims in names; no host is called so. */
static bool
is_host(str s)
{
	str name, port;

	if (s.n > 0 && s.p[0] == '[') {
		port = str_cut((str){ s.p + 1, s.n - 1 }, ']', &name);
		if (port.p == NULL || name.n == 0)
			return false;
		for (size_t i = 0; i < name.n; i++)
			if (!http_is(name.p[i], HTTP_CHAR_HEX) && name.p[i] != ':' &&
			    name.p[i] != '.')
				return false;
		if (port.n == 0)
			return true;
		if (port.p[0] != ':')
			return false;
		port = (str){ port.p + 1, port.n - 1 };
	} else {
		port = str_cut(s, ':', &name);
		if (!http_is_all(name, HTTP_CHAR_HOST))
			return false;
	}
	for (size_t i = 0; i < port.n; i++)
		if (port.p[i] < '0' || port.p[i] > '9')
			return false;
	return port.n <= 5;
}

static enum err
note_host(struct http_fields *f, str value)
{
	if (f->host || !is_host(value))
		return ERR_BAD_REQUEST;
	f->host = true;
	return ERR_OK;
}

static enum err
note_length(struct http_fields *f, str value)
{
	int64_t length;

	/* Leading zeros are refused because some would read them as octal. */
	if (f->length || (value.n > 0 && value.p[0] == '-') ||
	    !str_to_i64(value, 0, INT64_MAX, &length))
		return ERR_BAD_REQUEST;
	f->length = true;
	f->content_length = (uint64_t)length;
	return ERR_OK;
}

static bool
is_known_coding(str s)
{
	static const str codings[] = {
		{ "gzip", 4 },
		{ "x-gzip", 6 },
		{ "deflate", 7 },
		{ "compress", 8 },
		{ "x-compress", 10 },
	};

	for (size_t i = 0; i < ARRAY_LEN(codings); i++)
		if (str_eq_nocase(s, codings[i]))
			return true;
	return false;
}

static enum err
note_coding(struct http_fields *f, str value)
{
	str rest = value, coding;

	if (f->chunked)
		return ERR_BAD_REQUEST;
	if (str_eq_nocase(value, STR("chunked"))) {
		f->chunked = true;
		return ERR_OK;
	}
	/* Something that exists, chunked on top of it: that is honest, but not for us. */
	do {
		rest = str_cut(rest, ',', &coding);
		coding = str_trim(coding);
	} while (rest.p != NULL && is_known_coding(coding));
	return rest.p == NULL && str_eq_nocase(coding, STR("chunked"))
		   ? ERR_NOT_IMPLEMENTED
		   : ERR_BAD_REQUEST;
}

static enum err
note_connection(struct http_fields *f, str value)
{
	str rest = value, option;

	do {
		rest = str_cut(rest, ',', &option);
		option = str_trim(option);
		if (str_eq_nocase(option, STR("close")))
			f->close = true;
		else if (str_eq_nocase(option, STR("keep-alive")))
			f->keep_alive = true;
		else if (http_is_framing_field(option) ||
			 (option.n > 0 && !http_is_all(option, HTTP_CHAR_TOKEN)))
			return ERR_BAD_REQUEST;
	} while (rest.p != NULL);
	return ERR_OK;
}

static enum err
note_expect(struct http_fields *f, str value)
{
	if (!str_eq_nocase(value, STR("100-continue")))
		return ERR_EXPECTATION;
	f->expect_continue = true;
	return ERR_OK;
}

/* What requests and responses have in common. */
static enum err
end_message(const struct http_fields *f, struct http_head *head)
{
	if (f->chunked && (f->length || head->minor == 0))
		return ERR_BAD_REQUEST;
	head->content_length = f->content_length;
	head->framing = f->chunked  ? HTTP_BODY_CHUNKED
			: f->length ? HTTP_BODY_LENGTH
				    : HTTP_BODY_NONE;
	head->keep_alive = !f->close && (head->minor == 1 || f->keep_alive);
	return ERR_OK;
}

enum err
http_fields_end_request(const struct http_fields *f, struct http_head *head)
{
	if (!f->host && head->minor == 1)
		return ERR_BAD_REQUEST;
	/* HTTP/1.0 does not know 100 (RFC 9110, 10.1.1). */
	head->expect_continue = f->expect_continue && head->minor == 1;
	return end_message(f, head);
}

enum err
http_fields_end_response(
    const struct http_fields *f, enum http_method method, struct http_head *head)
{
	bool empty = head->status < 200 || head->status == 204;

	/* A body where none can be: the sender and we would disagree about its end. */
	if (empty && (f->chunked || f->content_length > 0))
		return ERR_BAD_REQUEST;
	if (end_message(f, head) != ERR_OK)
		return ERR_BAD_REQUEST;
	if (empty || head->status == 304 || method == HTTP_HEAD) {
		head->framing = HTTP_BODY_NONE;
	} else if (head->framing == HTTP_BODY_NONE) {
		head->framing = HTTP_BODY_UNTIL_CLOSE;
		head->keep_alive = false;
	}
	return ERR_OK;
}
