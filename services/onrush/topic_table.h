/* The topics of Onrush and who consumes them: what `topics` creates and `status` and
 * `dlq` look at. Names are without the prefix. */
#ifndef ONRUSH_ONRUSH_TOPIC_TABLE_H
#define ONRUSH_ONRUSH_TOPIC_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* Strings are static. */
struct topic_row {
	const char *name;
	const char *group; /* of its consumers; NULL: nobody of ours consumes it */
	const char *const *config; /* as in struct topic_spec; NULL: the broker's */
};

extern const struct topic_row TOPIC_TABLE[];
extern const size_t TOPIC_TABLE_COUNT;

#define TOPIC_DLQ_SUFFIX ".dlq"

struct ctl;
/* Records in the dead letter queue of a topic (with prefix); -1 with a sentence in why.
 */
int64_t dlq_depth(const struct ctl *ctl, const char *topic, char *why, size_t why_size);

#endif
