/*
 * The file that says which call at the gateway becomes which call at which service
 * (deploy/gateway/routes.json explains itself; docs/gateway.md has every member). Read
 * strictly: what is misspelt, missing, twice or out of range refuses all of the file,
 * with the place. A member "//" is a comment.
 *
 *   text ──route_file_parse──> route_file ─owns─> services: name, list of servers
 *                          ├───> limits: name, rate, burst
 *                          └───> routes: pattern, service, target, limits
 *
 * Pure: no look-ups, no clock.
 */
#ifndef ONRUSH_GATEWAY_ROUTES_ROUTE_FILE_H
#define ONRUSH_GATEWAY_ROUTES_ROUTE_FILE_H

#include "gateway/identity/identity_rules.h"
#include "http/httpc.h"
#include "http/httpd.h"

enum {
	ROUTE_FILE_SIZE = 1 << 20, /* bytes at most */
	ROUTE_FILE_SERVICES = 32,
	ROUTE_FILE_ROUTES = 1000,
	ROUTE_STEPS = 6, /* of a request, at most: see visit.h */
	ROUTE_FILE_LIMITS = 32,
	ROUTE_LIMITS = 4, /* of one route */
};

/* What has a bucket of its own under a limit. */
enum limit_per {
	LIMIT_PER_ADDRESS,
	LIMIT_PER_USER,  /* who is not known does not count */
	LIMIT_PER_ROUTE, /* all requests for the routes that name it, together */
};

struct limit_class;

/* A rate limit: `rate` requests a second, `burst` at once. */
struct route_limit {
	const char *name;
	enum limit_per per;
	int64_t rate, burst;
};

struct service;

/* One piece of the path at the service: bytes, and then one of the pattern's {…}. */
struct route_piece {
	str text;
	int param; /* its index; -1: none follows */
};

struct route_row {
	struct route route; /* as the server takes it; `first` is left to visit_plan */
	rq_step *steps[ROUTE_STEPS]; /* likewise; the last forwards */
	str host;                    /* empty: any */
	size_t service;              /* index */
	const char *service_name;
	const struct service *behind;                 /* borrowed; left to others, NULL */
	struct route_piece target[RQ_MAX_PARAMS + 1]; /* the last has no param */
	int key;    /* index of the {…} whose value chooses the server; -1: load does */
	int rest;   /* index of the {…...}, which goes along as it came; -1: none */
	bool retry; /* may be sent again when it fails and that is harmless */
	bool pass;  /* needs a pass of the waiting line */
	enum httpc_priority priority;
	const struct route_limit *limits[ROUTE_LIMITS]; /* of the file */
	size_t limit_count;
	/* What limits_resolve makes of them, with the limit of every address: first those
	 * that are taken from before the pass is looked at. For ever. */
	const struct limit_class *classes[1 + ROUTE_LIMITS];
	size_t early_count, class_count;
	enum identity_want identity;
	str scope;     /* of IDENTITY_API_KEY */
	bool compress; /* its answers may be compressed */
};

struct route_service {
	const char *name;
	const char *servers; /* as server_list.h has it; "": there are none here */
};

struct route_file {
	struct arena *arena; /* owned; holds all that follows */
	struct route_service *services;
	size_t service_count;
	struct route_limit *limits;
	size_t limit_count;
	struct route_row *rows; /* in the order of the file */
	size_t row_count;
};

/* The value of a setting that the file may name, as "$ONRUSH_COUPON_URL"; NULL if there
 * is no such setting. */
typedef const char *route_setting(const char *name);

/* The caller owns the result. NULL with a sentence in err[err_size] that begins with line
 * and column. */
struct route_file *
route_file_parse(str text, route_setting *setting, char *err, size_t err_size);
void route_file_free(struct route_file *file); /* NULL is fine */

/*
 * Where the member (or with name NULL: the element) number `index` of the array or object
 * begins that is the value of member `name` of the outermost object, in bytes; where that
 * value begins if it has not so many, 0 if there is no such member. For JSON that
 * json_open accepts.
 */
size_t route_file_place(str text, const char *name, size_t index);

#endif
