/*
 * The road without Kafka: the decider on a thread of its own, fed in micro-batches
 * through a bounded queue. What waits while a batch is decided becomes the next one.
 */
#ifndef ONRUSH_COUPON_DIRECT_H
#define ONRUSH_COUPON_DIRECT_H

#include "coupon/service.h"

struct direct *direct_new(struct service *s);
void direct_free(struct direct *d); /* finishes the batch under way; NULL is fine */

/* Decides the request; what comes of it lands in s->flights. ERR_OVERLOAD when too many
 * wait. */
enum err direct_decide(struct direct *d, const struct coupon_request *request) MUST_USE;

#endif
