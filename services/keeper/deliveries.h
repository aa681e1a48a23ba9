/*
 * Records for Kafka, in batches of which one wants to know whether they arrived whole.
 *
 *	if ((err = deliveries_begin(d)) != ERR_OK)
 *		return err;
 *	batch = deliveries_add(d);
 *	deliveries_send(d, batch, &record);	(any number)
 *	deliveries_end(d);
 *	if (deliveries_arrived(d, batch))
 *		…
 *
 * Blocking; one thread.
 */
#ifndef ONRUSH_KEEPER_DELIVERIES_H
#define ONRUSH_KEEPER_DELIVERIES_H

#include <stdbool.h>
#include <stddef.h>

#include "bus/producer.h"

struct deliveries;

enum {
	DELIVERIES_MAX = 128 /* batches of one round */
};

/* NULL, with an error logged, when the settings are refused. */
struct deliveries *deliveries_new(const char *brokers, const char *client_id);
void deliveries_free(struct deliveries *d); /* NULL is fine */

/* Begins a round. ERR_UNAVAILABLE: Kafka does not answer, or has not answered yet for all
 * records of an earlier round. */
enum err deliveries_begin(struct deliveries *d) MUST_USE;
size_t deliveries_add(struct deliveries *d);
void deliveries_send(struct deliveries *d, size_t batch, const struct record *record);
/* Waits until the fate of every record is known, or the time is over. */
void deliveries_end(struct deliveries *d);
/* Every record of the batch is persisted. */
bool deliveries_arrived(const struct deliveries *d, size_t batch);

#endif
