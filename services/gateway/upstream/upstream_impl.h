/*
 * What the files of an upstream share and nobody else includes.
 *
 *   upstream.c        life, what the directory says, gauges
 *   upstream_send.c   a request: which server, what became of it, whether to try again
 *   server.c          one server: its pool, its checks, what is believed of it
 */
#ifndef ONRUSH_GATEWAY_UPSTREAM_UPSTREAM_IMPL_H
#define ONRUSH_GATEWAY_UPSTREAM_UPSTREAM_IMPL_H

#include <stdatomic.h>
#include <sys/queue.h>

#include "base/breaker.h"
#include "gateway/upstream/admission_rules.h"
#include "gateway/upstream/directory.h"
#include "gateway/upstream/retry_budget.h"
#include "gateway/upstream/server_rules.h"
#include "gateway/upstream/upstream.h"
#include "gateway/upstream/upstream_metrics.h"

struct server_view;

struct service {
	atomic_int owners;
	char *name;                  /* owned */
	struct directory *directory; /* owned */
	struct upstream_metrics metrics;
};

struct server {
	TAILQ_ENTRY(server) link;
	struct upstream *up;  /* borrowed */
	struct dns_server at; /* address, host, weight */
	uint64_t id;          /* of the address; see pick_rules.h */
	struct httpc *pool;   /* owned */
	struct httpc *checks; /* owned; apart, so that load delays no check */
	struct server_belief belief;
	struct admission admission;
	size_t calls;                      /* whose callback is still to come */
	uint64_t called, failed;           /* calls that have ended */
	size_t conns, busy, queued, limit; /* as last counted into the gauges */
	enum server_state state;           /* likewise */
	bool checking;                     /* a check is under way */
	bool listed;                       /* by the directory; else it is leaving */
};

TAILQ_HEAD(server_list, server);

struct upstream {
	struct loop *loop;                        /* borrowed */
	struct service *service;                  /* borrowed */
	const struct upstream_settings *settings; /* borrowed */
	struct server_limits limits;
	struct admission_bounds bounds; /* of each server */
	int workers;
	struct server_list servers; /* owned; those that are leaving too */
	size_t listed;              /* how many are not leaving */
	uint64_t version;           /* of the directory's list that these are */
	uint64_t random;
	struct breaker breaker;
	struct retry_budget budget;
	bool resting;                   /* as last counted into the gauge */
	struct loop_timer *check_timer; /* owned; NULL: no checks */
};

/* What one of the workers gets of a bound that is in total; 1 at least. */
size_t upstream_share(int64_t total, int workers);

/* server.c; server_new gives NULL with an error logged. `warm`: gets its whole part at
 * once. */
struct server *server_new(struct upstream *up, const struct dns_server *at, bool warm);
void server_free(struct server *s);
/* Asks it for /readyz, unless it is being asked. */
void server_check(struct server *s);
/* What a call at it ended with. */
void server_judge(struct server *s, enum err err);
/* How long its answer took, by clock_mono_us; or that none came in time. */
void server_timed(struct server *s, enum err err, const struct httpc_response *response,
    int64_t mono_us);
/* May one more of this priority be sent there, or wait for that? */
bool server_has_room(const struct server *s, enum httpc_priority priority);
/* How much it has to do. */
size_t server_pending(const struct server *s);
/* Nothing is under way at it. */
bool server_is_quiet(const struct server *s);
/* Brings the gauges up to date. */
void server_observe(struct server *s);
/* Fills the row, whose names are there. */
void server_view(const struct server *s, struct server_view *row);

#endif
