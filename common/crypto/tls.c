/*
 * Certificates, keys and rules. Every pair has a context of OpenSSL's with the same
 * rules; a connection begins with the first and is moved to the one whose certificate
 * fits the name that its client asks for.
 */
#include "crypto/tls.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "crypto/tls_impl.h"
#include "crypto/tls_names.h"

/* Forward secrecy and authenticated encryption only; the cheap one first, but for those
 * who have no instructions for AES and say so by their order. */
#define SUITES_12                                                                        \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                     \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"                     \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
#define SUITES_13                                                                        \
	"TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"

/* One pair. */
struct identity {
	SSL_CTX *ctx; /* owned */
	char **names; /* owned, and each of them; DNS names of the certificate */
	size_t name_count;
	int64_t expires; /* seconds since 1970 */
};

struct tls {
	struct identity *identities; /* owned */
	size_t count;
	bool h2;
	atomic_uint users;
};

static bool
load(struct tls *t, size_t i, const struct tls_conf *conf, char *err, size_t err_size);

/* Writes the sentence for the caller. Always false. */
static bool PRINTF_LIKE(3, 4) fail(char *err, size_t err_size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, err_size, fmt, ap);
	va_end(ap);
	ERR_clear_error(); /* else it would puzzle who looks at this thread's next */
	return false;
}

struct tls *
tls_new(const struct tls_conf *conf, char *err, size_t err_size)
{
	struct tls *t = xcalloc(1, sizeof(*t));

	ASSERT(conf->count > 0);
	t->users = 1;
	t->h2 = conf->h2;
	t->identities = xcalloc(conf->count, sizeof(*t->identities));
	for (t->count = 0; t->count < conf->count; t->count++) {
		if (load(t, t->count, conf, err, err_size))
			continue;
		t->count++; /* what there is of it */
		tls_put(t);
		return NULL;
	}
	return t;
}

struct tls *
tls_take(struct tls *t)
{
	if (t != NULL)
		atomic_fetch_add(&t->users, 1);
	return t;
}

void
tls_put(struct tls *t)
{
	if (t == NULL || atomic_fetch_sub(&t->users, 1) > 1)
		return;
	for (size_t i = 0; i < t->count; i++) {
		struct identity *id = &t->identities[i];

		for (size_t k = 0; k < id->name_count; k++)
			free(id->names[k]);
		free(id->names);
		SSL_CTX_free(id->ctx);
	}
	free(t->identities);
	free(t);
}

int64_t
tls_expires(const struct tls *t, size_t pair)
{
	ASSERT(pair < t->count);
	return t->identities[pair].expires;
}

SSL *
tls_start(struct tls *t)
{
	SSL *ssl = SSL_new(t->identities[0].ctx);

	ASSERT(ssl != NULL); /* out of memory */
	return ssl;
}

/* --- what a client asks for ----------------------------------------------------------
 */

static enum tls_fit
best_fit(const struct identity *id, str asked)
{
	enum tls_fit best = TLS_FIT_NOT, fit;

	for (size_t i = 0; i < id->name_count; i++) {
		fit = tls_name_fit(str_of(id->names[i]), asked);
		best = fit > best ? fit : best;
	}
	return best;
}

static int
on_name(SSL *ssl, int *alert, void *arg)
{
	const struct tls *t = arg;
	const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct identity *chosen = &t->identities[0];
	enum tls_fit best = TLS_FIT_NOT, fit;

	(void)alert;
	for (size_t i = 0; asked != NULL && i < t->count; i++) {
		fit = best_fit(&t->identities[i], str_of(asked));
		if (fit > best) {
			best = fit;
			chosen = &t->identities[i];
		}
	}
	if (chosen != &t->identities[0])
		ASSERT(SSL_set_SSL_CTX(ssl, chosen->ctx) == chosen->ctx);
	return SSL_TLSEXT_ERR_OK;
}

