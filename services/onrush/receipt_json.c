#include "onrush/receipt_json.h"

#include <string.h>

#include "coupon/coupon_json.h"

enum {
	PATH_MAX_ENTRIES = COUPON_BATCH_MAX /* a head is signed for every batch */
};

/* Without a path the receipt must be its head's own. */
static void
read_path(struct json_reader *r, const struct json *object, struct receipt_proof *proof)
{
	const struct json *list, *entry;

	if (r->err != ERR_OK || !json_has(object, "path"))
		return;
	list = json_array(r, object, "path", 0, PATH_MAX_ENTRIES);
	proof->path = arena_alloc(r->arena, PATH_MAX_ENTRIES * sizeof(*proof->path));
	for (entry = json_first(list); entry != NULL; entry = json_next(entry)) {
		struct sha256 *hash = &proof->path[proof->path_count++];
		str text = json_element_str(r, entry, 2 * SHA256_SIZE);

		if (r->err != ERR_OK || hex_decode(text, hash->b, SHA256_SIZE))
			continue;
		r->err = ERR_BAD_PARAMETER;
		r->why = "an entry of \"path\" is not a hash";
	}
}

bool
receipt_proof_read(
    struct receipt_proof *proof, struct arena *arena, str text, const char **why)
{
	static const char *const wrappings[] = { "data", "receipt" };
	struct json_reader r;
	const struct json *object;

	memset(proof, 0, sizeof(*proof));
	json_open(&r, arena, text);
	object = r.root;
	for (size_t i = 0; i < ARRAY_LEN(wrappings); i++)
		if (r.err == ERR_OK && json_has(object, wrappings[i]))
			object = json_object(&r, object, wrappings[i]);
	receipt_get(&r, object, &proof->receipt);
	head_get(&r, json_object(&r, object, "head"), &proof->head);
	read_path(&r, object, proof);
	*why = r.why;
	json_close(&r);
	return r.err == ERR_OK;
}
