/*
 * onrush verify: is a campaign what was promised? From PostgreSQL, or from an export and
 * the public key alone; or one person's receipt.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "coupon/coupon_json.h"
#include "onrush/campaign_sink.h"
#include "onrush/commands.h"
#include "onrush/keys.h"
#include "onrush/receipt_json.h"
#include "onrush/verify_report.h"
#include "store/pgsync.h"

#define TIMEOUT_US (60 * CLOCK_US_PER_SEC)
#define CONNECT_US (5 * CLOCK_US_PER_SEC)

enum {
	RECEIPT_MAX = 1 << 20, /* bytes */
	MAX_CAMPAIGNS = 256,
};

/* "-" is the standard input. */
static FILE *
open_input(const char *path)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");

	if (f == NULL)
		ctl_complain("%s: %s", path, strerror(errno));
	return f;
}

static void
close_input(FILE *f)
{
	if (f != NULL && f != stdin)
		fclose(f);
}

/* --- what clients saw ------------------------------------------------------- */

/* Takes one line; false with *why when it is not a sighting. */
static bool
take_sighting(struct verify *v, struct arena *arena, str line, const char **why)
{
	struct verify_sighting seen = { 0 };
	struct json_reader r;
	int64_t coupon_id;

	json_open(&r, arena, line);
	coupon_id = json_i64(&r, r.root, "couponId", 1, INT64_MAX);
	seen.user_id = json_i64(&r, r.root, "userId", 1, INT64_MAX);
	seen.rank = json_i64(&r, r.root, "rank", 1, INT64_MAX);
	seen.has_request = r.err == ERR_OK && json_has(r.root, "requestId");
	if (seen.has_request)
		seen.request_id = json_get_uuid(&r, r.root, "requestId");
	*why = r.why;
	json_close(&r);
	if (r.err == ERR_OK && coupon_id == verify_campaign(v)->coupon_id)
		verify_seen(v, &seen);
	return r.err == ERR_OK;
}

static bool
take_sightings(struct verify *v, const char *path)
{
	struct arena *arena = arena_new();
	FILE *f = open_input(path);
	char *line = NULL;
	const char *why = NULL;
	size_t size = 0;
	ssize_t n;
	bool ok = f != NULL;

	for (int64_t number = 1; ok && (n = getline(&line, &size, f)) > 0; number++) {
		str text = { line, (size_t)n - (line[n - 1] == '\n') };

		arena_reset(arena);
		if (text.n == 0)
			continue;
		ok = take_sighting(v, arena, text, &why);
		if (!ok)
			ctl_complain("%s: line %" PRId64 ": %s", path, number, why);
	}
	if (f != NULL && ferror(f)) {
		ctl_complain("%s: %s", path, strerror(errno));
		ok = false;
	}
	free(line);
	close_input(f);
	arena_free(arena);
	return ok;
}

/* --- a campaign ------------------------------------------------------------- */

static bool
on_begin(void *arg, const struct campaign *c)
{
	verify_begin(arg, c);
	return true;
}

static bool
on_issued(void *arg, const struct receipt *r, int64_t nth)
{
	verify_issued(arg, r, nth);
	return true;
}

static bool
on_head(void *arg, const struct chain_head *h)
{
	verify_head(arg, h);
	return true;
}

/* Where a campaign comes from: a database (then id counts) or a file. */
struct source {
	struct pgsync *pg; /* borrowed; NULL: from the file */
	FILE *file;        /* borrowed */
	const char *name;  /* of the file */
	int64_t id;
};

static int
complain_of_end(const struct source *from, enum campaign_end end, const char *why)
{
	if (end == CAMPAIGN_UNKNOWN)
		return ctl_fail(CTL_FAILED, "there is no campaign %" PRId64, from->id);
	return ctl_fail(from->pg != NULL ? CTL_UNREACHABLE : CTL_FAILED, "%s: %s",
	    from->pg != NULL ? "PostgreSQL" : from->name, why);
}

