/*
 * Any bytes as what Redis sends: the replies do not depend on the pieces in which they
 * arrive, and nothing announced is believed before it is there.
 */
#include <stdint.h>

#include "store/redis_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The reply as text, so that two can be compared. */
static void
render(struct buf *out, const struct redis_reply *reply)
{
	str text = redis_str(reply);

	ASSERT(reply != NULL);
	buf_printf(out, "(%d %lld %zu %d ", (int)reply->type, (long long)redis_i64(reply),
	    text.n, (int)redis_reply_err(reply));
	buf_add_str(out, text);
	for (size_t i = 0; i < redis_count(reply); i++)
		render(out, redis_at(reply, i));
	buf_add(out, ")", 1);
}

/* Reads in pieces of that size; what was understood, and "!" where it stopped. */
static void
read_pieces(struct buf *out, str bytes, size_t piece)
{
	struct arena *arena = arena_new();
	redisReader *reader = redis_reader_new(arena);
	const struct redis_reply *reply;
	bool valid = true;

	while (valid && bytes.n > 0) {
		size_t n = bytes.n < piece ? bytes.n : piece;

		valid = redis_reader_feed(reader, bytes.p, n);
		bytes = (str){ bytes.p + n, bytes.n - n };
		while (valid && (valid = redis_reader_next(reader, &reply)) &&
		       reply != NULL) {
			render(out, reply);
			arena_reset(arena);
		}
	}
	if (!valid)
		buf_add(out, "!", 1);
	redisReaderFree(reader);
	arena_free(arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str bytes = { (const char *)data, size };
	struct buf whole = { 0 }, pieces = { 0 };
	const size_t sizes[] = { 1, 7 };

	read_pieces(&whole, bytes, size == 0 ? 1 : size);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		buf_clear(&pieces);
		read_pieces(&pieces, bytes, sizes[i]);
		ASSERT(str_eq(buf_str(&whole), buf_str(&pieces)));
	}
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
