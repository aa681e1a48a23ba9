#include "gateway/upstream/dns.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>

enum {
	ANSWER_SIZE = 16384, /* bytes of a name server's answer */
	TRIES = 2,
	TRY_SECONDS = 1,
	HOST_SIZE = 256,
	ADDRESSES = 16, /* of one host */
};

/* A look-up that is under way. */
struct lookup {
	const char *name_server;    /* borrowed; "": the system's */
	struct dns_server *servers; /* borrowed */
	size_t *count;              /* borrowed */
	char *err;                  /* borrowed */
	size_t err_size;
};

static bool lookup_host(struct lookup *l, const char *host, int port, int weight);
static bool lookup_srv(struct lookup *l, const char *name);
static size_t system_addresses(
    struct lookup *l, const char *host, int port, struct net_addr out[ADDRESSES]);
static size_t server_addresses(
    struct lookup *l, const char *host, int port, struct net_addr out[ADDRESSES]);
static int
query(struct lookup *l, const char *name, int type, unsigned char answer[ANSWER_SIZE]);
static void put(struct lookup *l, const char *address, const char *host, int weight);
static void add(struct lookup *l, const struct net_addr *addr, const char *host, int port,
    int weight);

bool
dns_lookup(const struct server_entry *entry, const char *name_server,
    struct dns_server servers[DNS_MAX], size_t *count, char *err, size_t err_size)
{
	struct lookup l = { name_server, servers, count, err, err_size };
	char host[SERVER_NAME_SIZE];
	int64_t port;
	char *colon;

	if (entry->srv)
		return lookup_srv(&l, entry->name);
	if (str_starts(str_of(entry->name), STR("unix:"))) {
		put(&l, entry->name, "localhost", entry->weight);
		return true;
	}
	snprintf(host, sizeof(host), "%s", entry->name);
	colon = strrchr(host, ':');
	ASSERT(colon != NULL && str_to_i64(str_of(colon + 1), 1, 65535, &port));
	*colon = '\0';
	return lookup_host(&l, host, (int)port, entry->weight);
}

static bool
is_numeric(const char *host)
{
	struct in_addr in4;

	return host[0] == '[' || inet_pton(AF_INET, host, &in4) == 1;
}

static bool
lookup_host(struct lookup *l, const char *host, int port, int weight)
{
	bool ours = l->name_server[0] != '\0' && !is_numeric(host);
	struct net_addr found[ADDRESSES];
	size_t n = ours ? server_addresses(l, host, port, found)
			: system_addresses(l, host, port, found);
	bool has_ipv4 = false;

	for (size_t i = 0; i < n; i++)
		has_ipv4 |= found[i].sa.ss_family == AF_INET;
	for (size_t i = 0; i < n; i++)
		if (!has_ipv4 || found[i].sa.ss_family == AF_INET)
			add(l, &found[i], host, port, weight);
	return n > 0;
}

/* The server at an address that nothing is left to look up of. */
static void
put(struct lookup *l, const char *address, const char *host, int weight)
{
	struct dns_server *server = &l->servers[*l->count];

	if (*l->count == DNS_MAX)
		return;
	for (size_t i = 0; i < *l->count; i++)
		if (strcmp(l->servers[i].address, address) == 0)
			return;
	snprintf(server->address, sizeof(server->address), "%s", address);
	snprintf(server->host, sizeof(server->host), "%s", host);
	server->weight = weight;
	++*l->count;
}

static void
add(struct lookup *l, const struct net_addr *addr, const char *host, int port, int weight)
{
	bool v6 = addr->sa.ss_family == AF_INET6;
	char text[NET_TEXT_SIZE], address[NET_TEXT_SIZE + 8], field[HOST_SIZE + 8];

	net_text(&addr->sa, text);
	snprintf(address, sizeof(address), v6 ? "[%s]:%d" : "%s:%d", text, port);
	snprintf(field, sizeof(field), "%.*s:%d", HOST_SIZE, host, port);
	put(l, address, field, weight);
}

static size_t
system_addresses(
    struct lookup *l, const char *host, int port, struct net_addr out[ADDRESSES])
{
	char address[SERVER_NAME_SIZE + 8];

	snprintf(address, sizeof(address), "%s:%d", host, port);
	return net_resolve(address, out, ADDRESSES, l->err, l->err_size);
}

/* --- our own name server -------------------------------------------------------------
 */

/* One A or AAAA record as an address. */
static bool
take_address(const ns_rr *rr, int port, struct net_addr *out)
{
	struct sockaddr_in *in4 = (void *)&out->sa;
	struct sockaddr_in6 *in6 = (void *)&out->sa;

	*out = (struct net_addr){ 0 };
	if (ns_rr_type(*rr) == ns_t_a && ns_rr_rdlen(*rr) == sizeof(in4->sin_addr)) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons((uint16_t)port);
		memcpy(&in4->sin_addr, ns_rr_rdata(*rr), sizeof(in4->sin_addr));
		out->size = sizeof(*in4);
		return true;
	}
	if (ns_rr_type(*rr) == ns_t_aaaa && ns_rr_rdlen(*rr) == sizeof(in6->sin6_addr)) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		memcpy(&in6->sin6_addr, ns_rr_rdata(*rr), sizeof(in6->sin6_addr));
		out->size = sizeof(*in6);
		return true;
	}
	return false;
}

