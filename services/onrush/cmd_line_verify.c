/*
 * onrush line verify: was the line shuffled with the seed that was committed before the
 * opening, and which place has my ticket? Offline, from three public values.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "crypto/digest.h"
#include "http/json.h"
#include "onrush/commands.h"
#include "queue/line_rules.h"

enum {
	CLAIMS_MAX = 512,
};

/* The ticket of a token; its signature is for the gateway to check. */
static bool
ticket_of_token(struct ctl *ctl, const char *token, int64_t *ticket)
{
	const char *from = strchr(token, '.');
	const char *to = from == NULL ? NULL : strchr(from + 1, '.');
	char claims[CLAIMS_MAX];
	struct json_reader r;
	size_t size;

	if (to == NULL || !base64_decode((str){ from + 1, (size_t)(to - from - 1) },
			      claims, sizeof(claims), &size))
		return false;
	json_open(&r, ctl->arena, (str){ claims, size });
	*ticket = json_i64(&r, r.root, "num", 1, INT64_MAX);
	json_close(&r);
	return r.err == ERR_OK;
}

/* What the line said of itself: true when all three are there and well formed. */
static bool
read_public(struct ctl *ctl, struct line_view *v, struct sha256 *hash)
{
	const char *seed = ctl_text(ctl, "--seed"), *hex = ctl_text(ctl, "--hash");

	v->open = true;
	v->shuffled = ctl_int(ctl, "--shuffled");
	if (hex == NULL || !hex_decode(str_of(hex), hash->b, SHA256_SIZE))
		ctl_complain("--hash must be 64 hex digits: \"seedHash\", as it was "
			     "before the opening");
	else if (seed == NULL || !hex_decode(str_of(seed), v->seed, LINE_SEED_SIZE))
		ctl_complain("--seed must be 64 hex digits: \"seed\", as it is since the "
			     "opening");
	else
		return true;
	return false;
}

static int
show_place(struct ctl *ctl, const struct line_view *v, const char *operand)
{
	int64_t ticket;

	if (!str_to_i64(str_of(operand), 1, INT64_MAX, &ticket) &&
	    !ticket_of_token(ctl, operand, &ticket))
		return ctl_fail(
		    CTL_USAGE, "\"%.40s\" is no ticket and no token", operand);
	printf("ticket %" PRId64 " has place %" PRId64 "%s\n", ticket,
	    line_place(v, ticket),
	    ticket > v->shuffled ? ": it came after the opening" : "");
	return CTL_OK;
}

static int
run(struct ctl *ctl)
{
	struct line_view v = { 0 };
	const str seed = { (const char *)v.seed, LINE_SEED_SIZE };
	struct sha256 hash, committed;
	int status = CTL_OK;

	if (!read_public(ctl, &v, &committed))
		return CTL_USAGE;
	hash = sha256_of(&seed, 1);
	if (!digest_equal(hash.b, committed.b, SHA256_SIZE))
		return ctl_fail(CTL_FAILED,
		    "this is not the seed that was committed: its SHA-256 is another");
	printf("the seed is the one that was committed before the opening\n");
	for (int i = 0; i < ctl->operand_count && status == CTL_OK; i++)
		status = show_place(ctl, &v, ctl->operands[i]);
	return status;
}

static const struct ctl_option options[] = {
	{ "--hash", "HEX", NULL, 0, 0, NULL, "The line's seedHash, noted before." },
	{ "--seed", "HEX", NULL, 0, 0, NULL, "Its seed, published with the opening." },
	{ "--shuffled", "N", "0", 0, INT64_MAX >> 4, NULL,
	    "How many tickets were shuffled." },
};

const struct ctl_command CMD_LINE_VERIFY = {
	.name = "line verify",
	.operands = "TICKET|TOKEN…",
	.max_operands = 64,
	.summary = "Check the shuffle of a waiting line, and where it put a ticket",
	.text =
	    "Before the opening GET /queue/serving?line=N shows seedHash; since the\n"
	    "opening it shows seed and shuffled, too. The places of tickets 1 to\n"
	    "shuffled are a permutation that the seed decides, so nobody could choose\n"
	    "who comes first after the tickets were given. Needs no key and no server:\n"
	    "  onrush line verify --hash 9f2c… --seed 03ab… --shuffled 120000 4711\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.run = run,
};
