/*
 * GET /products/ranks: what was sold most in the last three UTC days, as text that is
 * ready to be copied. It is made anew at most twice a second, and only while somebody
 * asks for it.
 */
#ifndef ONRUSH_ORDER_RANKS_H
#define ONRUSH_ORDER_RANKS_H

#include "order/service.h"

struct ranks;

struct ranks *ranks_new(struct service *s);
void ranks_free(struct ranks *r); /* nothing may be pending; NULL is fine */

#endif
