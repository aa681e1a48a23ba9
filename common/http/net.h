/*
 * Addresses and sockets for the server and the client. Nothing here blocks but
 * net_resolve, which is for the start of a program.
 */
#ifndef ONRUSH_HTTP_NET_H
#define ONRUSH_HTTP_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/die.h"

enum {
	NET_TEXT_SIZE = 46, /* INET6_ADDRSTRLEN */
};

struct net_addr {
	struct sockaddr_storage sa;
	socklen_t size;
};

/*
 * "127.0.0.1:8080", "[::1]:8080", "name:8080", ":8080" (any address), "unix:/path" to at
 * most `max` addresses; how many. 0 with a sentence in err[err_size] if there are none.
 */
size_t net_resolve(
    const char *address, struct net_addr *out, size_t max, char *err, size_t err_size);

/* Is it a path? */
bool net_is_path(const struct net_addr *addr) MUST_USE;

/* A non-blocking listening socket; -1 and errno. The first of an address fails when
 * another process listens there; the others `join` it: they share its port
 * (SO_REUSEPORT). A path has one socket only. */
int net_listen(const struct net_addr *addr, int backlog, bool join);

/* Is it a stream socket that listens at this address? */
bool net_listens_at(int fd, const struct net_addr *addr) MUST_USE;
/* Is it bound to a path? */
bool net_at_path(int fd) MUST_USE;

/* A non-blocking socket that is being connected; writable when that has ended. -1 and
 * errno. */
int net_connect(const struct net_addr *addr);

/* How connecting ended: 0 or an errno. */
int net_connect_error(int fd);

/* Sends small messages at once. */
void net_nodelay(int fd);

/* The address without port as text; an IPv4 address mapped into IPv6 as IPv4; "unix" for
 * who came by a path. */
void net_text(const struct sockaddr_storage *sa, char out[NET_TEXT_SIZE]);

/* Bytes that a socket took and the other side has not acknowledged; 0 if that is not
 * known. */
size_t net_unsent(int fd) MUST_USE;

/* The port a socket is bound to. */
int net_port(int fd);
void net_set_port(struct net_addr *addr, int port);

/* errno after recv or send says only "not now". */
bool net_again(int error) MUST_USE;

#endif
