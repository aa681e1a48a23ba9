/*
 * The certificates and keys of the gateway's TLS: read from the files that the settings
 * name, again on SIGHUP, and handed to the workers. Files that do not fit are refused
 * together, and those that were read before stay in force.
 *
 *   files ──> tls (in force) <──has── each worker's httpd, within a second
 */
#ifndef ONRUSH_GATEWAY_EDGE_CERTIFICATES_H
#define ONRUSH_GATEWAY_EDGE_CERTIFICATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/conf.h"
#include "crypto/tls.h"
#include "http/httpd.h"

struct certificates_settings {
	struct httpd_opening opening; /* its text is owned by conf */
	const char *certs;            /* owned by conf, like the next two */
	const char *keys;
	const char *min_version;
};

#define CERTIFICATES_CONF_ITEMS(type, member)                                            \
	{ "ONRUSH_TLS_LISTEN", CONF_STRING, offsetof(type, member.opening.tls_listen),   \
		"", 0, 0,                                                                \
		"Address and port that are listened on for TLS; empty: none." },         \
	    { "ONRUSH_TLS_CERT", CONF_STRING, offsetof(type, member.certs), "", 0, 0,    \
		    "Certificate files (PEM, with the chain), by commas; the first is "  \
		    "for names that none has. SIGHUP reads them again." },               \
	    { "ONRUSH_TLS_KEY", CONF_STRING, offsetof(type, member.keys), "", 0, 0,      \
		    "Files of their private keys (PEM), in the same order." },           \
	    { "ONRUSH_TLS_MIN", CONF_STRING, offsetof(type, member.min_version), "1.2",  \
		    0, 0, "The oldest version of TLS that is spoken: 1.2 or 1.3." },     \
	    { "ONRUSH_HTTP2", CONF_BOOL, offsetof(type, member.opening.http2), "on", 0,  \
		    0,                                                                   \
		    "Whether HTTP/2 is spoken with clients that ask for it: by ALPN, "   \
		    "or without TLS by its preface." },                                  \
	{                                                                                \
		"ONRUSH_OPEN_TIMEOUT_MS", CONF_MS,                                       \
		    offsetof(type, member.opening.timeout_us), "5000", 10, 600000,       \
		    "From accepting a connection to the end of its PROXY header and "    \
		    "TLS handshake."                                                     \
	}

/* Are the settings right, and can the files be used? False with a sentence. */
bool certificates_check(
    const struct certificates_settings *settings, char *err, size_t err_size);

/* Reads the files; without ONRUSH_TLS_LISTEN there is nothing to do. Before the workers
 * start; false with an error logged. `settings` are borrowed until certificates_stop. */
bool certificates_start(const struct certificates_settings *settings);
/* Reads them again. */
void certificates_reload(void);
void certificates_stop(void);

/* Gives the server what is in force, unless *version says that it has it. Any worker. */
void certificates_give(struct httpd *httpd, uint64_t *version);

/* Once a day one line for each certificate that expires within two weeks; one thread. */
void certificates_watch(void);

#endif
