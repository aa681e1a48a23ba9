/*
 * The sockets that a process listens with: at each address one for each worker, all of
 * one port (SO_REUSEPORT); at a path one that all workers have. They are opened by the
 * first worker that asks, or before: on the main thread, while the process still has its
 * privileges.
 *
 * A socket that was handed over (app/manager.h) is used as it is, with the connections
 * that already wait in it: closing one of several sockets of a port would reset those.
 *
 *   handed over: s0 s1 s2, two workers      worker 0: s0 s2    worker 1: s1
 *   handed over: s0,       two workers      worker 0: s0       worker 1: a new one, or
 *                                                                        s0 as well
 *
 * One thread at a time, as worker_start runs.
 */
#ifndef ONRUSH_HTTP_SOCKETS_H
#define ONRUSH_HTTP_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/die.h"

enum {
	SOCKETS_SHARE = 64, /* of one address for one worker at most */
};

/*
 * Listens at `address` ("127.0.0.1:8080", "[::]:8080"; port 0: one that is free;
 * "unix:/path") for `workers` workers. False, with an error logged that names the setting
 * the address comes from.
 */
bool sockets_open(const char *setting, const char *address, int workers) MUST_USE;

/*
 * Gives a worker its sockets of an address, which is opened if it is not; the caller owns
 * them. How many: 0, with an error logged, when there is no listening there.
 */
size_t sockets_take(const char *setting, const char *address, int worker, int workers,
    int fds[SOCKETS_SHARE]);

/* Closes those that no worker has taken. */
void sockets_close(void);

#endif
