/*
 * The shop behind the lines, looked at once a second: how well it is (its /readyz, and
 * the time that took), and whether a line's concert has a seat left. One for each worker.
 * A shop that does not answer is unwell, and what it said of seats stays.
 */
#ifndef ONRUSH_QUEUE_SHOP_H
#define ONRUSH_QUEUE_SHOP_H

#include "queue/lines.h"

struct shop;

/* address: of the reservation service; "": there is none, and the shop is always well.
 * NULL, with an error logged, when the address cannot be resolved. */
struct shop *shop_new(struct service *s, const char *address);
void shop_free(struct shop *shop); /* before the lines; NULL is fine */

/* In thousandths (line_rules.h). */
int64_t shop_health(const struct shop *shop);

#endif
