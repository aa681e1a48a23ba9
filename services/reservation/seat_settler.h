/*
 * Settles payments of seats: the one road from PENDING to COMPLETED, FAILED or REFUNDED,
 * whoever walks it. The payment-worker does so for events of Kafka, the keeper for those
 * whose event was lost; the payment's row lock makes both safe together, and settling one
 * again does nothing. The rules are the schema's function reservation.settle.
 *
 * Blocking; one thread at a time per settler.
 */
#ifndef ONRUSH_RESERVATION_SEAT_SETTLER_H
#define ONRUSH_RESERVATION_SEAT_SETTLER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/pgsync.h"

/* The fact that the function writes to the outbox of orders; key reservationId. */
#define SEAT_TOPIC_CONFIRMED "SEAT_CONFIRMED"

enum {
	SEAT_SETTLER_BATCH_MAX = 256, /* payments that are settled in one transaction */
};

/*
 * Settles up to SEAT_SETTLER_BATCH_MAX payments, in this order, in one transaction and
 * commits it. ERR_OK: outcomes[i] says what became of payment_ids[i]:
 *
 *	ERR_OK                it is COMPLETED now: the seats are the user's
 *	ERR_RESERVATION_STATE its reservation was cancelled: FAILED
 *	ERR_PAYMENT_EXISTS    it is not PENDING, or not there: nothing was done
 *	any other             it is FAILED or REFUNDED now, for this reason
 *
 * The errors are pgsync_run's; after ERR_UNKNOWN_OUTCOME settling the same payments again
 * is harmless. `arena` takes what the call needs.
 */
enum err seat_settle(struct pgsync *pg, struct arena *arena, const int64_t *payment_ids,
    size_t count, enum err *outcomes) MUST_USE;

#endif
