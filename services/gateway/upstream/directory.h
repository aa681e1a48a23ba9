/*
 * Where the servers of one service are, for all workers: looked up when it is made, and
 * names again every few seconds by a thread of its own, so that replicas that come and go
 * are found. While a name cannot be looked up, what it last stood for stays.
 *
 *   thread ──dns_lookup──> list, version ──directory_read──> upstream (of each worker)
 */
#ifndef ONRUSH_GATEWAY_UPSTREAM_DIRECTORY_H
#define ONRUSH_GATEWAY_UPSTREAM_DIRECTORY_H

#include "gateway/upstream/dns.h"

struct directory;

struct directory_conf {
	const char *name;        /* of the service, for the log; copied */
	const char *name_server; /* as dns_lookup takes it; copied */
	int64_t interval_us;     /* between two look-ups of names */
	bool patient;            /* a name that stands for nothing yet may do so later */
};

/* Looks up; the caller owns the result. NULL with a sentence in err[err_size] when an
 * entry stands for nothing and conf is not patient. count of 1 or more. */
struct directory *directory_new(const struct directory_conf *conf,
    const struct server_entry *entries, size_t count, char *err, size_t err_size);
/* Any thread; NULL is fine. Does not wait for a look-up that is under way. */
void directory_free(struct directory *d);

/* A number that changes with the list. Any thread, cheap. */
uint64_t directory_version(const struct directory *d);
/* Copies the list; its length. */
size_t directory_read(struct directory *d, struct dns_server servers[DNS_MAX]);

#endif
