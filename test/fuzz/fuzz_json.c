/*
 * Any bytes as JSON. What is accepted must be UTF-8 without NUL, everything in it must be
 * readable in at least one way or be null, and strings must survive being written and
 * read again. (json_open itself asserts that cJSON takes what json_check accepts.)
 */
#include <math.h>
#include <string.h>

#include "http/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void
check_string(struct arena *arena, str s)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	struct json_reader r;

	ASSERT(str_is_utf8(s) && (s.n == 0 || memchr(s.p, 0, s.n) == NULL));
	json_begin_array(&w, NULL);
	json_put_str(&w, NULL, s);
	json_end_array(&w);
	json_open(&r, arena, buf_str(&text));
	ASSERT(r.err == ERR_OK);
	ASSERT(str_eq(json_element_str(&r, json_first(r.root), s.n), s));
	json_close(&r);
	buf_fini(&text);
}

static void
check_integer(struct arena *arena, int64_t value)
{
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };
	struct json_reader r;

	json_begin_object(&w, NULL);
	json_put_i64(&w, "v", value);
	json_end_object(&w);
	json_open(&r, arena, buf_str(&text));
	ASSERT(json_i64(&r, r.root, "v", value, value) == value && r.err == ERR_OK);
	json_close(&r);
	buf_fini(&text);
}

/* Elements of an array or, by the same functions, members of an object. */
static void
visit(struct arena *arena, const struct json *first, int depth)
{
	ASSERT(depth <= 16 || first == NULL);
	for (const struct json *e = first; e != NULL; e = json_next(e)) {
		struct json_reader r = { .arena = arena };
		int64_t i = json_element_i64(&r, e, INT64_MIN, INT64_MAX);
		str s;

		if (r.err == ERR_OK)
			check_integer(arena, i);
		r.err = ERR_OK;
		s = json_element_str(&r, e, SIZE_MAX);
		if (r.err == ERR_OK)
			check_string(arena, s);
		json_object(&r, e, "a");
		visit(arena, json_first(e), depth + 1);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	str text = { (const char *)bytes, size };
	struct arena *arena = arena_new();
	struct json_reader r;

	json_open(&r, arena, text);
	ASSERT((r.root == NULL) == (r.err != ERR_OK));
	ASSERT((r.why == NULL) == (r.err == ERR_OK));
	if (r.root != NULL) {
		ASSERT(str_is_utf8(text) && memchr(text.p, 0, text.n) == NULL);
		visit(arena, json_first(r.root), 1);
		json_i64(&r, r.root, "a", INT64_MIN, INT64_MAX);
		json_double_or(&r, r.root, "b", -HUGE_VAL, HUGE_VAL, 0);
		json_str_or(&r, r.root, "c", 10, STR_NULL);
		json_bool_or(&r, r.root, "d", false);
	}
	json_close(&r);
	arena_free(arena);
	return 0;
}
