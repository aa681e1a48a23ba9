/*
 * The rules of a waiting line, without I/O and without a clock. A line is a few numbers
 * that only grow, and a map of what is gone:
 *
 *        over        │        served         │       waiting        │ not given
 *   1 … … … … … floor│ … … … … … … … serving│ … … … … … … … … … next│ … …
 *
 * A place is active if floor < place <= serving and it is not gone (left, or never showed
 * up). A ticket's place is its number, or, for the tickets that were given before the
 * opening of a random line (1 … shuffled), a permutation of them that the seed decides.
 *
 * After a loss of Redis new tickets begin behind all that may have been given; what is
 * between is a hole: places that nobody has, but for those who show their pass.
 */
#ifndef ONRUSH_QUEUE_LINE_RULES_H
#define ONRUSH_QUEUE_LINE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/*
 * How old a copy of a line's numbers may be that is acted on, here and again at a gateway
 * that has them from here. A slot that becomes free is given again only after a second of
 * the line's clock (line_script.c), which is longer than both.
 */
#define LINE_COPY_US INT64_C(400000)

enum {
	LINE_SEED_SIZE = 32,
	LINE_PAIRS_MAX = 16,
	LINE_HEALTHY = 1000,
};

enum line_mode {
	LINE_FIFO,
	LINE_RANDOM,      /* as FIFO, but who came before the opening is shuffled */
	LINE_PASSTHROUGH, /* nobody waits and nobody needs a pass */
	LINE_CLOSED,      /* no new tickets, nobody else is served */
};

const char *line_mode_name(enum line_mode mode);
bool line_mode_parse(str name, enum line_mode *mode) MUST_USE;

/* A few facts about places beyond `after`, ascending. */
struct line_pairs {
	size_t count;
	struct {
		int64_t after, value;
	} at[LINE_PAIRS_MAX];
};

/* Reads "after:value,after:value"; false when it is not that. */
bool line_pairs_parse(str text, struct line_pairs *out) MUST_USE;
/* Writes it, with a NUL. */
#define LINE_PAIRS_TEXT_MAX 640
void line_pairs_print(const struct line_pairs *pairs, char out[LINE_PAIRS_TEXT_MAX]);

/* What is known of a line at some moment. */
struct line_view {
	int64_t next, serving, floor;
	int64_t shuffled; /* tickets 1 … shuffled are shuffled; 0: none */
	int64_t opens_s;  /* until the opening, seconds; 0 once open */
	/* Places in 1000 seconds that are promised to who came behind `after`. A promise
	 * is made when the ticket is given, and from then on it only gets better. */
	struct line_pairs paces;
	struct line_pairs holes; /* value: the last place of the hole */
	bool open;               /* places are known: the opening has been */
	enum line_mode mode;
	uint8_t seed[LINE_SEED_SIZE];
	const uint8_t *gone; /* borrowed; the bits of places gone_from*8 …, MSB first */
	size_t gone_size;    /* bytes; what is behind them is not gone */
	int64_t gone_from;   /* the first byte's number */
};

enum line_status {
	LINE_WAITING,
	LINE_ACTIVE,
	LINE_EXPIRED,
};

/* Where the ticket stands; 0 while nobody knows: a shuffled one before the opening. */
int64_t line_place(const struct line_view *v, int64_t ticket);

/* What the holder of this place may do now; place 0 waits. */
enum line_status line_status_of(const struct line_view *v, int64_t place);

/* Places that are still to be served up to this one, its own included; 0 for one that is
 * served. Never grows while v gets newer. */
int64_t line_position(const struct line_view *v, int64_t place);

/* What is promised to the holder of a place: places in 1000 seconds, at least 1. */
int64_t line_pace(const struct line_view *v, int64_t place);

/* Seconds until a place is served, rounded up: what is promised, so it never grows. */
int64_t line_remaining_s(const struct line_view *v, int64_t place);

/* Whether a place is in a hole: only who shows the pass has it. */
bool line_in_hole(const struct line_view *v, int64_t place);

/* A position to two digits, 100 and more: who is far back need not be told each step. */
int64_t line_step(int64_t position);

/* When a client should ask again: soon near the front, seldom at the end. */
int64_t line_ask_again_ms(int64_t remaining_s);

/*
 * The shop's health after one more look at it, in thousandths: so much of its rate and of
 * its room a line uses. ready: it said in time that it is; took_us: how long it took.
 * Health falls by half or to what the time allows, whichever is more, and comes back by a
 * tenth a look, so that a shop that has just come up is not run over.
 */
int64_t line_health(int64_t before, bool ready, int64_t took_us) MUST_USE;

/*
 * The permutation of 1 … count that the seed decides, so that anyone can check it: eight
 * Feistel rounds over the smallest even number of bits that holds count values; a result
 * beyond count goes through again. The round function is splitmix64 of the half, plus the
 * round's number, plus the big-endian quarter (round mod 4) of the seed.
 */
int64_t line_permute(const uint8_t seed[LINE_SEED_SIZE], int64_t count, int64_t ticket);

#endif
