/*
 * The servers of a service as a setting names them: "coupon-1:8081, coupon-2:8081
 * weight=2, srv:_coupon._tcp.example, unix:/run/coupon.sock". A name may stand for
 * several servers; what it stands for is looked up again and again (directory.h).
 */
#ifndef ONRUSH_GATEWAY_UPSTREAM_SERVER_LIST_H
#define ONRUSH_GATEWAY_UPSTREAM_SERVER_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum {
	SERVER_LIST_MAX = 32,     /* entries of one list */
	SERVER_NAME_SIZE = 272,   /* with the NUL */
	SERVER_PATH_MAX = 112,    /* of "unix:/path", in bytes */
	SERVER_WEIGHT_MAX = 1000, /* of one entry; 1 unless it says so */
};

struct server_entry {
	char name[SERVER_NAME_SIZE]; /* "host:port", "unix:/path", the name of SRV
				      * records */
	int weight;
	bool srv;
};

/* False with a sentence in err[err_size]; an empty text is an empty list. */
bool server_list_parse(str text, struct server_entry entries[SERVER_LIST_MAX],
    size_t *count, char *err, size_t err_size) MUST_USE;

#endif
