/* Any bytes as a response, to GET or HEAD by the first: see fuzz_http.h. */
#include "fuzz_http.h"

static struct http_head head, again;

static void
check_pieces(str in, enum http_method method, enum http_parse want)
{
	enum http_parse result = HTTP_PARSE_MORE;
	size_t scanned = 0, n = 0;
	enum err err;

	while (result == HTTP_PARSE_MORE && n < in.n)
		result = http_parse_response(
		    (str){ in.p, ++n }, &scanned, method, &again, &err);
	/* A malformed line may be found before it is complete, or only then. */
	if (want == HTTP_PARSE_BAD && result == HTTP_PARSE_MORE)
		return;
	ASSERT(result == want);
	if (result == HTTP_PARSE_DONE)
		check_same(&head, &again);
}

/* Written again from what was understood, it is understood the same way. */
static void
check_round_trip(enum http_method method)
{
	struct buf text = { 0 };
	size_t scanned = 0;
	enum err err;

	buf_printf(&text, "HTTP/1.%d %d \r\n", head.minor, head.status);
	write_fields(&text, &head);
	if (buf_size(&text) <= HTTP_MAX_HEAD) {
		ASSERT(http_parse_response(buf_str(&text), &scanned, method, &again,
			   &err) == HTTP_PARSE_DONE);
		check_same(&head, &again);
	}
	buf_fini(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	enum http_parse result;
	enum http_method method;
	size_t scanned = 0;
	enum err err;
	str in;

	if (size == 0)
		return 0;
	method = bytes[0] % 2 == 0 ? HTTP_GET : HTTP_HEAD;
	in = (str){ (const char *)bytes + 1, size - 1 };
	result = http_parse_response(in, &scanned, method, &head, &err);
	ASSERT(err == (result == HTTP_PARSE_BAD ? ERR_BAD_GATEWAY : ERR_OK));
	ASSERT(result != HTTP_PARSE_MORE || in.n < HTTP_MAX_HEAD);
	if (result == HTTP_PARSE_DONE) {
		ASSERT(head.status >= 100 && head.status <= 599);
		ASSERT(method == HTTP_GET || head.framing == HTTP_BODY_NONE);
		ASSERT(head.framing != HTTP_BODY_UNTIL_CLOSE || !head.keep_alive);
		check_head(in, &head);
		check_round_trip(method);
		check_body(&head, in);
	}
	check_pieces(in, method, result);
	return 0;
}
