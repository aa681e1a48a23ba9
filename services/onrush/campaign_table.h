/* Campaigns as a table on the terminal. */
#ifndef ONRUSH_ONRUSH_CAMPAIGN_TABLE_H
#define ONRUSH_ONRUSH_CAMPAIGN_TABLE_H

#include "coupon/coupon.h"
#include "onrush/table.h"

struct table *campaign_table(struct arena *arena);
void campaign_row(struct table *t, struct arena *arena, const struct campaign *c);

#endif
