/* What `onrush status` shows, gathered before it is printed. */
#ifndef ONRUSH_ONRUSH_STATUS_H
#define ONRUSH_ONRUSH_STATUS_H

#include "bus/topics.h"
#include "coupon/coupon.h"
#include "onrush/engines.h"

enum {
	STATUS_MAX_CAMPAIGNS = 1000,
	STATUS_MAX_LAGS = 1024,
};

struct status_lag {
	const char *topic, *group; /* in the arena */
	struct topic_lag lag;
};

struct status_dlq {
	const char *topic; /* in the arena */
	int64_t records;   /* -1: not known */
};

/* All lists live in the arena. What a system that is down would have told is empty. */
struct status {
	struct target targets[MAX_TARGETS];
	struct sight sights[MAX_TARGETS];
	size_t target_count;
	struct campaign *campaigns;
	size_t campaign_count;
	struct status_lag *lags;
	size_t lag_count;
	struct status_dlq *dlqs;
	size_t dlq_count;
};

/* False after a complaint: a setting is wrong. */
bool status_gather(struct ctl *ctl, struct status *s) MUST_USE;

#endif