static int
verify_one(struct ctl *ctl, const struct source *from, const struct keys *keys)
{
	struct verify *v = verify_new(keys->list, keys->count);
	struct campaign_sink sink = { on_begin, on_issued, on_head, v };
	const char *seen = ctl_text(ctl, "--seen"), *why;
	enum campaign_end end =
	    from->pg != NULL
		? campaign_read_pg(from->pg, ctl->arena, from->id, &sink, &why)
		: campaign_read_file(from->file, ctl->arena, &sink, &why);
	bool damaged = end == CAMPAIGN_DAMAGED;
	int status;

	if (end != CAMPAIGN_COMPLETE && !damaged)
		status = complain_of_end(from, end, why);
	else if (seen != NULL && !take_sightings(v, seen))
		status = CTL_FAILED;
	else if (!verify_end(v))
		status = ctl_fail(CTL_FAILED, "a temporary file: %s", strerror(errno));
	else {
		if (ctl_json(ctl))
			verify_report_json(v, damaged);
		else
			verify_report_text(v, damaged);
		status = verify_is_clean(v) && !damaged ? CTL_OK : CTL_FAILED;
	}
	verify_free(v);
	return status;
}

static int
verify_file(struct ctl *ctl, const struct keys *keys)
{
	struct source from = { .name = ctl_text(ctl, "--from") };
	int status;

	from.file = open_input(from.name);
	if (from.file == NULL)
		return CTL_FAILED;
	status = verify_one(ctl, &from, keys);
	close_input(from.file);
	return status;
}

static int
verify_campaigns(struct ctl *ctl, const struct keys *keys)
{
	struct source from = { .pg = NULL };
	int status = CTL_OK;

	from.pg = ctl_connect(ctl, CONNECT_US);
	if (from.pg == NULL)
		return CTL_UNREACHABLE;
	pgsync_free(from.pg);
	from.pg = pgsync_new(ctl->settings.pg_dsn, "verify", TIMEOUT_US);
	for (int i = 0; i < ctl->operand_count && status != CTL_UNREACHABLE; i++) {
		int one = ctl_operand_id(ctl, i, &from.id) ? verify_one(ctl, &from, keys)
							   : CTL_USAGE;

		if (one != CTL_OK)
			status = one;
	}
	pgsync_free(from.pg);
	return status;
}

/* --- a receipt -------------------------------------------------------------- */

static bool
read_whole(const char *path, struct buf *text)
{
	FILE *f = open_input(path);
	size_t n = 0;
	bool ok;

	if (f == NULL)
		return false;
	do {
		n = fread(buf_reserve(text, BUFSIZ), 1, BUFSIZ, f);
		buf_grew(text, n);
	} while (n > 0 && buf_size(text) <= RECEIPT_MAX);
	ok = n == 0 && !ferror(f);
	if (!ok)
		ctl_complain("%s: cannot be read or is too large", path);
	close_input(f);
	return ok;
}

static void
print_receipt(struct ctl *ctl, const struct receipt_proof *proof, const char *why)
{
	const struct receipt *r = &proof->receipt;
	struct buf text = { 0 };
	struct json_writer w = { .out = &text };

	if (!ctl_json(ctl)) {
		if (why[0] == '\0')
			printf("Valid: user %" PRId64 " has rank %" PRId64
			       " of coupon %" PRId64 ".\n",
			    r->user_id, r->rank, r->coupon_id);
		else
			printf("NOT VALID: %s.\n", why);
		return;
	}
	json_begin_object(&w, NULL);
	json_put_i64(&w, "couponId", r->coupon_id);
	json_put_i64(&w, "userId", r->user_id);
	json_put_i64(&w, "rank", r->rank);
	json_put_bool(&w, "valid", why[0] == '\0');
	if (why[0] != '\0')
		json_put_str(&w, "why", str_of(why));
	json_end_object(&w);
	printf("%.*s\n", STR_ARG(buf_str(&text)));
	buf_fini(&text);
}

