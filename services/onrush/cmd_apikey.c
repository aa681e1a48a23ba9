/* onrush apikey: makes a key for a partner's program, and the line that lets it in. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/base64.h"
#include "crypto/digest.h"
#include "gateway/identity/api_keys.h"
#include "onrush/commands.h"

enum {
	SECRET_SIZE = 32,
	SECRET_TEXT = 43, /* as base64url */
};

static int
run(struct ctl *ctl)
{
	const char *id = ctl->operands[0], *scopes = ctl->operands[1];
	char secret[SECRET_SIZE], text[SECRET_TEXT + 1] = "", hex[2 * SHA256_SIZE + 1];
	struct sha256 hash;

	if (!api_key_is_id(str_of(id)))
		return ctl_fail(CTL_USAGE,
		    "\"%s\" must be 1 to %d letters, digits, - or _", id, API_KEY_ID_MAX);
	if (!api_key_are_scopes(str_of(scopes)))
		return ctl_fail(CTL_USAGE,
		    "\"%s\" must be scopes separated by commas, each 1 to %d letters, "
		    "digits, -, _, . or :",
		    scopes, API_KEY_SCOPE_MAX);
	ASSERT(getrandom(secret, sizeof(secret), 0) == sizeof(secret));
	base64_encode(secret, sizeof(secret), text);
	hash = sha256_of((str[]){ str_of(id), STR("."), { text, SECRET_TEXT } }, 3);
	hex_encode(hash.b, SHA256_SIZE, hex);
	printf("key   %s.%s\nline  %s %s %s\n", id, text, id, hex, scopes);
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(text, sizeof(text));
	return CTL_OK;
}

const struct ctl_command CMD_APIKEY = {
	.name = "apikey",
	.operands = "ID SCOPE[,SCOPE]...",
	.min_operands = 2,
	.max_operands = 2,
	.summary = "Make an API key for a partner's program",
	.text =
	    "Prints a new key, which the partner sends as X-Api-Key, and the line for\n"
	    "the gateway's file of API keys (ONRUSH_API_KEYS), which has the key's hash\n"
	    "only: the key is shown this once. SIGHUP makes the gateway load the file\n"
	    "again.\n",
	.run = run,
};
