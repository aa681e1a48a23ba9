/*
 * Who a request is from, proven: the guard of the routes whose row says so.
 *
 *   visit ──identity_check──> token: known? ── no ──> signature, claims (40 to 130 us)
 *                │              └─ yes, under 1 us         │
 *                │            API key: hash, scope         │
 *                └── 401, 403, 503 <──────────────┬────────┘
 *                                                 v
 *                              visit: user_id or client, identified
 *
 * A user's id comes from the token and from nowhere else: services get it in
 * X-Onrush-User and refuse a path or a body that names another one (http/caller.h).
 *
 * Checking signatures is what an attacker could make expensive: each worker checks a
 * bounded number per second and refuses the rest, while tokens it knows go on.
 */
#ifndef ONRUSH_GATEWAY_IDENTITY_IDENTITY_H
#define ONRUSH_GATEWAY_IDENTITY_IDENTITY_H

#include "app/app.h"
#include "gateway/identity/credentials.h"
#include "http/rq.h"

/* Put IDENTITY_CONF_ITEMS in the program's table. */
struct identity_settings {
	bool on;
	struct credentials_paths paths; /* owned by conf, like all text here */
	const char *issuer;
	const char *audience;
	const char *user_claim;
	int64_t checks; /* of signatures, per worker and second */
};

#define IDENTITY_CONF_ITEMS(type, member)                                                \
	{ "ONRUSH_IDENTITY", CONF_BOOL, offsetof(type, member.on), "off", 0, 0,          \
		"Whether calls need the token or the API key that their route names; "   \
		"off believes everybody." },                                             \
	    { "ONRUSH_JWKS", CONF_STRING, offsetof(type, member.paths.jwks), "", 0, 0,   \
		    "File with the keys of tokens (JWKS), which SIGHUP loads again; "    \
		    "needed while ONRUSH_IDENTITY is on." },                             \
	    { "ONRUSH_API_KEYS", CONF_STRING, offsetof(type, member.paths.api_keys), "", \
		    0, 0,                                                                \
		    "File with the API keys (onrush apikey), which SIGHUP loads "        \
		    "again; empty: nobody has one." },                                   \
	    { "ONRUSH_TOKEN_ISSUER", CONF_STRING, offsetof(type, member.issuer), "", 0,  \
		    0, "What \"iss\" of a token must be; empty: anything." },            \
	    { "ONRUSH_TOKEN_AUDIENCE", CONF_STRING, offsetof(type, member.audience), "", \
		    0, 0, "What must be among \"aud\" of a token; empty: anything." },   \
	    { "ONRUSH_TOKEN_USER_CLAIM", CONF_STRING, offsetof(type, member.user_claim), \
		    "sub", 0, 0, "The claim of a token that has the user's id." },       \
	{                                                                                \
		"ONRUSH_TOKEN_CHECKS", CONF_INT, offsetof(type, member.checks), "4000",  \
		    1, 1000000,                                                          \
		    "Tokens not seen before whose signature each worker checks per "     \
		    "second; more are refused."                                          \
	}

struct identity;
struct visit;

/* Registers the metrics and loads the files; once, before the workers start. False, with
 * an error logged, when they cannot be used. */
bool identity_start(const struct identity_settings *settings);
/* For --check: are the files in order? */
bool identity_check_files(
    const struct identity_settings *settings, char *err, size_t err_size);

/* What one worker has; owned by the caller; NULL when ONRUSH_IDENTITY is off. */
struct identity *identity_new(const struct identity_settings *settings);
void identity_free(struct identity *id); /* after the server; NULL is fine */
/* Takes new keys over, if there are any. */
void identity_adopt(struct identity *id);

/* The guard. rq->ctx is the visit. */
rq_step identity_check;

/* What the service gets as Authorization; empty: nothing. A token that was checked stays
 * here; a pass that came beside it in X-Onrush-Pass takes its place. */
str identity_authorization(const struct rq *rq, const struct visit *v);

#endif