/* Who offers nothing that we speak gets an alert (RFC 7301, 3.2). */
static int
on_protocols(SSL *ssl, const unsigned char **out, unsigned char *out_size,
    const unsigned char *offered, unsigned offered_size, void *arg)
{
	static const unsigned char both[] = "\x02h2\x08http/1.1";
	const struct tls *t = arg;
	const unsigned char *ours = t->h2 ? both : both + 3;
	unsigned size = (unsigned)sizeof(both) - 1 - (t->h2 ? 0 : 3);
	unsigned char *chosen;

	(void)ssl;
	if (SSL_select_next_proto(&chosen, out_size, ours, size, offered, offered_size) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* --- loading -------------------------------------------------------------------------
 */

/* A key with a passphrase must not stop the program to ask a terminal for it. */
static int
no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static bool
is_readable(const char *path, char *err, size_t err_size)
{
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return fail(err, err_size, "cannot read %s: %s", path, strerror(errno));
	fclose(f);
	return true;
}

static const char *
reason(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	return text == NULL ? "no reason given" : text;
}

static bool
use_pair(SSL_CTX *ctx, const struct tls_pair *pair, char *err, size_t err_size)
{
	if (!is_readable(pair->cert, err, err_size) ||
	    !is_readable(pair->key, err, err_size))
		return false;
	if (SSL_CTX_use_certificate_chain_file(ctx, pair->cert) != 1)
		return fail(err, err_size, "%s has no certificate that can be used: %s",
		    pair->cert, reason());
	if (SSL_CTX_use_PrivateKey_file(ctx, pair->key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(ctx) != 1)
		return fail(err, err_size,
		    "%s has no private key, without a passphrase, for the certificate "
		    "of %s: %s",
		    pair->key, pair->cert, reason());
	return true;
}

static void
add_name(struct identity *id, const ASN1_STRING *text)
{
	const char *bytes = (const char *)ASN1_STRING_get0_data(text);
	size_t size = (size_t)ASN1_STRING_length(text);
	char *copy;

	if (size == 0 || memchr(bytes, '\0', size) != NULL)
		return;
	copy = xcalloc(1, size + 1);
	memcpy(copy, bytes, size);
	id->names = xrealloc(id->names, (id->name_count + 1) * sizeof(*id->names));
	id->names[id->name_count++] = copy;
}

/* The names of the extension for them, or without it the subject's common name. */
static void
read_names(struct identity *id, X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	X509_NAME *subject = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			add_name(id, name->d.dNSName);
	}
	if (names == NULL && at >= 0)
		add_name(id, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	GENERAL_NAMES_free(names);
}

static void
set_rules(SSL_CTX *ctx, struct tls *t, bool only_13)
{
	char groups[] = "X25519:P-256:P-384"; /* not const for OpenSSL's macro */

	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
				     SSL_OP_CIPHER_SERVER_PREFERENCE |
				     SSL_OP_PRIORITIZE_CHACHA);
	/* What is not sent at once is given again from another place. A connection that
	 * waits needs no buffers. */
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ctx, 1); /* whole records at a time; see tls_conn.c */
	ASSERT(SSL_CTX_set_min_proto_version(
		   ctx, only_13 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1);
	ASSERT(SSL_CTX_set_cipher_list(ctx, SUITES_12) == 1);
	ASSERT(SSL_CTX_set_ciphersuites(ctx, SUITES_13) == 1);
	ASSERT(SSL_CTX_set1_groups_list(ctx, groups) == 1);
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	SSL_CTX_set_alpn_select_cb(ctx, on_protocols, t);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_name);
	SSL_CTX_set_tlsext_servername_arg(ctx, t);
	tls_tickets_use(ctx);
}

static bool
load(struct tls *t, size_t i, const struct tls_conf *conf, char *err, size_t err_size)
{
	struct identity *id = &t->identities[i];
	X509 *cert;
	struct tm tm;

	ERR_clear_error();
	id->ctx = SSL_CTX_new(TLS_server_method());
	ASSERT(id->ctx != NULL);
	set_rules(id->ctx, t, conf->only_13);
	if (!use_pair(id->ctx, &conf->pairs[i], err, err_size))
		return false;
	cert = SSL_CTX_get0_certificate(id->ctx);
	if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) != 1)
		return fail(err, err_size, "%s does not say when it expires",
		    conf->pairs[i].cert);
	id->expires = timegm(&tm);
	read_names(id, cert);
	return true;
}
