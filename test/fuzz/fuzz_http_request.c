/* Any bytes as a request: see fuzz_http.h for what must hold. */
#include "fuzz_http.h"

static struct http_head head, again;

/* The result does not depend on how the bytes arrive. */
static void
check_pieces(str in, enum http_parse want)
{
	enum http_parse result = HTTP_PARSE_MORE;
	size_t scanned = 0, n = 0;
	enum err err;

	while (result == HTTP_PARSE_MORE && n < in.n)
		result = http_parse_request((str){ in.p, ++n }, &scanned, &again, &err);
	/* A malformed line may be found before it is complete, or only then. */
	if (want == HTTP_PARSE_BAD && result == HTTP_PARSE_MORE)
		return;
	ASSERT(result == want);
	if (result == HTTP_PARSE_DONE) {
		ASSERT(n == head.head_size);
		check_same(&head, &again);
	}
}

/* Written again from what was understood, it is understood the same way. */
static void
check_round_trip(void)
{
	struct buf text = { 0 };
	size_t scanned = 0;
	enum err err;

	buf_printf(&text, "%.*s %.*s HTTP/1.%d\r\n", STR_ARG(head.method_text),
	    STR_ARG(head.target), head.minor);
	write_fields(&text, &head);
	/* A head at its limit may have become longer by the spaces. */
	if (buf_size(&text) <= HTTP_MAX_HEAD) {
		ASSERT(http_parse_request(buf_str(&text), &scanned, &again, &err) ==
		       HTTP_PARSE_DONE);
		check_same(&head, &again);
	}
	buf_fini(&text);
}

static void
check_target(str in)
{
	char out[HTTP_MAX_TARGET];
	str decoded;

	check_slice(in, &head, head.target);
	ASSERT(head.target.n > 0 && head.target.n <= HTTP_MAX_TARGET);
	ASSERT(head.path.p == head.target.p && head.path.n <= head.target.n);
	ASSERT(head.query.p == NULL ||
	       head.query.p + head.query.n == head.target.p + head.target.n);
	/* The escapes were checked with the target. */
	ASSERT(http_unescape(head.target, out, &decoded));
	ASSERT(decoded.n <= head.target.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	str in = { (const char *)bytes, size };
	size_t scanned = 0;
	enum err err;
	enum http_parse result = http_parse_request(in, &scanned, &head, &err);

	ASSERT((result == HTTP_PARSE_BAD) == (err != ERR_OK));
	ASSERT(result != HTTP_PARSE_MORE || size < HTTP_MAX_HEAD);
	if (result == HTTP_PARSE_DONE) {
		ASSERT(head.framing != HTTP_BODY_UNTIL_CLOSE);
		ASSERT(head.minor == 0 || http_header(&head, STR("host")).n > 0);
		check_head(in, &head);
		check_target(in);
		check_round_trip();
		check_body(&head, in);
	}
	check_pieces(in, result);
	return 0;
}
