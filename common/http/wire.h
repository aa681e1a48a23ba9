/*
 * The bytes of one client connection, whatever carries them. Level-triggered: what
 * wire_read has not given is still in the kernel, and the descriptor is readable again.
 * It knows nothing of HTTP, of time-outs or of the loop.
 *
 *   conn ──> wire ──> socket
 */
#ifndef ONRUSH_HTTP_WIRE_H
#define ONRUSH_HTTP_WIRE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/die.h"
#include "base/str.h"

struct wire {
	int fd; /* owned */
};

/* What is less than a number of bytes. */
enum {
	WIRE_AGAIN = -1,  /* nothing now; ask again when the descriptor is ready */
	WIRE_BROKEN = -2, /* for ever: only wire_fini may follow */
};

/* Takes over a connected, non-blocking socket. */
void wire_init(struct wire *w, int fd);

/* Gives up to `size` bytes, 0 when the other side will send nothing more. */
ssize_t wire_read(struct wire *w, char *out, size_t size) MUST_USE;

/* How many bytes were taken. What was not must be given again, unchanged and first. */
ssize_t wire_write(struct wire *w, str bytes) MUST_USE;

/* Says that nothing more will be sent; reading goes on. 0, or as above. */
int wire_finish(struct wire *w) MUST_USE;

/* Throws away what was not sent: the other side gets an error from the wire_fini that
 * follows. */
void wire_reset(struct wire *w);

void wire_fini(struct wire *w);

#endif
