/*
 * A whole campaign, passed on piece by piece so that its size does not matter: itself,
 * then its receipts as they come (in the order of their ranks), each signed head right
 * after the receipt whose hash it signs.
 *
 *   campaign_pg.c   (PostgreSQL) ──┐              ┌──> campaign_file.c (export)
 *   campaign_file.c (a file)     ──┴─> the sink ──┴──> verify.c
 */
#ifndef ONRUSH_ONRUSH_CAMPAIGN_SINK_H
#define ONRUSH_ONRUSH_CAMPAIGN_SINK_H

#include <stdio.h>

#include "base/arena.h"
#include "coupon/coupon.h"

struct pgsync;

/* False from one of them stops; whoever returned it says why. */
struct campaign_sink {
	bool (*begin)(void *arg, const struct campaign *c);
	/* r->previous is not set: it is not stored. */
	bool (*issued)(void *arg, const struct receipt *r, int64_t nth);
	bool (*head)(void *arg, const struct chain_head *h);
	void *arg; /* borrowed */
};

/* How a source ended. */
enum campaign_end {
	CAMPAIGN_COMPLETE,
	CAMPAIGN_STOPPED, /* by the sink */
	CAMPAIGN_UNKNOWN, /* there is no such campaign */
	CAMPAIGN_DAMAGED, /* complete, but its sum does not fit */
	CAMPAIGN_BROKEN,  /* the source failed; *why says how */
};

/* Reads it from one snapshot of the database. *why is in the arena. */
enum campaign_end campaign_read_pg(struct pgsync *pg, struct arena *arena,
    int64_t coupon_id, const struct campaign_sink *sink, const char **why);

/*
 * The export: JSON lines.
 *
 *   {"type":"campaign","format":1,"couponId":…,…,"generation":…,"headHash":…}
 *   {"type":"issued","rank":1,"userId":…,"nth":1,"requestId":…,"issuedAt":…,"hash":…}
 *   {"type":"head","rank":1,"hash":…,"keyId":…,"signature":…}
 *   {"type":"end","lines":…,"sum":…}
 *
 * sum(0) is 32 zero bytes, sum(i) = SHA-256(sum(i-1) | line i without its newline); the
 * last line has the sum over all before it, so that a damaged or cut file is known as
 * such. What proves the receipts is the chain and the heads' signatures.
 */
struct campaign_writer;
struct campaign_writer *campaign_writer_new(FILE *out); /* out is borrowed */
void campaign_writer_sink(struct campaign_writer *w, struct campaign_sink *sink);
/* Writes the last line; false when anything could not be written. */
bool campaign_writer_end(struct campaign_writer *w) MUST_USE;
void campaign_writer_free(struct campaign_writer *w); /* NULL is fine */

enum campaign_end campaign_read_file(
    FILE *in, struct arena *arena, const struct campaign_sink *sink, const char **why);

#endif
