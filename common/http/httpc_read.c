/* What the bytes of a response mean. */
#include "http/httpc_impl.h"

static enum http_parse parse_head(struct peer *p, str *rest, const char **start);
static bool take_whole(struct peer *p, str *rest, str *body);
static enum http_parse take_body(struct peer *p, str *rest);

enum http_parse
peer_parse(struct peer *p, str *rest, str *body)
{
	const struct http_head *head = &p->client->head;
	enum http_parse state;
	const char *start;

	if (!p->has_head) {
		state = parse_head(p, rest, &start);
		if (state != HTTP_PARSE_DONE || take_whole(p, rest, body))
			return state;
		if (head->framing == HTTP_BODY_LENGTH &&
		    head->content_length > p->client->conf.max_response &&
		    !p->call->request.streamed)
			return HTTP_PARSE_BAD;
		http_body_init(&p->decoder, head);
		/* Other responses will be looked at before this one is complete. */
		buf_add(&p->head, start, head->head_size);
		p->has_head = true;
	}
	state = take_body(p, rest);
	*body = buf_str(&p->body);
	return state;
}

/* Finds the final head, skipping interim ones; 101 is one if it was asked for. */
static enum http_parse
parse_head(struct peer *p, str *rest, const char **start)
{
	struct http_head *head = &p->client->head;
	enum http_parse state;
	enum err err;

	do {
		state = http_parse_response(
		    *rest, &p->scanned, p->call->request.method, head, &err);
		if (state != HTTP_PARSE_DONE)
			return state;
		*start = rest->p;
		*rest = (str){ rest->p + head->head_size, rest->n - head->head_size };
		p->scanned = 0;
	} while (head->status < 200 && head->status != 101);
	if (head->status != 101)
		return HTTP_PARSE_DONE;
	if (p->call->request.upgrade.n == 0)
		return HTTP_PARSE_BAD;
	head->framing = HTTP_BODY_UNTIL_CLOSE;
	return HTTP_PARSE_DONE;
}

/* Is the body all here? Then it is used where it is. */
static bool
take_whole(struct peer *p, str *rest, str *body)
{
	const struct http_head *head = &p->client->head;
	size_t max = rest->n < p->client->conf.max_response
			 ? rest->n
			 : p->client->conf.max_response;

	if (head->framing == HTTP_BODY_NONE)
		*body = (str){ rest->p, 0 };
	else if (head->framing == HTTP_BODY_LENGTH && head->content_length <= max)
		*body = (str){ rest->p, (size_t)head->content_length };
	else
		return false;
	*rest = (str){ rest->p + body->n, rest->n - body->n };
	return true;
}

/* Decodes into p->body; *rest is what could not be taken. */
static enum http_parse
take_body(struct peer *p, str *rest)
{
	enum http_parse state;
	size_t used;
	str data;

	do {
		state = http_body_decode(&p->decoder, *rest, &used, &data);
		*rest = (str){ rest->p + used, rest->n - used };
		if (!p->call->request.streamed &&
		    data.n > p->client->conf.max_response - buf_size(&p->body))
			return HTTP_PARSE_BAD;
		buf_add_str(&p->body, data);
	} while (state == HTTP_PARSE_MORE && used > 0);
	return state;
}

void
peer_restore_head(struct peer *p)
{
	size_t scanned = 0;
	enum err err;

	ASSERT(http_parse_response(buf_str(&p->head), &scanned, p->call->request.method,
		   &p->client->head, &err) == HTTP_PARSE_DONE);
}

bool
peer_is_streamed(const struct peer *p)
{
	if (!p->has_head || !p->call->request.streamed)
		return false;
	return p->streams || p->decoder.framing != HTTP_BODY_LENGTH ||
	       p->decoder.left + buf_size(&p->body) > p->client->conf.max_response;
}
