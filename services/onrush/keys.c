#include "onrush/keys.h"

bool
keys_load(const struct ctl *ctl, struct keys *keys)
{
	const char *text = ctl_text(ctl, "--key");
	str rest = str_of(text != NULL ? text : ctl->settings.public_key), path;
	char why[512];

	*keys = (struct keys){ .count = 0 };
	while (rest.p != NULL && rest.n > 0) {
		rest = str_cut(rest, ',', &path);
		if (keys->count == VERIFY_MAX_KEYS) {
			ctl_complain("more than %d keys", VERIFY_MAX_KEYS);
			return false;
		}
		keys->list[keys->count] = verify_key_load(
		    arena_strdup(ctl->arena, str_trim(path)), why, sizeof(why));
		if (keys->list[keys->count] == NULL) {
			ctl_complain("%s", why);
			return false;
		}
		keys->count++;
	}
	if (keys->count == 0)
		ctl_complain("the public key is needed: --key FILE or "
			     "ONRUSH_RECEIPT_PUBLIC_KEY");
	return keys->count > 0;
}

void
keys_free(struct keys *keys)
{
	for (size_t i = 0; i < keys->count; i++)
		verify_key_free(keys->list[i]);
	keys->count = 0;
}
