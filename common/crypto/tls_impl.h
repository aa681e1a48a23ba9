/*
 * What the files of TLS share and nobody else includes.
 *
 *   tls.c          certificates, keys and rules; which of them a client gets
 *   tls_tickets.c  the keys of session tickets
 *   tls_conn.c     a connection
 */
#ifndef ONRUSH_CRYPTO_TLS_IMPL_H
#define ONRUSH_CRYPTO_TLS_IMPL_H

#include <openssl/ssl.h>

#include "crypto/tls.h"

/* Starts a connection by the first pair's rules. */
SSL *tls_start(struct tls *t);

/* Makes and takes tickets with the keys of the process. */
void tls_tickets_use(SSL_CTX *ctx);

/* How long a ticket is good for at least; at most twice as long. */
enum {
	TLS_TICKET_SECONDS = 4 * 3600
};

#endif
