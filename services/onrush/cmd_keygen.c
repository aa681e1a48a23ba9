/* onrush keygen: makes the pair of keys that receipts are signed and checked with. */
#include <stdio.h>
#include <string.h>

#include "crypto/sign.h"
#include "onrush/commands.h"

/* receipt.pem or receipt.key gives receipt.pub. */
static const char *
public_beside(struct ctl *ctl, const char *private_path)
{
	const char *slash = strrchr(private_path, '/');
	const char *name = slash == NULL ? private_path : slash + 1;
	const char *dot = strrchr(name, '.');
	size_t stem = dot == NULL || dot == name ? strlen(private_path)
						 : (size_t)(dot - private_path);

	return arena_printf(ctl->arena, "%.*s.pub", (int)stem, private_path);
}

static int
run(struct ctl *ctl)
{
	const char *private_path =
	    ctl->operand_count > 0 ? ctl->operands[0] : "receipt.key";
	const char *public_path =
	    ctl->operand_count > 1 ? ctl->operands[1] : public_beside(ctl, private_path);
	struct verify_key *key;
	char why[512];

	if (!sign_key_generate(private_path, public_path, why, sizeof(why)))
		return ctl_fail(CTL_FAILED, "%s", why);
	key = verify_key_load(public_path, why, sizeof(why));
	if (key == NULL)
		return ctl_fail(CTL_FAILED, "%s", why);
	printf("key %s: %s signs (keep it secret), %s checks (give it to everyone)\n",
	    verify_key_id(key), private_path, public_path);
	verify_key_free(key);
	return CTL_OK;
}

const struct ctl_command CMD_KEYGEN = {
	.name = "keygen",
	.operands = "PRIVATE [PUBLIC]",
	.max_operands = 2,
	.summary = "Make the keys that receipts are signed and checked with",
	.text = "Writes a new Ed25519 pair as PEM: PRIVATE (default receipt.key,\n"
		"readable by its owner only), which coupon and coupon-publisher sign\n"
		"with, and PUBLIC (default: PRIVATE with the ending .pub), with which\n"
		"anyone can check receipts. Files that exist are never overwritten.\n"
		"After a change of keys give `onrush verify` both public keys:\n"
		"campaigns that began earlier have heads of both.\n",
	.run = run,
};
