#include "gateway/identity/identity.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/log.h"
#include "app/metrics.h"
#include "base/clock.h"
#include "gateway/gateway.h"
#include "gateway/identity/identity_rules.h"
#include "gateway/identity/token_cache.h"
#include "gateway/forward/visit.h"
#include "http/jwt.h"

struct identity {
	const struct identity_settings *settings; /* borrowed */
	struct credentials *credentials;          /* had */
	uint64_t version;                         /* of them */
	struct token_cache *known;                /* owned */
	int64_t second;                           /* of wall time, in which… */
	int64_t checks;                           /* …so many signatures were checked */
};

/* By what was decided: those of tokens first. */
enum {
	RULED_MISSING = JWT_VERDICT_COUNT,
	RULED_OVERLOAD,
	RULED_KEY_VALID,
	RULED_KEY_UNKNOWN,
	RULED_KEY_SCOPE,
	RULED_COUNT
};

static struct counter *rulings[RULED_COUNT]; /* for ever */

static rq_step check_token, check_key;

/* --- life ----------------------------------------------------------------------------
 */

static void
register_metrics(void)
{
	static const char *const own[] = { "missing", "overload", "key_valid",
		"key_unknown", "key_scope" };
	char labels[64];

	for (int i = 0; i < RULED_COUNT; i++) {
		snprintf(labels, sizeof(labels), "ruling=\"%s\"",
		    i < JWT_VERDICT_COUNT ? jwt_verdict_name((enum jwt_verdict)i)
					  : own[i - JWT_VERDICT_COUNT]);
		rulings[i] = counter_new("onrush_gateway_identity_total",
		    "Requests that had to say who they are from, by what was decided.",
		    labels);
	}
}

bool
identity_start(const struct identity_settings *settings)
{
	register_metrics();
	if (settings->on)
		return credentials_start(&settings->paths);
	log_warn("ONRUSH_IDENTITY is off: everybody may act for any user");
	return true;
}

bool
identity_check_files(const struct identity_settings *settings, char *err, size_t err_size)
{
	return !settings->on || credentials_check(&settings->paths, err, err_size);
}

struct identity *
identity_new(const struct identity_settings *settings)
{
	struct identity *id;

	if (!settings->on)
		return NULL;
	id = xcalloc(1, sizeof(*id));
	id->settings = settings;
	id->known = token_cache_new();
	identity_adopt(id);
	return id;
}

void
identity_free(struct identity *id)
{
	if (id == NULL)
		return;
	credentials_put(id->credentials);
	token_cache_free(id->known);
	free(id);
}

/* A token of a key that is gone must not live on as a known one. */
void
identity_adopt(struct identity *id)
{
	if (id == NULL || id->version == credentials_version())
		return;
	credentials_put(id->credentials);
	id->credentials = credentials_take(&id->version);
	token_cache_clear(id->known);
}

/* --- refusals ------------------------------------------------------------------------
 */

/* RFC 6750, 3: who showed nothing is told how to, without an error. */
static rq_next
refuse(struct rq *rq, str challenge, const char *sentence)
{
	rq_header(rq, STR("WWW-Authenticate"), challenge);
	return rq_fail_because(rq, ERR_UNAUTHORIZED, "%s", sentence);
}

static rq_next
refuse_shown(struct rq *rq, enum identity_shown shown)
{
	static const str plain = STR_INIT("Bearer realm=\"onrush\"");

	switch (shown) {
	case SHOWN_TWICE:
		return refuse(rq,
		    STR("Bearer realm=\"onrush\", error=\"invalid_request\""),
		    "There must be one Authorization field.");
	case SHOWN_ELSE:
		return refuse(rq, plain, "A token is sent as Authorization: Bearer.");
	case SHOWN_ASTRAY:
		return refuse(rq, plain,
		    "The cookie's token does not count for a call that another site "
		    "may have made.");
	case SHOWN_NO_TOKEN:
	case SHOWN_TOKEN: break;
	}
	return refuse(rq, plain, "A token is required: Authorization: Bearer.");
}

static rq_next
refuse_token(struct rq *rq, enum jwt_verdict verdict)
{
	static const char *const sentences[JWT_VERDICT_COUNT] = {
		[JWT_VALID] = "",
		[JWT_MALFORMED] = "The token is malformed.",
		[JWT_UNKNOWN_KEY] = "The token is signed with a key that is not known.",
		[JWT_FORGED] = "The token's signature does not fit.",
		[JWT_EXPIRED] = "The token is expired.",
		[JWT_EARLY] = "The token is not valid yet.",
		[JWT_OTHER_ISSUER] = "The token is of another issuer.",
		[JWT_OTHER_AUDIENCE] = "The token is for another audience.",
		[JWT_NO_USER] = "The token names no user.",
	};

	return refuse(rq,
	    str_of(arena_printf(rq->arena,
		"Bearer realm=\"onrush\", error=\"invalid_token\", "
		"error_description=\"%s\"",
		sentences[verdict])),
	    sentences[verdict]);
}

