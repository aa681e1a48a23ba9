/*
 * Knows whether the brokers answer; private to this folder. librdkafka says when the last
 * connection is gone (probe_lost) but not when one is back. So a thread asks for metadata
 * while the brokers are away, and sleeps while they are there. A record that was
 * delivered is an answer too (probe_found).
 */
#ifndef ONRUSH_BUS_PROBE_H
#define ONRUSH_BUS_PROBE_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

struct probe;

/* Starts with *up false and asks at once. rk is borrowed until probe_free, up until
 * probe_stop. */
struct probe *probe_new(rd_kafka_t *rk, atomic_bool *up);
void probe_stop(struct probe *p); /* forgets *up; does not block */
void probe_free(struct probe *p); /* waits for the thread: up to half a second */

void probe_lost(struct probe *p);
void probe_found(struct probe *p);

#endif
