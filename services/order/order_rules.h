/*
 * What an order is and what it comes to. Pure: no I/O, no clock; memory from an arena
 * that is given.
 */
#ifndef ONRUSH_ORDER_ORDER_RULES_H
#define ONRUSH_ORDER_ORDER_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/die.h"
#include "base/err.h"
#include "base/uuid.h"

#define ORDER_AMOUNT_MAX   INT64_C(1000000000000000) /* won */
#define ORDER_QUANTITY_MAX INT64_C(10000)            /* pieces on one line */

enum {
	ORDER_LINES_MAX = 100,
};

struct order_line {
	int64_t product_id, quantity;
	int64_t price; /* of one, won; set by order_price */
};

/* The coupon that an order uses; coupon_id 0: none. */
struct order_coupon {
	int64_t coupon_id, rank;
	int64_t thousandths; /* of the amount that it takes off */
	int64_t expires_us;  /* wall */
};

struct order {
	int64_t order_id, user_id;
	struct order_line *lines; /* borrowed */
	size_t line_count;
	struct order_coupon coupon;
	int64_t amount, discount; /* won; set by order_price */
};

/* A product as the database has it at this moment. */
struct order_product {
	int64_t product_id, price; /* of one, won */
	bool stopped;
};

/* No product stands on two lines. */
bool order_lines_distinct(const struct order *o);

/* The same for the same content, and practically never for another: user, coupon and
 * lines as they were sent. */
int64_t order_content_hash(const struct order *o);

/* The id of the order that a key makes: a function of the key, apart from all ids that
 * are counted, and within what JSON's numbers hold exactly. Of ten million such orders
 * two have the same with a probability of one in a hundred; the second is not made. */
int64_t order_id_of_key(uuid request_id);

/*
 * Puts prices on the lines and adds up, with products sorted by id. ERR_PRODUCT_UNKNOWN
 * or ERR_PRODUCT_STOPPED with the product in *offender, or ERR_BAD_PARAMETER when the
 * amount is more than ORDER_AMOUNT_MAX. The discount is rounded down to whole won.
 */
enum err order_price(struct order *o, const struct order_product *products, size_t count,
    int64_t *offender) MUST_USE;

#endif
