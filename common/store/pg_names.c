#include "store/pg_names.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *option(const PQconninfoOption *options, const char *keyword);
static void split(struct pg_names *n, const char *hosts, const char *ports);
static bool is_name(const char *host);
static void put_item(struct buf *list, const char *item);
static char *copy(str s);

void
pg_names_init(struct pg_names *n, const char *dsn)
{
	PQconninfoOption *options = PQconninfoParse(dsn, NULL);
	const char *hosts, *ports;

	*n = (struct pg_names){ 0 };
	ASSERT(options != NULL);
	hosts = option(options, "host");
	ports = option(options, "port");
	if (hosts != NULL && option(options, "hostaddr") == NULL)
		split(n, hosts, ports == NULL ? "" : ports);
	PQconninfoFree(options);
}

void
pg_names_fini(struct pg_names *n)
{
	for (size_t i = 0; i < n->count; i++) {
		resolve_free(n->names[i].resolve);
		free(n->names[i].host);
		free(n->names[i].port);
	}
	buf_fini(&n->host);
	buf_fini(&n->hostaddr);
	buf_fini(&n->port);
	n->count = 0;
}

void
pg_names_start(struct pg_names *n)
{
	char address[RESOLVE_ADDRESS_MAX];

	for (size_t i = 0; i < n->count; i++) {
		struct pg_name *name = &n->names[i];

		resolve_free(name->resolve);
		name->resolve = NULL;
		if (!is_name(name->host))
			continue;
		/* The port is libpq's business. */
		snprintf(address, sizeof(address), "%s:0", name->host);
		name->resolve = resolve_start(address);
	}
}

bool
pg_names_done(const struct pg_names *n)
{
	for (size_t i = 0; i < n->count; i++)
		if (n->names[i].resolve != NULL && !resolve_done(n->names[i].resolve))
			return false;
	return true;
}

bool
pg_names_take(struct pg_names *n, const char **why)
{
	buf_clear(&n->host);
	buf_clear(&n->hostaddr);
	buf_clear(&n->port);
	for (size_t i = 0; i < n->count; i++) {
		const struct pg_name *name = &n->names[(i + n->failures) % n->count];
		const struct net_addr *addrs;
		char text[NET_TEXT_SIZE] = "";

		if (name->resolve != NULL) {
			size_t found = resolve_result(name->resolve, &addrs, why);

			if (found == 0)
				continue;
			net_text(&addrs[n->failures % found].sa, text);
		}
		put_item(&n->host, name->host);
		put_item(&n->hostaddr, text);
		put_item(&n->port, name->port);
	}
	return n->count == 0 || buf_size(&n->host) > 0;
}

static const char *
option(const PQconninfoOption *options, const char *keyword)
{
	for (; options->keyword != NULL; options++)
		if (strcmp(options->keyword, keyword) == 0 && options->val != NULL &&
		    options->val[0] != '\0')
			return options->val;
	return NULL;
}

/* One port is everyone's; otherwise there is one for each host, as libpq wants it. */
static void
split(struct pg_names *n, const char *hosts, const char *ports)
{
	bool shared = strchr(ports, ',') == NULL;
	str host_rest = str_of(hosts), port_rest = str_of(ports);

	while (host_rest.p != NULL && n->count < PG_MAX_HOSTS) {
		struct pg_name *name = &n->names[n->count++];
		str host, port;

		host_rest = str_cut(host_rest, ',', &host);
		if (shared)
			port = str_of(ports);
		else
			port_rest = str_cut(port_rest, ',', &port);
		*name = (struct pg_name){ .host = copy(host), .port = copy(port) };
	}
	if (host_rest.p != NULL)
		pg_names_fini(n);
}

/* Not an address, not the directory or abstract name of a Unix socket, not empty. */
static bool
is_name(const char *host)
{
	struct in6_addr addr;

	return host[0] != '\0' && host[0] != '/' && host[0] != '@' &&
	       inet_pton(AF_INET, host, &addr) != 1 &&
	       inet_pton(AF_INET6, host, &addr) != 1;
}

/* Keeps the NUL behind the list. */
static void
put_item(struct buf *list, const char *item)
{
	if (buf_size(list) > 0)
		list->p[list->len - 1] = ',';
	buf_add(list, item, strlen(item) + 1);
}

static char *
copy(str s)
{
	char *text = xmalloc(s.n + 1);

	if (s.n > 0)
		memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return text;
}
