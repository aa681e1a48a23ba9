/*
 * TLS 1.2 and 1.3, the server's side.
 *
 *   files ──tls_new──> tls: certificates, keys, rules; unchangeable, shared by threads
 *                       ^ has
 *   socket <──bytes── tls_conn <──text── who serves
 *
 * Clients are not asked for certificates, nothing is compressed, nobody may renegotiate,
 * there is no early data (which may be played back). Sessions are resumed by tickets
 * whose keys all tls of the process share, so that any worker, and the certificates of
 * tomorrow, take the tickets of today.
 */
#ifndef ONRUSH_CRYPTO_TLS_H
#define ONRUSH_CRYPTO_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/die.h"
#include "base/str.h"

struct tls;
struct tls_conn;

/* PEM files: the certificate and those that lead to its root; its private key. */
struct tls_pair {
	const char *cert;
	const char *key;
};

struct tls_conf {
	const struct tls_pair *pairs; /* borrowed for the call, like all here */
	size_t count;                 /* at least 1; the first serves unknown names */
	bool only_13;                 /* no TLS 1.2 */
	bool h2;                      /* ALPN offers h2 before http/1.1 */
};

/* NULL with a sentence in err[err_size] that names the file: it cannot be read, is no
 * certificate or key, or the two do not belong together. An expired certificate is
 * used: whoever must not see it will say so. */
struct tls *tls_new(const struct tls_conf *conf, char *err, size_t err_size) MUST_USE;
/* Another user; each ends with tls_put. Any thread. NULL is fine. */
struct tls *tls_take(struct tls *t);
void tls_put(struct tls *t);

/* When a pair's certificate expires, in seconds since 1970. */
int64_t tls_expires(const struct tls *t, size_t pair);

/* --- a connection --------------------------------------------------------------------
 */

enum {
	/* What is less than a number of bytes. */
	TLS_AGAIN = -1,  /* nothing now; when the socket is ready again */
	TLS_BROKEN = -2, /* for ever */

	TLS_READ_MIN = 65536, /* the least that tls_conn_read is given room for */
};

/* For a connected, non-blocking socket, which stays the caller's. `early` are bytes that
 * have already been read from it. The caller owns the result. */
struct tls_conn *tls_conn_new(struct tls *t, int fd, str early);
void tls_conn_free(struct tls_conn *c); /* NULL is fine */

/*
 * Goes on with the handshake, then gives text: its size, 0 when the client will send
 * nothing more, or one of the above. Nothing of what was read from the socket is kept
 * back, so that it need not be called before the socket is readable again (but see
 * tls_conn_blocked).
 */
ssize_t tls_conn_read(struct tls_conn *c, char *out, size_t size) MUST_USE;

/* After the handshake: how much of the text was taken. What was not must be given again,
 * unchanged and first. */
ssize_t tls_conn_write(struct tls_conn *c, str text) MUST_USE;

/* Says that nothing more will be sent. 0, or one of the above. */
int tls_conn_finish(struct tls_conn *c);

/* The handshake is complete. */
bool tls_conn_open(const struct tls_conn *c);
/* The handshake waits until the socket is writable, then for tls_conn_read. */
bool tls_conn_blocked(const struct tls_conn *c);

/* What OpenSSL says of a broken one, for a log; borrowed for ever. */
const char *tls_conn_why(const struct tls_conn *c);

/* What was agreed on, when open. */
bool tls_conn_is_13(const struct tls_conn *c);
bool tls_conn_resumed(const struct tls_conn *c);
bool tls_conn_h2(const struct tls_conn *c);

#endif
