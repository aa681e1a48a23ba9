/*
 * Addresses of clients: which one it is, what counts as one client, and whether it is on
 * a list. Pure. An IPv4 address is kept as the IPv6 address it is mapped to
 * (RFC 4291, 2.5.5.2), so that one comparison serves both.
 */
#ifndef ONRUSH_GATEWAY_EDGE_ADDRESS_RULES_H
#define ONRUSH_GATEWAY_EDGE_ADDRESS_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/die.h"
#include "base/str.h"

enum {
	ADDRESS_NETWORKS = 64, /* of a list, at most */
};

struct address {
	uint64_t high, low; /* of the 128 bits */
};

/* False when it is not an address as text, without a port. */
bool address_parse(str text, struct address *out) MUST_USE;

/* What one client has: an IPv4 address, or the /64 of an IPv6 address, which each home
 * and each phone gets at least. Different for different ones. */
uint64_t address_subject(const struct address *address);

/* Networks: "127.0.0.0/8, ::1, 10.1.2.3". */
struct address_list {
	size_t count;
	struct {
		struct address network, mask;
	} networks[ADDRESS_NETWORKS];
};

/* An empty text is an empty list. False with a sentence in err[err_size] when it is not a
 * list, or bits behind a network's length are set. */
bool address_list_parse(
    str text, struct address_list *out, char *err, size_t err_size) MUST_USE;
/* The same of a setting, whose name the sentence begins with. */
bool address_setting_read(const char *name, const char *text, struct address_list *out,
    char *err, size_t err_size) MUST_USE;
bool address_list_has(const struct address_list *list, const struct address *address);

#endif
