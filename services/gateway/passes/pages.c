/*
 * Serving pages from memory. The assembler puts the files of pages/ into the program; a
 * page's tag is a hash of its bytes, so browsers ask every time and load what has
 * changed. They are compressed once, at the start.
 */
#include "gateway/passes/pages.h"

#include <stdio.h>
#include <string.h>

#include "crypto/digest.h"
#include "gateway/edge/compress_rules.h"
#include "gateway/identity/identity_rules.h"
#include "http/gzip.h"
#include "http/httpd.h"

enum {
	TAG_BYTES = 12, /* of the hash: two versions of a page never share that */
	TAG_SIZE = 1 + 2 * TAG_BYTES + 1,
};

/* A file between two labels. They are local to this file, as the C below sees them. */
#define X(pattern, name, file, type)                                                     \
	__asm__(".pushsection .rodata,\"a\"\n"                                           \
		"page_" #name ":\n"                                                      \
		".incbin \"services/gateway/passes/pages/" file "\"\n"                   \
		"page_" #name "_end:\n"                                                  \
		".popsection");                                                          \
	extern const char page_##name[] __attribute__((visibility("hidden")));           \
	extern const char page_##name##_end[] __attribute__((visibility("hidden")));
#include "gateway/passes/pages.def"
#undef X

static const struct page {
	const char *pattern;
	str type;
	const char *start, *end; /* static */
} pages[] = {
#define X(pattern, name, file, type)                                                     \
	{ pattern, STR_INIT(type), page_##name, page_##name##_end },
#include "gateway/passes/pages.def"
#undef X
};

/* What pages_init makes of each page; then only read. */
static struct made {
	char tag[TAG_SIZE + 1];      /* quotes included */
	char gzip_tag[TAG_SIZE + 3]; /* other bytes, so another tag */
	struct buf gzip;             /* for ever */
} made[ARRAY_LEN(pages)];

/*
 * A page loads what comes from here and nothing else, runs no script that is written into
 * it, and is shown in nobody's frame.
 */
static const struct http_header page_headers[] = {
	{ STR_INIT("Cache-Control"), STR_INIT("no-cache") },
	{ STR_INIT("Content-Security-Policy"),
	    STR_INIT("default-src 'none'; script-src 'self'; style-src 'self'; "
		     "connect-src 'self'; img-src data:; base-uri 'none'; "
		     "form-action 'none'; frame-ancestors 'none'; "
		     "require-trusted-types-for 'script'") },
	{ STR_INIT("X-Content-Type-Options"), STR_INIT("nosniff") },
	{ STR_INIT("Referrer-Policy"), STR_INIT("no-referrer") },
};

static str
bytes_of(const struct page *page)
{
	return (str){ page->start, (size_t)(page->end - page->start) };
}

/* Once for all who load it, so as small as can be. */
static void
compress(str bytes, struct buf *out)
{
	struct gzip *g = gzip_new(GZIP_ONCE);

	buf_clear(out);
	gzip_add(g, bytes, GZIP_END, out);
	gzip_free(g);
}

void
pages_init(void)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		const str bytes = bytes_of(&pages[i]);
		struct sha256 hash = sha256_of(&bytes, 1);
		char hex[2 * TAG_BYTES + 1];

		hex_encode(hash.b, TAG_BYTES, hex);
		snprintf(made[i].tag, sizeof(made[i].tag), "\"%s\"", hex);
		snprintf(made[i].gzip_tag, sizeof(made[i].gzip_tag), "\"%s-g\"", hex);
		compress(bytes, &made[i].gzip);
	}
}

bool
pages_tag_matches(str field, str tag)
{
	while (field.n > 0) {
		str one;

		field = str_cut(field, ',', &one);
		one = str_trim(one);
		if (str_eq(one, STR("*")))
			return true;
		if (str_starts(one, STR("W/")))
			one = (str){ one.p + 2, one.n - 2 };
		if (str_eq(one, tag))
			return true;
	}
	return false;
}

static size_t
index_of(const struct route *route)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		if (strcmp(pages[i].pattern, route->pattern) == 0)
			return i;
	UNREACHABLE();
}

rq_next
pages_show(struct rq *rq)
{
	size_t i = index_of(rq->route);
	bool gzip = compress_accepts_gzip(http_header(rq->head, STR("accept-encoding")));
	str tag = str_of(gzip ? made[i].gzip_tag : made[i].tag);

	for (size_t h = 0; h < ARRAY_LEN(page_headers); h++)
		rq_header(rq, page_headers[h].name, page_headers[h].value);
	rq_header(rq, STR("Vary"), STR("Accept-Encoding"));
	rq_header(rq, STR("ETag"), tag);
	if (pages_tag_matches(http_header(rq->head, STR("if-none-match")), tag))
		return rq_reply(rq, 304, STR_NULL, STR_NULL);
	if (gzip)
		rq_header(rq, STR("Content-Encoding"), STR("gzip"));
	return rq_reply(
	    rq, 200, pages[i].type, gzip ? buf_str(&made[i].gzip) : bytes_of(&pages[i]));
}

/* --- to the waiting room ---------------------------------------------------------------
 */

bool
pages_wanted(const struct http_head *head)
{
	str accept = http_header(head, STR("accept"));

	if (head->method != HTTP_GET && head->method != HTTP_HEAD)
		return false;
	return accept.n > 0 && memmem(accept.p, accept.n, "text/html", 9) != NULL;
}

/* The address of the waiting room; without the way back where that would be too long. */
static str
address(struct rq *rq, int64_t line)
{
	str target = rq->head->path;
	char *start = arena_alloc(rq->arena, HTTP_MAX_TARGET);
	char *end = start;

	end +=
	    snprintf(start, HTTP_MAX_TARGET, "/waiting-room?line=%lld", (long long)line);
	if (rq->head->query.p != NULL)
		target.n = (size_t)(rq->head->query.p + rq->head->query.n - target.p);
	if ((size_t)(end - start) + strlen("&to=") + 3 * target.n <= HTTP_MAX_TARGET)
		end = http_escape(target, mempcpy(end, "&to=", 4));
	return (str){ start, (size_t)(end - start) };
}

rq_next
pages_send_to_line(struct rq *rq, int64_t line)
{
	rq_header(rq, STR("Location"), address(rq, line));
	rq_header(rq, STR("Cache-Control"), STR("no-store"));
	rq_header(rq, STR("Vary"), STR("Accept"));
	return rq_reply(rq, 303, STR_NULL, STR_NULL);
}

str
pages_pass(const struct http_head *head)
{
	return http_method_is_safe(head->method)
		   ? identity_cookie(head, STR("onrush_pass"))
		   : STR_NULL;
}
