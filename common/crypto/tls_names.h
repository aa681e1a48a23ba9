/*
 * Which certificate fits the name that a client asks for (RFC 6066, 3; RFC 9525, 6.3):
 * pure, and blind to what else a certificate says.
 */
#ifndef ONRUSH_CRYPTO_TLS_NAMES_H
#define ONRUSH_CRYPTO_TLS_NAMES_H

#include "base/str.h"

enum tls_fit {
	TLS_FIT_NOT,
	TLS_FIT_WILDCARD, /* "*.example.com" for a name of one label more */
	TLS_FIT_EXACT,
};

/* How a certificate's DNS name fits. Letters are alike in both cases; a dot at the
 * asked name's end is not looked at. */
enum tls_fit tls_name_fit(str certified, str asked);

#endif