/* --- tokens --------------------------------------------------------------------------
 */

/* May one more signature be checked in this second? */
static bool
has_time(struct identity *id, int64_t now_s)
{
	if (id->second != now_s) {
		id->second = now_s;
		id->checks = 0;
	}
	return id->checks++ < id->settings->checks;
}

/* The token's user in *user_id, or why there is none: a jwt_verdict or RULED_OVERLOAD. */
static int
look_at_token(struct identity *id, struct arena *arena, str token, int64_t *user_id)
{
	struct jwt_wanted wanted = {
		.issuer = str_of(id->settings->issuer),
		.audience = str_of(id->settings->audience),
		.user = id->settings->user_claim,
		.now_s = clock_wall_us() / CLOCK_US_PER_SEC,
	};
	struct jwt_subject subject;
	enum jwt_verdict verdict;
	struct sha256 hash;

	if (token.n > JWT_TEXT_MAX)
		return JWT_MALFORMED;
	hash = sha256_of(&token, 1);
	*user_id = token_cache_find(id->known, &hash, wanted.now_s);
	if (*user_id != 0)
		return JWT_VALID;
	if (!has_time(id, wanted.now_s))
		return RULED_OVERLOAD;
	verdict = jwt_check(token, id->credentials->tokens, &wanted, arena, &subject);
	if (verdict != JWT_VALID)
		return (int)verdict;
	token_cache_add(id->known, &hash, subject.user_id, subject.expires_s);
	*user_id = subject.user_id;
	return JWT_VALID;
}

static rq_next
check_token(struct rq *rq)
{
	const struct gateway *gw = rq->service;
	struct visit *v = rq->ctx;
	enum identity_shown shown;
	int ruling;
	str token;

	shown = identity_find_token(rq->head, &token);
	if (shown != SHOWN_TOKEN) {
		counter_add(rulings[RULED_MISSING], 1);
		return refuse_shown(rq, shown);
	}
	ruling = look_at_token(gw->identity, rq->arena, token, &v->user_id);
	counter_add(rulings[ruling], 1);
	if (ruling == RULED_OVERLOAD)
		return rq_fail_because(
		    rq, ERR_OVERLOAD, "Too many new tokens at once; try again shortly.");
	if (ruling != JWT_VALID)
		return refuse_token(rq, (enum jwt_verdict)ruling);
	v->identified = true;
	return visit_go_on(rq);
}

/* --- API keys ------------------------------------------------------------------------
 */

static rq_next
check_key(struct rq *rq)
{
	static const str challenge = STR_INIT("ApiKey realm=\"onrush\"");
	const struct gateway *gw = rq->service;
	const struct api_key *key;
	struct visit *v = rq->ctx;
	str text;

	if (identity_find_key(rq->head, &text) != SHOWN_TOKEN) {
		counter_add(rulings[RULED_MISSING], 1);
		return refuse(rq, challenge, "One API key is required: X-Api-Key.");
	}
	key = api_keys_find(gw->identity->credentials->api_keys, text);
	if (key == NULL) {
		counter_add(rulings[RULED_KEY_UNKNOWN], 1);
		return refuse(rq, challenge, "This API key is not known.");
	}
	if (!api_key_may(key, v->row->scope)) {
		counter_add(rulings[RULED_KEY_SCOPE], 1);
		return rq_fail(rq, ERR_FORBIDDEN);
	}
	counter_add(rulings[RULED_KEY_VALID], 1);
	v->client = arena_str(rq->arena, api_key_id(key));
	return visit_go_on(rq);
}

/* --- the guard -----------------------------------------------------------------------
 */

rq_next
identity_check(struct rq *rq)
{
	const struct gateway *gw = rq->service;
	const struct visit *v = rq->ctx;

	if (gw->identity == NULL)
		return visit_go_on(rq);
	switch (v->row->identity) {
	case IDENTITY_NONE: break;
	case IDENTITY_USER: return check_token(rq);
	case IDENTITY_API_KEY: return check_key(rq);
	}
	return visit_go_on(rq);
}

str
identity_authorization(const struct rq *rq, const struct visit *v)
{
	str pass = http_header(rq->head, STR("x-onrush-pass"));

	if (pass.n > 0)
		return str_of(arena_printf(rq->arena, "Bearer %.*s", STR_ARG(pass)));
	return v->identified ? STR_NULL : http_header(rq->head, STR("authorization"));
}
