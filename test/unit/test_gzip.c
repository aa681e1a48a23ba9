/* gzip: what comes out is what zlib reads back, whole and piece by piece. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "http/gzip.h"

enum {
	BIG = 300000
};

static char big[BIG];

static void
fill(void)
{
	uint32_t seed = 1;

	for (size_t i = 0; i < BIG; i++) {
		seed = seed * 1103515245 + 12345;
		big[i] = (char)(i % 3 == 0 ? seed >> 24 : 'a');
	}
}

/* Reads what is there of a gzip stream with zlib's own reader. */
struct reader {
	z_stream z;
	char *out;
	size_t n;
	bool whole;
};

static void
reader_init(struct reader *r)
{
	memset(r, 0, sizeof(*r));
	assert_int_equal(inflateInit2(&r->z, 16 + MAX_WBITS), Z_OK);
	r->out = malloc(BIG + 1);
	assert_non_null(r->out);
}

static void
reader_add(struct reader *r, str bytes)
{
	int result;

	r->z.next_in = (unsigned char *)(uintptr_t)bytes.p;
	r->z.avail_in = (unsigned)bytes.n;
	do {
		r->z.next_out = (unsigned char *)r->out + r->n;
		r->z.avail_out = (unsigned)(BIG + 1 - r->n);
		result = inflate(&r->z, Z_NO_FLUSH);
		r->n = BIG + 1 - r->z.avail_out;
		assert_true(
		    result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR);
	} while (r->z.avail_in > 0 && result == Z_OK);
	r->whole = result == Z_STREAM_END;
}

static void
reader_fini(struct reader *r)
{
	inflateEnd(&r->z);
	free(r->out);
}

static void
assert_whole(str out, str wanted)
{
	struct reader r;

	reader_init(&r);
	reader_add(&r, out);
	assert_true(r.whole);
	assert_int_equal(r.n, wanted.n);
	if (wanted.n > 0)
		assert_memory_equal(r.out, wanted.p, wanted.n);
	reader_fini(&r);
}

static void
test_one_body_after_the_other(void **state)
{
	static const enum gzip_use uses[] = { GZIP_ANSWERS, GZIP_STREAM, GZIP_ONCE };
	const str bodies[] = { STR_NULL, STR("a"), { big, 1000 }, { big, BIG },
		STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), STR_NULL };

	(void)state;
	for (size_t u = 0; u < ARRAY_LEN(uses); u++) {
		struct gzip *g = gzip_new(uses[u]);
		struct buf out = { 0 };

		for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
			buf_clear(&out);
			gzip_add(g, bodies[i], GZIP_END, &out);
			assert_whole(buf_str(&out), bodies[i]);
		}
		buf_fini(&out);
		gzip_free(g);
	}
	gzip_free(NULL);
}

/* What was flushed can be read at once. */
static void
test_pieces(void **state)
{
	struct gzip *g = gzip_new(GZIP_STREAM);
	size_t sizes[] = { 1, 100, 70000, 3, 65536, 0, 9 }, at = 0;
	struct buf out = { 0 };
	struct reader r;

	(void)state;
	reader_init(&r);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		buf_clear(&out);
		gzip_add(g, (str){ big + at, sizes[i] }, GZIP_FLUSH, &out);
		at += sizes[i];
		reader_add(&r, buf_str(&out));
		assert_int_equal(r.n, at);
		assert_false(r.whole);
	}
	buf_clear(&out);
	gzip_add(g, STR_NULL, GZIP_END, &out);
	reader_add(&r, buf_str(&out));
	assert_true(r.whole);
	assert_memory_equal(r.out, big, at);
	reader_fini(&r);
	buf_fini(&out);
	gzip_free(g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_body_after_the_other),
		cmocka_unit_test(test_pieces),
	};

	fill();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
