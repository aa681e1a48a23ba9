/* onrush passkey: makes the file with the key that passes are signed and checked with. */
#include <stdio.h>

#include "crypto/pass.h"
#include "onrush/commands.h"

static int
run(struct ctl *ctl)
{
	const char *path = ctl->operand_count > 0 ? ctl->operands[0] : "pass.keys";
	char why[512];

	if (!pass_keys_generate(path, why, sizeof(why)))
		return ctl_fail(CTL_FAILED, "%s", why);
	printf(
	    "%s has the key of passes; queue and gateway need it, nobody else\n", path);
	return CTL_OK;
}

const struct ctl_command CMD_PASSKEY = {
	.name = "passkey",
	.operands = "[FILE]",
	.max_operands = 1,
	.summary = "Make the key that passes of the waiting line are signed with",
	.text = "Writes FILE (default pass.keys, readable by its owner only) with one\n"
		"new key. A file that exists is never overwritten. To change keys, make\n"
		"another file and put its line first in the one that is in use: the\n"
		"first line signs, all lines check. Restart gateway and queue, the\n"
		"gateway first.\n",
	.run = run,
};
