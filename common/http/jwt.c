#include "http/jwt.h"

#include "base/base64.h"
#include "http/json.h"

enum {
	NAME_MAX_BYTES = 64,   /* of "alg" and "typ" */
	TEXT_MAX_BYTES = 1024, /* of an issuer or an audience */
	AUDIENCES_MAX = 32,
};

/* 2^53, as far as a number in JSON is exact. */
#define TIME_MAX INT64_C(9007199254740992)

static const char *const verdict_names[JWT_VERDICT_COUNT] = {
	[JWT_VALID] = "valid",
	[JWT_MALFORMED] = "malformed",
	[JWT_UNKNOWN_KEY] = "unknown_key",
	[JWT_FORGED] = "forged",
	[JWT_EXPIRED] = "expired",
	[JWT_EARLY] = "early",
	[JWT_OTHER_ISSUER] = "other_issuer",
	[JWT_OTHER_AUDIENCE] = "other_audience",
	[JWT_NO_USER] = "no_user",
};

const char *
jwt_verdict_name(enum jwt_verdict verdict)
{
	return verdict_names[verdict];
}

/* --- the form ------------------------------------------------------------------------
 */

/* The bytes of a part, in the arena; false unless it is base64url of at least one. */
static bool
decode(str part, struct arena *arena, str *out)
{
	char *bytes = arena_alloc(arena, part.n + 1);

	*out = (str){ bytes, 0 };
	return part.n > 0 && base64_decode(part, bytes, part.n, &out->n);
}

/* Three parts with two dots between them. */
static bool
split(str text, str parts[3])
{
	for (int i = 0; i < 3; i++)
		text = str_cut(text, '.', &parts[i]);
	return text.p == NULL && parts[2].p != NULL;
}

/* Also of a member that is null, which the getters take for absent. */
static bool
has_member(const struct json *object, str name)
{
	for (const struct json *m = json_first(object); m != NULL; m = json_next(m))
		if (str_eq(json_name(m), name))
			return true;
	return false;
}

static bool
is_token_type(str typ)
{
	return typ.p == NULL || str_eq_nocase(typ, STR("JWT")) ||
	       str_eq_nocase(typ, STR("at+jwt")) ||
	       str_eq_nocase(typ, STR("application/at+jwt"));
}

static enum jwt_verdict
read_header(str text, struct arena *arena, struct jwt *out)
{
	enum jwt_verdict verdict = JWT_VALID;
	struct json_reader r;
	str alg, typ;

	json_open(&r, arena, text);
	alg = json_str(&r, r.root, "alg", NAME_MAX_BYTES);
	typ = json_str_or(&r, r.root, "typ", NAME_MAX_BYTES, STR_NULL);
	out->kid = json_str_or(&r, r.root, "kid", JWKS_KID_MAX, STR_NULL);
	if (r.err != ERR_OK || !is_token_type(typ) || has_member(r.root, STR("crit")))
		verdict = JWT_MALFORMED;
	else if (!jwk_alg_parse(alg, &out->alg))
		verdict = JWT_UNKNOWN_KEY;
	json_close(&r);
	return verdict;
}

enum jwt_verdict
jwt_open(str text, struct arena *arena, struct jwt *out)
{
	str parts[3], header;

	if (text.n > JWT_TEXT_MAX || !split(text, parts) ||
	    !decode(parts[0], arena, &header) || !decode(parts[1], arena, &out->claims) ||
	    !decode(parts[2], arena, &out->signature))
		return JWT_MALFORMED;
	out->signed_text = (str){ text.p, text.n - parts[2].n - 1 };
	return read_header(header, arena, out);
}

/* --- the claims ----------------------------------------------------------------------
 */

/* "aud" is one name or an array of them (RFC 7519, 4.1.3). */
static bool
is_for(struct json_reader *r, const struct json *root, str audience)
{
	const struct json *list = NULL;
	bool found = false;

	for (const struct json *m = json_first(root); m != NULL; m = json_next(m))
		if (str_eq(json_name(m), STR("aud")))
			list = m;
	if (list == NULL)
		return false;
	if (json_first(list) == NULL)
		return str_eq(json_str(r, root, "aud", TEXT_MAX_BYTES), audience);
	list = json_array(r, root, "aud", 1, AUDIENCES_MAX);
	for (const struct json *e = json_first(list); e != NULL; e = json_next(e))
		found |= str_eq(json_element_str(r, e, TEXT_MAX_BYTES), audience);
	return found;
}

static enum jwt_verdict
judge(struct json_reader *r, const struct jwt_wanted *wanted, struct jwt_subject *out)
{
	const struct json *root = r->root;
	int64_t starts_s = json_i64_or(r, root, "nbf", 0, TIME_MAX, 0);
	int64_t made_s = json_i64_or(r, root, "iat", 0, TIME_MAX, 0);
	str issuer = json_str_or(r, root, "iss", TEXT_MAX_BYTES, STR_NULL);

	out->expires_s = json_i64(r, root, "exp", 0, TIME_MAX);
	if (r->err != ERR_OK)
		return JWT_MALFORMED;
	if (wanted->issuer.n > 0 && !str_eq(issuer, wanted->issuer))
		return JWT_OTHER_ISSUER;
	if (wanted->audience.n > 0 && !is_for(r, root, wanted->audience))
		return r->err == ERR_OK ? JWT_OTHER_AUDIENCE : JWT_MALFORMED;
	if (out->expires_s <= wanted->now_s)
		return JWT_EXPIRED;
	if (starts_s > wanted->now_s + JWT_SKEW_S || made_s > wanted->now_s + JWT_SKEW_S)
		return JWT_EARLY;
	out->user_id = json_i64(r, root, wanted->user, 1, INT64_MAX);
	return r->err == ERR_OK ? JWT_VALID : JWT_NO_USER;
}

enum jwt_verdict
jwt_read(str claims, const struct jwt_wanted *wanted, struct arena *arena,
    struct jwt_subject *out)
{
	enum jwt_verdict verdict;
	struct json_reader r;

	json_open(&r, arena, claims);
	verdict = judge(&r, wanted, out);
	json_close(&r);
	return verdict;
}

enum jwt_verdict
jwt_check(str text, const struct jwks *keys, const struct jwt_wanted *wanted,
    struct arena *arena, struct jwt_subject *out)
{
	struct jwt token;
	enum jwt_verdict verdict = jwt_open(text, arena, &token);
	const struct jwk *key;

	if (verdict != JWT_VALID)
		return verdict;
	key = jwks_find(keys, token.kid, token.alg);
	if (key == NULL)
		return JWT_UNKNOWN_KEY;
	if (!jwk_verify(key, token.signed_text, token.signature))
		return JWT_FORGED;
	return jwt_read(token.claims, wanted, arena, out);
}
