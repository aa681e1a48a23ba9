/* The words of the coupon domain, shared by the service, the publisher and the command.
 */
#ifndef ONRUSH_COUPON_COUPON_H
#define ONRUSH_COUPON_COUPON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/uuid.h"
#include "crypto/digest.h"
#include "crypto/sign.h"

#define COUPON_TOPIC_REQUESTED "COUPON_PUBLISH_REQUESTED"
#define COUPON_TOPIC_PUBLISHED "COUPON_PUBLISHED"
#define COUPON_TOPIC_REPLIES   "onrush.replies"
#define COUPON_GROUP           "COUPON"

enum {
	COUPON_BATCH_MAX = 256, /* requests that are decided in one transaction */
	COUPON_NAME_MAX = 120,  /* bytes */
};

enum coupon_kind {
	COUPON_LIMITED,
	COUPON_UNLIMITED,
};

enum coupon_state {
	COUPON_DRAFT,
	COUPON_PUBLISHABLE,
	COUPON_CLOSED,
};

/* What is decided about: a row of coupon.campaigns. */
struct campaign {
	int64_t coupon_id;
	char name[COUPON_NAME_MAX + 1];
	uuid generation;
	enum coupon_kind kind;
	enum coupon_state state;
	int64_t quantity; /* of a limited one */
	int64_t issued;
	int64_t per_user_limit;
	double discount_rate; /* 0.3 is 30 percent off */
	int64_t opens_us;     /* wall; INT64_MIN: always was open */
	int64_t closes_us;    /* wall; INT64_MAX: never closes */
	int64_t expires_us;
	int64_t version;
	struct sha256 head; /* of the chain: the hash of rank `issued` */
};

/* Someone asks for a coupon. */
struct coupon_request {
	uuid id;
	int64_t coupon_id, user_id;
	int64_t requested_us; /* wall, when it reached us: what windows are judged by */
};

/* A receipt: who got which rank when, chained to the one before. */
struct receipt {
	int64_t coupon_id, rank, user_id;
	int64_t issued_us; /* wall */
	uuid request_id;
	struct sha256 previous, hash;
};

/* A signed head of the chain. */
struct chain_head {
	int64_t coupon_id, rank;
	struct sha256 hash;
	char key_id[SIGN_KEY_ID_SIZE];
	uint8_t signature[SIGN_SIZE];
};

/* What was decided: outcome ERR_OK with a receipt, or a refusal, or (not decided) an
 * environment's error. */
struct coupon_decision {
	uuid request_id;
	enum err outcome;
	bool replayed; /* it had been decided before */
	struct receipt receipt;
};

/* A decision as it stands in PostgreSQL, and what it was about. */
struct coupon_stored {
	int64_t coupon_id, user_id;
	struct coupon_decision decision;
};

#endif