static int
verify_one_receipt(struct ctl *ctl, const struct keys *keys)
{
	const char *path = ctl_text(ctl, "--receipt"), *wrong;
	struct buf text = { 0 };
	struct receipt_proof proof;
	char why[128] = "";
	int status = CTL_FAILED;

	if (!read_whole(path, &text))
		goto out;
	if (!receipt_proof_read(&proof, ctl->arena, buf_str(&text), &wrong)) {
		ctl_complain("%s: %s", path, wrong);
		goto out;
	}
	if (verify_receipt(&proof.receipt, proof.path, proof.path_count, &proof.head,
		keys->list, keys->count, why, sizeof(why)))
		status = CTL_OK;
	print_receipt(ctl, &proof, why);
out:
	buf_fini(&text);
	return status;
}

static int
run(struct ctl *ctl)
{
	bool file = ctl_text(ctl, "--from") != NULL;
	bool receipt = ctl_text(ctl, "--receipt") != NULL;
	struct keys keys;
	int status = CTL_USAGE;

	if (file + receipt + (ctl->operand_count > 0) != 1)
		return ctl_fail(
		    CTL_USAGE, "verify needs one of: ID…, --from FILE, --receipt FILE");
	if (receipt && ctl_text(ctl, "--seen") != NULL)
		return ctl_fail(CTL_USAGE, "--seen goes with a campaign");
	if (!keys_load(ctl, &keys))
		status = CTL_USAGE;
	else if (receipt)
		status = verify_one_receipt(ctl, &keys);
	else if (file)
		status = verify_file(ctl, &keys);
	else
		status = verify_campaigns(ctl, &keys);
	keys_free(&keys);
	return status;
}

static const struct ctl_option options[] = {
	{ "--from", "FILE", NULL, 0, 0, NULL,
	    "Check an export (onrush coupon export) instead of the database; - is the "
	    "standard input." },
	{ "--receipt", "FILE", NULL, 0, 0, NULL,
	    "Check one receipt: the answer of GET …/coupons/{couponId}/requests/"
	    "{requestId}." },
	{ "--key", "FILE", NULL, 0, 0, NULL,
	    "The public key, several separated by commas. Without it: "
	    "ONRUSH_RECEIPT_PUBLIC_KEY." },
	{ "--seen", "FILE", NULL, 0, 0, NULL,
	    "What clients were told, as lines {\"couponId\", \"userId\", \"rank\", "
	    "\"requestId\"?}: each must be there. Other campaigns' lines are passed "
	    "over." },
	CTL_OUTPUT_OPTION,
};

const struct ctl_command CMD_VERIFY = {
	.name = "verify",
	.operands = "ID…",
	.max_operands = MAX_CAMPAIGNS,
	.summary = "Check whole campaigns, or one receipt",
	.text = "Of a campaign it checks that ranks are 1 to N without gap or repeat;\n"
		"that N is the campaign's count and not above its quantity; that nobody\n"
		"has more than one may have; that no request was granted twice; that\n"
		"the hash chain over all receipts is unbroken; and that the signed\n"
		"heads are on it, cover all of it, and are signed by the given key.\n"
		"Status 0: clean; 1: not clean.\n"
		"\n"
		"The chain fixes who has which rank, when, and for which request; it\n"
		"cannot be changed afterwards without the private key. The campaign's\n"
		"terms (name, quantity, times) are not in it, and neither is what\n"
		"somebody cut off at its end together with its heads: against that, the\n"
		"receipts that people hold count (--seen).\n"
		"\n"
		"  onrush verify 1\n"
		"  onrush coupon export 1 > 1.jsonl\n"
		"  onrush verify --from 1.jsonl --key receipt.pub\n"
		"  curl -s …/api/v1/coupons/1/requests/… | onrush verify --receipt - "
		"--key receipt.pub\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.run = run,
};
