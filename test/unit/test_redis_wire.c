/* The bytes of Redis commands, the hash of scripts, and the reading of replies. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/redis_impl.h"

static void
expect_bytes(struct buf *b, str want)
{
	assert_int_equal(buf_size(b), want.n);
	assert_memory_equal(buf_str(b).p, want.p, want.n);
	buf_fini(b);
}

static void
commands_are_arrays_of_strings(void **state)
{
	const str argv[] = { STR("SET"), STR("k\0\r\n"), STR("") };
	struct buf b = { 0 };

	(void)state;
	redis_put_command(&b, 3, argv);
	expect_bytes(&b, STR("*3\r\n$3\r\nSET\r\n$4\r\nk\0\r\n\r\n$0\r\n\r\n"));
}

static void
hello_says_what_the_url_has(void **state)
{
	struct redis_url url;
	struct buf b = { 0 };

	(void)state;
	assert_true(redis_url_parse("redis://h", &url));
	assert_int_equal(redis_put_hello(&b, &url), 1);
	expect_bytes(&b, STR("*1\r\n$4\r\nPING\r\n"));
	assert_true(redis_url_parse("redis://:p@h/12", &url));
	assert_int_equal(redis_put_hello(&b, &url), 3);
	expect_bytes(&b, STR("*2\r\n$4\r\nAUTH\r\n$1\r\np\r\n"
			     "*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\n*1\r\n$4\r\nPING\r\n"));
	assert_true(redis_url_parse("redis://u:p@h", &url));
	assert_int_equal(redis_put_hello(&b, &url), 2);
	expect_bytes(&b, STR("*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$1\r\np\r\n"
			     "*1\r\n$4\r\nPING\r\n"));
}

/* Vectors of FIPS 180 and the lengths around a block's end, by sha1sum(1). */
static void
scripts_are_hashed_with_sha1(void **state)
{
	static const struct {
		const char *text, *sha;
	} cases[] = {
		{ "", "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
		{ "abc", "a9993e364706816aba3e25717850c26c9cd0d89d" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		    "84983e441c3bd26ebaae4aa1f95129e5e54670f1" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		    "c1c8bbdc22796e28c0e15163d20899b65621d65a" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		    "0098ba824b5c16427bd7a1122a5a442a25ec644d" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		    "11655326c708d70319be2610e8a57d9a5b959d3b" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct redis_script script = { .lua = cases[i].text };

		redis_hash_script(&script);
		assert_string_equal(script.sha, cases[i].sha);
	}
}

/* --- replies -------------------------------------------------------------------------
 */

struct fixture {
	struct arena *arena;
	redisReader *reader;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->arena = arena_new();
	f->reader = redis_reader_new(f->arena);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	redisReaderFree(f->reader);
	arena_free(f->arena);
	free(f);
	return 0;
}

static const struct redis_reply *
read_whole(struct fixture *f, str bytes)
{
	const struct redis_reply *reply;

	assert_true(redis_reader_feed(f->reader, bytes.p, bytes.n));
	assert_true(redis_reader_next(f->reader, &reply));
	return reply;
}

static void
every_type_is_read(void **state)
{
	struct fixture *f = *state;
	const struct redis_reply *r;

	r = read_whole(f, STR("+OK\r\n"));
	assert_true(str_eq(redis_str(r), STR("OK")));
	assert_int_equal(redis_count(r), 0);
	r = read_whole(f, STR(":-42\r\n"));
	assert_int_equal(redis_i64(r), -42);
	assert_null(redis_str(r).p);
	r = read_whole(f, STR("$3\r\na\0b\r\n"));
	assert_true(str_eq(redis_str(r), STR("a\0b")));
	assert_int_equal(redis_i64(r), 0);
	r = read_whole(f, STR("$2\r\n17\r\n"));
	assert_int_equal(redis_i64(r), 17);
	r = read_whole(f, STR("$-1\r\n"));
	assert_null(redis_str(r).p);
	assert_int_equal(redis_i64(r), 0);
	r = read_whole(f, STR("*-1\r\n"));
	assert_int_equal(redis_count(r), 0);
	r = read_whole(f, STR("*0\r\n"));
	assert_int_equal(redis_count(r), 0);
	assert_null(redis_at(r, 0));
	assert_null(redis_str(NULL).p);
	assert_int_equal(redis_i64(NULL), 0);
	assert_int_equal(redis_count(NULL), 0);
}

static void
arrays_nest(void **state)
{
	struct fixture *f = *state;
	const struct redis_reply *r =
	    read_whole(f, STR("*3\r\n:1\r\n*2\r\n$1\r\na\r\n$-1\r\n-ERR x\r\n"));

	assert_int_equal(redis_count(r), 3);
	assert_int_equal(redis_i64(redis_at(r, 0)), 1);
	assert_true(str_eq(redis_str(redis_at(redis_at(r, 1), 0)), STR("a")));
	assert_null(redis_str(redis_at(redis_at(r, 1), 1)).p);
	assert_int_equal(redis_reply_err(redis_at(r, 2)), ERR_INTERNAL);
	assert_null(redis_str(redis_at(r, 2)).p);
	assert_null(redis_at(r, 3));
}

static void
errors_say_whether_they_pass(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(redis_reply_err(read_whole(f, STR("+OK\r\n"))), ERR_OK);
	assert_int_equal(
	    redis_reply_err(read_whole(f, STR("-ERR unknown\r\n"))), ERR_INTERNAL);
	assert_int_equal(redis_reply_err(read_whole(f, STR("-LOADING Redis is\r\n"))),
	    ERR_UNAVAILABLE);
	assert_int_equal(redis_reply_err(read_whole(f, STR("-READONLY You can't\r\n"))),
	    ERR_UNAVAILABLE);
}

static void
replies_come_in_any_pieces(void **state)
{
	static const char bytes[] = "*2\r\n$5\r\nhello\r\n*1\r\n:7\r\n+next\r\n";
	const struct redis_reply *reply;

	(void)state;
	for (size_t cut = 0; cut < sizeof(bytes); cut++) {
		struct arena *arena = arena_new();
		redisReader *reader = redis_reader_new(arena);
		int seen = 0;

		for (int half = 0; half < 2; half++) {
			const char *from = half == 0 ? bytes : bytes + cut;
			size_t n = half == 0 ? cut : sizeof(bytes) - 1 - cut;

			if (cut == sizeof(bytes) - 1 && half == 1)
				break;
			if (n == sizeof(bytes))
				n--;
			assert_true(redis_reader_feed(reader, from, n));
			while (redis_reader_next(reader, &reply) && reply != NULL) {
				if (++seen == 1)
					assert_int_equal(
					    redis_i64(redis_at(redis_at(reply, 1), 0)),
					    7);
				else
					assert_true(
					    str_eq(redis_str(reply), STR("next")));
				arena_reset(arena);
			}
		}
		assert_int_equal(seen, 2);
		redisReaderFree(reader);
		arena_free(arena);
	}
}

static void
nonsense_is_refused(void **state)
{
	static const char *const cases[] = { "x\r\n", "HTTP/1.1 200 OK\r\n",
		"*1048577\r\n", "*2147483647\r\n", "*99999999999\r\n", "$-2\r\n",
		":1x\r\n",
		"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n" };
	const struct redis_reply *reply;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena *arena = arena_new();
		redisReader *reader = redis_reader_new(arena);

		assert_true(redis_reader_feed(reader, cases[i], strlen(cases[i])));
		if (redis_reader_next(reader, &reply))
			fail_msg("taken: %s", cases[i]);
		redisReaderFree(reader);
		arena_free(arena);
	}
}

static void
a_reply_without_end_is_refused(void **state)
{
	struct fixture *f = *state;
	const size_t piece = 1 << 20;
	char *bytes = xcalloc(1, piece);
	const struct redis_reply *reply;
	int fed = 0;

	assert_true(redis_reader_feed(f->reader, "$500000000\r\n", 12));
	while (redis_reader_feed(f->reader, bytes, piece)) {
		assert_true(redis_reader_next(f->reader, &reply));
		assert_null(reply);
		assert_true(++fed <= 64);
	}
	assert_true(fed > 60);
	free(bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_arrays_of_strings),
		cmocka_unit_test(hello_says_what_the_url_has),
		cmocka_unit_test(scripts_are_hashed_with_sha1),
		TEST(every_type_is_read),
		TEST(arrays_nest),
		TEST(errors_say_whether_they_pass),
		cmocka_unit_test(replies_come_in_any_pieces),
		cmocka_unit_test(nonsense_is_refused),
		TEST(a_reply_without_end_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
