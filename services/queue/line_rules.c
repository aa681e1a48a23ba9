#include "queue/line_rules.h"

enum {
	ROUNDS = 8,
	SEED_WORDS = 4,
	NEAR_S = 10, /* who is so near asks every second */
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
splitmix64(uint64_t x)
{
	x += UINT64_C(0x9E3779B97F4A7C15);
	x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
	return x ^ x >> 31;
}

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
		uint64_t mixed = splitmix64(right + i + words[i % SEED_WORDS]);
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

/* --- what is promised -------------------------------------------------------------- */

int64_t
line_position(const struct line_view *v, int64_t place)
{
	return place > v->serving ? place - v->serving : 0;
}

int64_t
line_remaining_s(const struct line_view *v, int64_t position)
{
	if (position <= 0)
		return 0;
	/* 1000 seconds have `pace` places; both factors stay far below 2^63. */
	return v->opens_s + (position * 1000 + v->pace - 1) / v->pace;
}

int64_t
line_ask_again_ms(int64_t remaining_s)
{
	if (remaining_s <= NEAR_S)
		return 1000;
	return remaining_s <= 10 * NEAR_S ? 2000 : 5000;
}
