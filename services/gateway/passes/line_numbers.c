#include "gateway/passes/line_numbers.h"

#include "base/base64.h"
#include "base/clock.h"
#include "http/json_values.h"

enum {
	GONE_TEXT_MAX = 1 << 20,
	MODE_MAX = 16,
};

static void
fail(struct json_reader *r)
{
	if (r->err == ERR_OK)
		r->err = ERR_BAD_JSON;
}

static void
read_mode(struct json_reader *r, const struct json *data, struct line_view *v)
{
	str mode = json_str(r, data, "mode", MODE_MAX);

	if (!line_mode_parse(mode, &v->mode))
		fail(r);
}

/* The shuffle is only known once the line is open; before, nobody has a place. */
static void
read_opening(
    struct json_reader *r, const struct json *data, struct line_view *v, int64_t wall_us)
{
	int64_t opens_us = json_get_time_or(r, data, "opensAt", 0);

	v->open = json_bool_or(r, data, "open", false);
	if (!v->open) {
		if (opens_us > wall_us)
			v->opens_s = (opens_us - wall_us) / CLOCK_US_PER_SEC + 1;
		return;
	}
	json_get_hex(r, data, "seed", v->seed, LINE_SEED_SIZE);
	v->shuffled = json_i64_or(r, data, "shuffled", 0, INT64_MAX, 0);
}

static void
read_promises(struct json_reader *r, const struct json *data, struct line_view *v)
{
	v->paces.count = 1;
	v->paces.at[0].value = json_i64(r, data, "pace", 1, INT64_MAX);
	if (!line_pairs_parse(json_str(r, data, "holes", LINE_PAIRS_TEXT_MAX), &v->holes))
		fail(r);
}

/* As bytes in the reader's arena. */
static void
read_gone(struct json_reader *r, const struct json *data, struct line_view *v)
{
	str text = json_str(r, data, "gone", GONE_TEXT_MAX);
	uint8_t *bytes = arena_alloc(r->arena, text.n + 1);

	v->gone_from = json_i64(r, data, "goneFrom", 0, INT64_MAX / 8);
	if (!base64_decode(text, bytes, text.n, &v->gone_size))
		fail(r);
	v->gone = bytes;
}

static bool
read(struct json_reader *r, int64_t wall_us, struct line_view *v)
{
	const struct json *data = json_object(r, r->root, "data");

	v->next = json_i64(r, data, "given", 0, INT64_MAX);
	v->serving = json_i64(r, data, "serving", 0, INT64_MAX);
	v->floor = json_i64(r, data, "floor", 0, INT64_MAX);
	read_mode(r, data, v);
	read_opening(r, data, v, wall_us);
	read_promises(r, data, v);
	read_gone(r, data, v);
	return r->err == ERR_OK;
}

static void
raise_to(int64_t *value, int64_t at_least)
{
	if (*value < at_least)
		*value = at_least;
}

bool
line_numbers_take(struct line_numbers *n, str body, int64_t wall_us, bool merge)
{
	struct arena *arena = arena_new();
	struct line_view v = { 0 };
	struct json_reader r;
	bool ok;

	json_open(&r, arena, body);
	ok = read(&r, wall_us, &v);
	json_close(&r);
	if (ok) {
		buf_clear(&n->gone);
		buf_add(&n->gone, v.gone, v.gone_size);
		v.gone = (const uint8_t *)buf_str(&n->gone).p;
		if (merge) {
			raise_to(&v.serving, n->view.serving);
			raise_to(&v.floor, n->view.floor);
		}
		n->view = v;
	}
	arena_free(arena);
	return ok;
}

void
line_numbers_fini(struct line_numbers *n)
{
	buf_fini(&n->gone);
}
