/*
 * The dead letter queue of a topic is `<topic>.dlq`. A record goes there with its key,
 * value and its history as headers: dlq-topic, dlq-partition, dlq-offset, dlq-time,
 * dlq-attempts, dlq-error (stable code), dlq-reason (a sentence), dlq-program.
 */
#ifndef ONRUSH_BUS_DLQ_H
#define ONRUSH_BUS_DLQ_H

#include "bus/consumer.h"
#include "bus/producer.h"

/* Sends and waits for the delivery report. ERR_OK only when the record is persisted;
 * then, and only then, the caller acknowledges the message. */
enum err dlq_send(struct producer *p, const char *topic, const struct message *m,
    enum err error, const char *reason, const char *program, int64_t timeout_us);

#endif
