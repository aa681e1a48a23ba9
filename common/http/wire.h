/*
 * The bytes of one client connection, whatever carries them. Level-triggered: what
 * wire_read has not given is still in the kernel, and the descriptor is readable again.
 * It knows nothing of HTTP, of time-outs or of the loop.
 *
 *   conn ──> wire ──┬──────────────> socket
 *                   └──> tls_conn ──────^
 */
#ifndef ONRUSH_HTTP_WIRE_H
#define ONRUSH_HTTP_WIRE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/die.h"
#include "base/str.h"
#include "crypto/tls.h"

struct wire {
	int fd;               /* owned */
	struct tls_conn *tls; /* owned; NULL: the bytes are the socket's */
};

/* What is less than a number of bytes. */
enum {
	WIRE_AGAIN = TLS_AGAIN,   /* nothing now; ask when the descriptor is ready */
	WIRE_BROKEN = TLS_BROKEN, /* for ever: only wire_fini may follow */

	WIRE_READ_MIN = TLS_READ_MIN, /* the least that wire_read is given room for */
};

/* Takes over a connected, non-blocking socket. */
void wire_init(struct wire *w, int fd);

/* From here on it is TLS, which has begun with the bytes `early`: wire_read goes on with
 * the handshake, and wire_write waits for its end. */
void wire_start_tls(struct wire *w, struct tls *tls, str early);
/* There is no handshake under way. */
bool wire_is_open(const struct wire *w);
/* The handshake waits until the descriptor is writable, then for wire_read. */
bool wire_is_blocked(const struct wire *w);

/* Gives up to `size` bytes, 0 when the other side will send nothing more. */
ssize_t wire_read(struct wire *w, char *out, size_t size) MUST_USE;

/* How many bytes were taken. What was not must be given again, unchanged and first. */
ssize_t wire_write(struct wire *w, str bytes) MUST_USE;

/* Says that nothing more will be sent; reading goes on. 0, or as above. */
int wire_finish(struct wire *w) MUST_USE;

/* Before wire_fini, when all has been sent and nobody waits for an end: says so where
 * there is a word for it. */
void wire_leave(struct wire *w);

/* Throws away what was not sent: the other side gets an error from the wire_fini that
 * follows. */
void wire_reset(struct wire *w);

void wire_fini(struct wire *w);

#endif
