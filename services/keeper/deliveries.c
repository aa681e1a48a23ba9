#include "keeper/deliveries.h"

#include <stdlib.h>

#include "base/clock.h"

#define RECORD_US (3 * CLOCK_US_PER_SEC) /* until a record must have arrived */
#define ROUND_US  (5 * CLOCK_US_PER_SEC)
#define LINGER_US (1 * CLOCK_US_PER_MS)

enum {
	QUEUE_MAX = 50000, /* records; more than any round has */
};

struct batch_fate {
	size_t pending; /* records without a report */
	bool failed;    /* one of them did not arrive */
};

struct deliveries {
	struct producer *producer; /* owned */
	/* Reports point at them, so they are not used again while one is pending. */
	struct batch_fate batches[DELIVERIES_MAX];
	size_t count;
};

struct deliveries *
deliveries_new(const char *brokers, const char *client_id)
{
	struct deliveries *d = xcalloc(1, sizeof(*d));

	d->producer = producer_new(NULL, &(struct producer_conf){
					     .brokers = brokers,
					     .client_id = client_id,
					     .linger_us = LINGER_US,
					     .timeout_us = RECORD_US,
					     .max_queue = QUEUE_MAX,
					 });
	if (d->producer != NULL)
		return d;
	free(d);
	return NULL;
}

void
deliveries_free(struct deliveries *d)
{
	if (d == NULL)
		return;
	producer_free(d->producer);
	free(d);
}

enum err
deliveries_begin(struct deliveries *d)
{
	producer_poll(d->producer, 0);
	for (size_t i = 0; i < d->count; i++)
		if (d->batches[i].pending > 0)
			return ERR_UNAVAILABLE;
	d->count = 0;
	return producer_is_up(d->producer) ? ERR_OK : ERR_UNAVAILABLE;
}

size_t
deliveries_add(struct deliveries *d)
{
	ASSERT(d->count < DELIVERIES_MAX);
	d->batches[d->count] = (struct batch_fate){ 0 };
	return d->count++;
}

static void
on_report(void *arg, enum err err)
{
	struct batch_fate *fate = arg;

	fate->pending--;
	if (err != ERR_OK)
		fate->failed = true;
}

void
deliveries_send(struct deliveries *d, size_t batch, const struct record *record)
{
	d->batches[batch].pending++;
	producer_send(d->producer, record, on_report, &d->batches[batch]);
}

void
deliveries_end(struct deliveries *d)
{
	(void)producer_flush(d->producer, ROUND_US);
}

bool
deliveries_arrived(const struct deliveries *d, size_t batch)
{
	const struct batch_fate *fate = &d->batches[batch];

	return fate->pending == 0 && !fate->failed;
}
