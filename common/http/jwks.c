#include "http/jwks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "http/json.h"

enum {
	NAME_MAX_BYTES = 32, /* of kinds, curves and algorithms */
	NUMBER_MAX = 1024,   /* bytes of base64url text */
};

struct entry {
	char *kid;       /* owned; NULL: none */
	struct jwk *key; /* owned */
};

struct jwks {
	struct entry entries[JWKS_KEYS];
	size_t count;
};

/* A file that is being read. */
struct reader {
	struct json_reader json;
	size_t index; /* of the key that is being read */
	char *err;    /* borrowed; "" until something is wrong */
	size_t err_size;
};

static void read_key(struct reader *r, const struct json *object, struct jwks *keys);

/* Notes the first thing that is wrong with the key that is being read. */
static void PRINTF_LIKE(2, 3) fail(struct reader *r, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (r->err[0] != '\0')
		return;
	n = snprintf(r->err, r->err_size, "Key number %zu ", r->index + 1);
	va_start(ap, fmt);
	vsnprintf(r->err + n, r->err_size - (size_t)n, fmt, ap);
	va_end(ap);
}

/* Also takes over what the JSON reader found. */
static bool
failed(struct reader *r)
{
	if (r->json.err != ERR_OK && r->err[0] == '\0')
		snprintf(r->err, r->err_size, "%s", r->json.why);
	return r->err[0] != '\0';
}

struct jwks *
jwks_parse(str text, char *err, size_t err_size)
{
	struct reader r = { .err = err, .err_size = err_size };
	struct jwks *keys = xcalloc(1, sizeof(*keys));
	struct arena *arena = arena_new();
	const struct json *list;

	err[0] = '\0';
	json_open(&r.json, arena, text);
	list = json_array(&r.json, r.json.root, "keys", 1, JWKS_KEYS);
	for (; !failed(&r) && list != NULL; r.index++) {
		list = r.index == 0 ? json_first(list) : json_next(list);
		if (list != NULL)
			read_key(&r, list, keys);
	}
	if (!failed(&r) && keys->count == 0)
		snprintf(err, err_size, "There is no key for signatures.");
	for (size_t i = 0; i < keys->count && keys->count > 1; i++)
		if (keys->entries[i].kid == NULL && err[0] == '\0')
			snprintf(err, err_size,
			    "Every key needs a \"kid\" where there are several.");
	json_close(&r.json);
	arena_free(arena);
	if (err[0] == '\0')
		return keys;
	jwks_free(keys);
	return NULL;
}

void
jwks_free(struct jwks *keys)
{
	if (keys == NULL)
		return;
	for (size_t i = 0; i < keys->count; i++) {
		free(keys->entries[i].kid);
		jwk_free(keys->entries[i].key);
	}
	free(keys);
}

size_t
jwks_count(const struct jwks *keys)
{
	return keys->count;
}

const struct jwk *
jwks_find(const struct jwks *keys, str kid, enum jwk_alg alg)
{
	for (size_t i = 0; i < keys->count; i++) {
		const struct entry *e = &keys->entries[i];
		bool named = kid.p == NULL
				 ? keys->count == 1
				 : e->kid != NULL && str_eq(str_of(e->kid), kid);

		if (named)
			return jwk_alg_of(e->key) == alg ? e->key : NULL;
	}
	return NULL;
}

/* --- one key -------------------------------------------------------------------------
 */

static str
text_of(struct reader *r, const struct json *object, const char *name, size_t max)
{
	return json_str_or(&r->json, object, name, max, STR_NULL);
}

/* The bytes of a required base64url member, in the arena. */
static str
bytes_of(struct reader *r, const struct json *object, const char *name)
{
	str text = json_str(&r->json, object, name, NUMBER_MAX);
	size_t size = 0;
	char *out;

	if (failed(r))
		return STR_NULL;
	out = arena_alloc(r->json.arena, text.n + 1);
	if (text.n == 0 || !base64_decode(text, out, text.n, &size))
		fail(r, "has a \"%s\" that is not base64url without padding.", name);
	return (str){ out, size };
}

static bool
is_curve(struct reader *r, const struct json *object, str curve)
{
	return str_eq(text_of(r, object, "crv", NAME_MAX_BYTES), curve);
}

/* Is it only for encryption? */
static bool
is_for_others(struct reader *r, const struct json *object)
{
	str use = text_of(r, object, "use", NAME_MAX_BYTES);

	if (use.p != NULL && !str_eq(use, STR("enc")) && !str_eq(use, STR("sig")))
		fail(r, "has a \"use\" that is neither sig nor enc.");
	return str_eq(use, STR("enc"));
}

/* The key of the object; NULL and an error if it has none that can be used. */
static struct jwk *
make_key(struct reader *r, const struct json *object)
{
	str kty = json_str(&r->json, object, "kty", NAME_MAX_BYTES), a, b;

	if (failed(r))
		return NULL;
	if (!str_eq(kty, STR("oct")) && json_has(object, "d")) {
		fail(r, "has a private part (\"d\"): give only the public one away.");
		return NULL;
	}
	if (str_eq(kty, STR("OKP")) && is_curve(r, object, STR("Ed25519")))
		return jwk_new_eddsa(bytes_of(r, object, "x"));
	if (str_eq(kty, STR("EC")) && is_curve(r, object, STR("P-256"))) {
		a = bytes_of(r, object, "x");
		b = bytes_of(r, object, "y");
		return jwk_new_es256(a, b);
	}
	if (str_eq(kty, STR("RSA"))) {
		a = bytes_of(r, object, "n");
		b = bytes_of(r, object, "e");
		return jwk_new_rs256(a, b);
	}
	if (str_eq(kty, STR("oct")))
		return jwk_new_hs256(bytes_of(r, object, "k"));
	fail(r, "is of a kind that is not checked here: give OKP with Ed25519, EC with "
		"P-256, RSA or oct.");
	return NULL;
}

/* An algorithm, where one is named, must be the key's own. */
static void
check_alg(struct reader *r, const struct json *object, const struct jwk *key)
{
	str alg = text_of(r, object, "alg", NAME_MAX_BYTES);

	if (alg.p != NULL && !str_eq(alg, jwk_alg_name(jwk_alg_of(key))))
		fail(r, "has an \"alg\" that is not checked with it: it must be %.*s.",
		    STR_ARG(jwk_alg_name(jwk_alg_of(key))));
}

static void
check_kid(struct reader *r, const struct jwks *keys, str kid)
{
	if (kid.p == NULL)
		return;
	if (kid.n == 0)
		fail(r, "has an empty \"kid\".");
	for (size_t i = 0; i < keys->count; i++)
		if (keys->entries[i].kid != NULL &&
		    str_eq(str_of(keys->entries[i].kid), kid))
			fail(r, "has the \"kid\" of another one.");
}

static void
read_key(struct reader *r, const struct json *object, struct jwks *keys)
{
	struct jwk *key;
	str kid;

	if (is_for_others(r, object) || failed(r))
		return;
	kid = text_of(r, object, "kid", JWKS_KID_MAX);
	key = make_key(r, object);
	if (key == NULL && !failed(r))
		fail(r, "is not sound: its numbers are no key, or one that is too small "
			"or too large.");
	if (key != NULL)
		check_alg(r, object, key);
	check_kid(r, keys, kid);
	if (failed(r)) {
		jwk_free(key);
		return;
	}
	keys->entries[keys->count++] = (struct entry){
		.kid = kid.p == NULL ? NULL : xstrdup(kid.p),
		.key = key,
	};
}
