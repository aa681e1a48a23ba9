#include "queue/line_rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/splitmix.h"

enum {
	ROUNDS = 8,
	SEED_WORDS = 4,
	NEAR_S = 10, /* who is so near asks every second */
	/* A look at the shop that takes no longer says that it is well; one that takes as
	 * long as SLOW_US, that a tenth is all it can take. */
	WELL_US = 250000,
	SLOW_US = 1000000,
	HEALTH_STEP = LINE_HEALTHY / 10,
};

static const char *const mode_names[] = {
	[LINE_FIFO] = "fifo",
	[LINE_RANDOM] = "random",
	[LINE_PASSTHROUGH] = "passthrough",
	[LINE_CLOSED] = "closed",
};

const char *
line_mode_name(enum line_mode mode)
{
	return mode_names[mode];
}

bool
line_mode_parse(str name, enum line_mode *mode)
{
	for (enum line_mode m = LINE_FIFO; m <= LINE_CLOSED; m++)
		if (str_eq(name, str_of(mode_names[m]))) {
			*mode = m;
			return true;
		}
	return false;
}

/* --- places ---------------------------------------------------------------------- */

static uint64_t
word_of(const uint8_t seed[LINE_SEED_SIZE], int i)
{
	uint64_t word = 0;

	for (int b = 0; b < 8; b++)
		word = word << 8 | seed[8 * i + b];
	return word;
}

/* One way through the rounds: a permutation of the numbers of 2 * half bits. */
static uint64_t
feistel(const uint64_t words[SEED_WORDS], unsigned half, uint64_t x)
{
	const uint64_t mask = (UINT64_C(1) << half) - 1;
	uint64_t left = x >> half, right = x & mask;

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t state = right + i + words[i % SEED_WORDS];
		uint64_t mixed = splitmix64_next(&state);
		uint64_t old = right;

		right = left ^ (mixed & mask);
		left = old;
	}
	return left << half | right;
}

int64_t
line_permute(const uint8_t seed[LINE_SEED_SIZE], int64_t count, int64_t ticket)
{
	uint64_t words[SEED_WORDS], x = (uint64_t)ticket - 1;
	unsigned half = 1;

	ASSERT(ticket >= 1 && ticket <= count && count < INT64_C(1) << 60);
	for (int i = 0; i < SEED_WORDS; i++)
		words[i] = word_of(seed, i);
	while (INT64_C(1) << (2 * half) < count)
		half++;
	do
		x = feistel(words, half, x);
	while (x >= (uint64_t)count);
	return (int64_t)x + 1;
}

int64_t
line_place(const struct line_view *v, int64_t ticket)
{
	if (!v->open && v->mode == LINE_RANDOM)
		return 0;
	if (ticket <= v->shuffled)
		return line_permute(v->seed, v->shuffled, ticket);
	return ticket;
}

static bool
is_gone(const struct line_view *v, int64_t place)
{
	int64_t byte = place / 8 - v->gone_from;

	if (byte < 0 || (uint64_t)byte >= v->gone_size)
		return false;
	return v->gone[byte] >> (7 - place % 8) & 1;
}

enum line_status
line_status_of(const struct line_view *v, int64_t place)
{
	if (v->mode == LINE_PASSTHROUGH)
		return LINE_ACTIVE;
	if (place == 0 || place > v->serving)
		return LINE_WAITING;
	return place <= v->floor || is_gone(v, place) ? LINE_EXPIRED : LINE_ACTIVE;
}

/* --- pairs ------------------------------------------------------------------------- */

static bool
parse_pair(str text, struct line_pairs *out)
{
	const char *colon = text.n == 0 ? NULL : memchr(text.p, ':', text.n);
	size_t first;

	if (colon == NULL || out->count == LINE_PAIRS_MAX)
		return false;
	first = (size_t)(colon - text.p);
	if (!str_to_i64(
		(str){ text.p, first }, 0, INT64_MAX, &out->at[out->count].after) ||
	    !str_to_i64((str){ colon + 1, text.n - first - 1 }, 0, INT64_MAX,
		&out->at[out->count].value))
		return false;
	out->count++;
	return true;
}

bool
line_pairs_parse(str text, struct line_pairs *out)
{
	out->count = 0;
	while (text.n > 0) {
		const char *comma = memchr(text.p, ',', text.n);
		size_t n = comma == NULL ? text.n : (size_t)(comma - text.p);

		if (!parse_pair((str){ text.p, n }, out))
			return false;
		if (comma == NULL)
			return true;
		text = (str){ text.p + n + 1, text.n - n - 1 };
		if (text.n == 0)
			return false;
	}
	return true;
}

void
line_pairs_print(const struct line_pairs *pairs, char out[LINE_PAIRS_TEXT_MAX])
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < pairs->count; i++)
		n += (size_t)snprintf(out + n, LINE_PAIRS_TEXT_MAX - n,
		    "%s%" PRId64 ":%" PRId64, i == 0 ? "" : ",", pairs->at[i].after,
		    pairs->at[i].value);
}

/* --- what is promised -------------------------------------------------------------- */

/* Who is behind a hole does not wait for it; who is in it, having shown a pass, keeps the
 * place that was told before. */
int64_t
line_position(const struct line_view *v, int64_t place)
{
	int64_t position = place - v->serving;

	if (position <= 0)
		return 0;
	for (size_t i = 0; i < v->holes.count; i++) {
		int64_t after = v->holes.at[i].after, last = v->holes.at[i].value;

		if (after < v->serving)
			after = v->serving;
		if (last < place && last > after)
			position -= last - after;
	}
	return position;
}

bool
line_in_hole(const struct line_view *v, int64_t place)
{
	for (size_t i = 0; i < v->holes.count; i++)
		if (place > v->holes.at[i].after && place <= v->holes.at[i].value)
			return true;
	return false;
}

int64_t
line_pace(const struct line_view *v, int64_t place)
{
	int64_t pace = 1;

	for (size_t i = 0; i < v->paces.count && v->paces.at[i].after < place; i++)
		pace = v->paces.at[i].value;
	return pace < 1 ? 1 : pace;
}

int64_t
line_remaining_s(const struct line_view *v, int64_t place)
{
	int64_t position = line_position(v, place), pace = line_pace(v, place);

	if (position == 0)
		return 0;
	/* 1000 seconds have `pace` places; both factors stay far below 2^63. */
	return v->opens_s + (position * 1000 + pace - 1) / pace;
}

int64_t
line_step(int64_t position)
{
	int64_t unit = 1;

	while (position / unit >= 100)
		unit *= 10;
	return position / unit * unit;
}

int64_t
line_ask_again_ms(int64_t remaining_s)
{
	if (remaining_s <= NEAR_S)
		return 1000;
	return remaining_s <= 10 * NEAR_S ? 2000 : 5000;
}

/* --- the shop ------------------------------------------------------------------------
 */

static int64_t
health_of(bool ready, int64_t took_us)
{
	if (!ready)
		return 0;
	if (took_us <= WELL_US)
		return LINE_HEALTHY;
	if (took_us >= SLOW_US)
		return HEALTH_STEP;
	return LINE_HEALTHY -
	       (LINE_HEALTHY - HEALTH_STEP) * (took_us - WELL_US) / (SLOW_US - WELL_US);
}

int64_t
line_health(int64_t before, bool ready, int64_t took_us)
{
	int64_t now = health_of(ready, took_us), half = before / 2;

	if (now > before)
		return now < before + HEALTH_STEP ? now : before + HEALTH_STEP;
	if (now >= half)
		return now;
	return half < HEALTH_STEP ? now : half;
}