static size_t
server_addresses(
    struct lookup *l, const char *host, int port, struct net_addr out[ADDRESSES])
{
	static const int types[] = { ns_t_a, ns_t_aaaa };
	unsigned char answer[ANSWER_SIZE];
	size_t found = 0;
	ns_msg msg;
	ns_rr rr;

	for (size_t t = 0; t < ARRAY_LEN(types) && found == 0; t++) {
		int size = query(l, host, types[t], answer);

		if (size < 0 || ns_initparse(answer, size, &msg) != 0)
			continue;
		for (int i = 0; i < ns_msg_count(msg, ns_s_an); i++)
			if (found < ADDRESSES && ns_parserr(&msg, ns_s_an, i, &rr) == 0 &&
			    take_address(&rr, port, &out[found]))
				found++;
	}
	if (found == 0)
		snprintf(l->err, l->err_size, "cannot resolve \"%s\" at %s", host,
		    l->name_server);
	return found;
}

/* Sends to the name server that is set instead of the system's. */
static void
use_name_server(struct __res_state *state, const char *name_server)
{
	struct net_addr addr;
	char err[256];

	/* It was resolved when the program started, and is made of digits. */
	if (net_resolve(name_server, &addr, 1, err, sizeof(err)) != 1 ||
	    addr.sa.ss_family != AF_INET)
		return;
	memcpy(&state->nsaddr_list[0], &addr.sa, sizeof(state->nsaddr_list[0]));
	state->nscount = 1;
}

/* The answer's size; -1 with a sentence. */
static int
query(struct lookup *l, const char *name, int type, unsigned char answer[ANSWER_SIZE])
{
	struct __res_state state = { 0 };
	int size;

	if (res_ninit(&state) != 0) {
		snprintf(l->err, l->err_size, "the resolver cannot be set up");
		return -1;
	}
	state.retrans = TRY_SECONDS;
	state.retry = TRIES;
	if (l->name_server[0] != '\0')
		use_name_server(&state, l->name_server);
	size = res_nquery(&state, name, ns_c_in, type, answer, ANSWER_SIZE);
	if (size < 0)
		snprintf(l->err, l->err_size, "cannot resolve \"%s\": %s", name,
		    hstrerror(state.res_h_errno));
	res_nclose(&state);
	return size < ANSWER_SIZE ? size : ANSWER_SIZE;
}

/* --- SRV records ---------------------------------------------------------------------
 */

struct srv {
	int priority, weight, port;
	char target[HOST_SIZE];
};

/* RFC 2782: priority, weight and port, two bytes each, then the target. */
static bool
take_srv(const ns_msg *msg, const ns_rr *rr, struct srv *out)
{
	const unsigned char *data = ns_rr_rdata(*rr);

	if (ns_rr_type(*rr) != ns_t_srv || ns_rr_rdlen(*rr) < 7)
		return false;
	out->priority = (int)ns_get16(data);
	out->weight = (int)ns_get16(data + 2);
	out->port = (int)ns_get16(data + 4);
	return ns_name_uncompress(ns_msg_base(*msg), ns_msg_end(*msg), data + 6,
		   out->target, sizeof(out->target)) >= 0 &&
	       out->port > 0 && out->target[0] != '\0';
}

/* The servers of the smallest priority; the others are for when those are gone, which the
 * name server then says. */
static bool
lookup_srv(struct lookup *l, const char *name)
{
	unsigned char answer[ANSWER_SIZE];
	int size = query(l, name, ns_t_srv, answer), priority = INT32_MAX;
	size_t before = *l->count;
	struct srv srv;
	ns_msg msg;
	ns_rr rr;

	if (size < 0)
		return false;
	if (ns_initparse(answer, size, &msg) != 0) {
		snprintf(l->err, l->err_size, "the answer for \"%s\" is garbled", name);
		return false;
	}
	for (int i = 0; i < ns_msg_count(msg, ns_s_an); i++)
		if (ns_parserr(&msg, ns_s_an, i, &rr) == 0 && take_srv(&msg, &rr, &srv) &&
		    srv.priority < priority)
			priority = srv.priority;
	for (int i = 0; i < ns_msg_count(msg, ns_s_an); i++)
		if (ns_parserr(&msg, ns_s_an, i, &rr) == 0 && take_srv(&msg, &rr, &srv) &&
		    srv.priority == priority)
			(void)lookup_host(
			    l, srv.target, srv.port, srv.weight > 0 ? srv.weight : 1);
	if (*l->count == before && priority == INT32_MAX)
		snprintf(l->err, l->err_size, "\"%s\" has no SRV records", name);
	return *l->count > before;
}
