/*
 * Files of certificates and keys, and a server's TLS with OpenSSL's own client at the
 * other end of a pair of sockets: what the tests of TLS share. Include it after cmocka.h.
 */
#ifndef ONRUSH_TEST_TLS_RIG_H
#define ONRUSH_TEST_TLS_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "crypto/tls.h"

/* --- certificates --------------------------------------------------------------------
 */

static char dir[] = "/tmp/onrush-tls-XXXXXX";
static char cert_a[64], key_a[64], cert_b[64], key_b[64], locked[64], nothing[64];

static inline void
write_cert(const char *path, EVP_PKEY *key, const char *names, long days)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	X509_EXTENSION *ext =
	    X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), days * 24 * 3600);
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_ASC, (const unsigned char *)names, -1, -1, 0);
	X509_set_issuer_name(cert, name);
	X509_add_ext(cert, ext, -1);
	X509_set_pubkey(cert, key);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509(f, cert), 1);
	fclose(f);
	X509_EXTENSION_free(ext);
	X509_free(cert);
}

static inline void
write_key(const char *path, EVP_PKEY *key, char *passphrase)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(
	    PEM_write_PrivateKey(f, key, passphrase == NULL ? NULL : EVP_aes_128_cbc(),
		NULL, 0, NULL, passphrase),
	    1);
	fclose(f);
}

static inline void
make_pair(const char *letter, char cert[64], char key[64], const char *names, long days)
{
	EVP_PKEY *pair = EVP_EC_gen("P-256");

	snprintf(cert, 64, "%s/%s.crt", dir, letter);
	snprintf(key, 64, "%s/%s.key", dir, letter);
	write_cert(cert, pair, names, days);
	write_key(key, pair, NULL);
	EVP_PKEY_free(pair);
}

static inline int
make_files(void **state)
{
	EVP_PKEY *pair;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	make_pair("a", cert_a, key_a, "DNS:a.example", 30);
	make_pair("b", cert_b, key_b, "DNS:*.b.example,DNS:b.example", 10);
	snprintf(locked, sizeof(locked), "%s/locked.key", dir);
	snprintf(nothing, sizeof(nothing), "%s/nothing", dir);
	pair = EVP_EC_gen("P-256");
	write_key(locked, pair, (char[]){ "secret" });
	EVP_PKEY_free(pair);
	f = fopen(nothing, "w");
	fputs("nothing of that kind\n", f);
	fclose(f);
	return 0;
}

static inline int
remove_files(void **state)
{
	const char *const files[] = { cert_a, key_a, cert_b, key_b, locked, nothing };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		unlink(files[i]);
	return rmdir(dir);
}

static inline struct tls *
new_tls(bool only_13, bool h2)
{
	const struct tls_pair pairs[] = { { cert_a, key_a }, { cert_b, key_b } };
	const struct tls_conf conf = { pairs, 2, only_13, h2 };
	char err[512];
	struct tls *t = tls_new(&conf, err, sizeof(err));

	if (t == NULL)
		fail_msg("%s", err);
	return t;
}

/* --- two ends ------------------------------------------------------------------------
 */

struct ends {
	struct tls_conn *server; /* owned */
	SSL_CTX *ctx;            /* owned; the client's */
	SSL *client;             /* owned */
	int fds[2];              /* the server's, the client's */
};

static char room[TLS_READ_MIN];

static inline void
open_ends(struct ends *e, struct tls *t, const char *name)
{
	char asked[64]; /* not const for OpenSSL's macro */

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, e->fds), 0);
	e->server = tls_conn_new(t, e->fds[0], STR_NULL);
	e->ctx = SSL_CTX_new(TLS_client_method());
	e->client = SSL_new(e->ctx);
	SSL_set_fd(e->client, e->fds[1]);
	SSL_set_connect_state(e->client);
	if (name != NULL) {
		snprintf(asked, sizeof(asked), "%s", name);
		SSL_set_tlsext_host_name(e->client, asked);
	}
}

static inline void
close_ends(struct ends *e)
{
	tls_conn_free(e->server);
	SSL_free(e->client);
	SSL_CTX_free(e->ctx);
	close(e->fds[0]);
	close(e->fds[1]);
	ERR_clear_error();
}

/* Both go on in turns until the server is through or has failed; what it said last. */
static inline ssize_t
shake(struct ends *e)
{
	ssize_t n = TLS_AGAIN;

	for (int i = 0; i < 20 && n == TLS_AGAIN && !tls_conn_open(e->server); i++) {
		(void)SSL_do_handshake(e->client);
		ERR_clear_error();
		n = tls_conn_read(e->server, room, sizeof(room));
	}
	return n;
}

static inline void
open_and_shake(struct ends *e, struct tls *t, const char *name)
{
	open_ends(e, t, name);
	assert_int_equal(shake(e), TLS_AGAIN);
	assert_true(tls_conn_open(e->server));
	assert_false(tls_conn_blocked(e->server));
}

/* The DNS names of the certificate that the client got. */
static inline bool
got_certificate_for(const struct ends *e, const char *name)
{
	X509 *cert = SSL_get1_peer_certificate(e->client);
	bool fits = X509_check_host(cert, name, 0, 0, NULL) == 1;

	X509_free(cert);
	return fits;
}

#endif
