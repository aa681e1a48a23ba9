#include "http/h2_head.h"

#include <string.h>

#include "http/http_scan.h"

void
h2_head_clear(struct h2_head *h)
{
	buf_clear(&h->method);
	buf_clear(&h->path);
	buf_clear(&h->authority);
	buf_clear(&h->fields);
	buf_clear(&h->cookie);
	h->named = false;
	h->err = ERR_OK;
}

void
h2_head_fini(struct h2_head *h)
{
	buf_fini(&h->method);
	buf_fini(&h->path);
	buf_fini(&h->authority);
	buf_fini(&h->fields);
	buf_fini(&h->cookie);
	*h = (struct h2_head){ 0 };
}

/* Fields that are of a connection of HTTP/1.1 (RFC 9113, 8.2.2). */
static bool
is_connections(str name, str value)
{
	static const str names[] = {
		STR_INIT("connection"),
		STR_INIT("keep-alive"),
		STR_INIT("proxy-connection"),
		STR_INIT("transfer-encoding"),
		STR_INIT("upgrade"),
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_eq(name, names[i]))
			return true;
	return str_eq(name, STR("te")) && !str_eq_nocase(value, STR("trailers"));
}

static bool
is_name(str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] >= 'A' && name.p[i] <= 'Z')
			return false;
	return http_is_all(name, HTTP_CHAR_TOKEN);
}

/* Space around a value is not the frame's to strip (RFC 9113, 8.2.1). */
static bool
is_value(str value)
{
	return value.n == 0 ||
	       (http_is_all(value, HTTP_CHAR_VALUE) && str_trim(value).n == value.n);
}

bool
h2_head_is_trailer(str name, str value)
{
	return is_name(name) && is_value(value) && !is_connections(name, value) &&
	       !http_is_framing_field(name);
}

static enum err
take_once(struct buf *b, str value)
{
	if (buf_size(b) > 0 || value.n == 0)
		return ERR_BAD_REQUEST;
	buf_add_str(b, value);
	return ERR_OK;
}

/* The path's own grammar is the parser's; here it must not become two words. */
static enum err
take_path(struct h2_head *h, str value)
{
	if (value.n > HTTP_MAX_TARGET)
		return ERR_URI_TOO_LONG;
	if (memchr(value.p, ' ', value.n) != NULL)
		return ERR_BAD_REQUEST;
	return take_once(&h->path, value);
}

static enum err
take_pseudo(struct h2_head *h, str name, str value)
{
	if (!is_value(value) || buf_size(&h->fields) > 0 || buf_size(&h->cookie) > 0)
		return ERR_BAD_REQUEST;
	if (str_eq(name, STR(":method")))
		return http_is_all(value, HTTP_CHAR_TOKEN) ? take_once(&h->method, value)
							   : ERR_BAD_REQUEST;
	if (str_eq(name, STR(":path")))
		return take_path(h, value);
	if (str_eq(name, STR(":authority"))) {
		h->named = true;
		return take_once(&h->authority, value);
	}
	/* Whoever stands before us may have taken TLS off. */
	if (str_eq(name, STR(":scheme")))
		return str_eq_nocase(value, STR("https")) ||
			       str_eq_nocase(value, STR("http"))
			   ? ERR_OK
			   : ERR_BAD_REQUEST;
	return ERR_BAD_REQUEST;
}

static enum err
take_field(struct h2_head *h, str name, str value)
{
	if (!is_name(name) || !is_value(value) || is_connections(name, value))
		return ERR_BAD_REQUEST;
	if (str_eq(name, STR("cookie"))) {
		buf_add_str(
		    &h->cookie, buf_size(&h->cookie) > 0 ? STR("; ") : STR("cookie: "));
		buf_add_str(&h->cookie, value);
		return ERR_OK;
	}
	if (str_eq(name, STR("host")) && h->named) {
		/* The two say the same, or somebody may take the wrong one. */
		return str_eq_nocase(value, buf_str(&h->authority)) ? ERR_OK
								    : ERR_BAD_REQUEST;
	}
	buf_add_str(&h->fields, name);
	buf_add_str(&h->fields, STR(": "));
	buf_add_str(&h->fields, value);
	buf_add_str(&h->fields, STR("\r\n"));
	return ERR_OK;
}

void
h2_head_field(struct h2_head *h, str name, str value)
{
	size_t size = buf_size(&h->path) + buf_size(&h->authority) +
		      buf_size(&h->fields) + buf_size(&h->cookie);

	if (h->err != ERR_OK)
		return;
	if (name.n > 0 && name.p[0] == ':')
		h->err = take_pseudo(h, name, value);
	else if (size + name.n + value.n > HTTP_MAX_HEAD)
		h->err = ERR_HEADERS_TOO_LARGE;
	else
		h->err = take_field(h, name, value);
}

/* "METHOD path HTTP/1.1" and what follows, in the arena. */
static str
write_down(const struct h2_head *h, struct arena *arena)
{
	const str pieces[] = {
		buf_str(&h->method),
		STR(" "),
		buf_str(&h->path),
		STR(" HTTP/1.1\r\n"),
		h->named ? STR("host: ") : STR_NULL,
		buf_str(&h->authority),
		h->named ? STR("\r\n") : STR_NULL,
		buf_str(&h->fields),
		buf_str(&h->cookie),
		buf_size(&h->cookie) > 0 ? STR("\r\n") : STR_NULL,
		STR("\r\n"),
	};
	size_t size = 0;
	char *text, *p;

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
		size += pieces[i].n;
	p = text = arena_alloc(arena, size);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		if (pieces[i].n > 0)
			memcpy(p, pieces[i].p, pieces[i].n);
		p += pieces[i].n;
	}
	return (str){ text, size };
}

enum err
h2_head_end(
    const struct h2_head *h, bool body, struct arena *arena, struct http_head *head)
{
	size_t scanned = 0;
	enum err err = h->err;
	str text;

	if (err != ERR_OK)
		return err;
	text = write_down(h, arena);
	switch (http_parse_request(text, &scanned, head, &err)) {
	case HTTP_PARSE_DONE: break;
	case HTTP_PARSE_BAD: return err;
	case HTTP_PARSE_MORE: return ERR_BAD_REQUEST;
	}
	/* No value had a line end in it: the parser saw all of it as one head. */
	ASSERT(head->head_size == text.n);
	head->keep_alive = true;
	if (!body && head->content_length > 0)
		return ERR_BAD_REQUEST;
	if (!body)
		head->framing = HTTP_BODY_NONE;
	else if (head->framing == HTTP_BODY_NONE)
		head->framing = HTTP_BODY_CHUNKED;
	return ERR_OK;
}
