/*
 * Session tickets (RFC 5077, 4): AES-256-CBC and HMAC-SHA256 with the keys that all
 * threads share. The lock is taken once for each handshake, to copy a key.
 */
#include <pthread.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/clock.h"
#include "crypto/tls_impl.h"
#include "crypto/tls_ticket_ring.h"

static const int64_t term_us = TLS_TICKET_SECONDS * CLOCK_US_PER_SEC;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_CIPHER *cipher; /* owned until the process ends */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct ticket_ring ring; /* guarded by mutex */

static void
init_once(void)
{
	cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	ASSERT(cipher != NULL);
}

/* Under the mutex. False: there is no randomness to be had. */
static bool
turn(void)
{
	struct ticket_key fresh;
	int64_t now_us = clock_mono_us();

	if (!ticket_ring_due(&ring, now_us, term_us))
		return true;
	if (RAND_bytes(fresh.name, sizeof(fresh.name)) != 1 ||
	    RAND_priv_bytes(fresh.cipher, sizeof(fresh.cipher)) != 1 ||
	    RAND_priv_bytes(fresh.mac, sizeof(fresh.mac)) != 1)
		return false;
	ticket_ring_turn(&ring, &fresh, now_us, term_us);
	explicit_bzero(&fresh, sizeof(fresh));
	return true;
}

/* Copies the key with this name, or for NULL the one that makes tickets. */
static bool
pick(const unsigned char *name, struct ticket_key *key, bool *newest)
{
	const struct ticket_key *found = NULL;

	pthread_mutex_lock(&mutex);
	if (turn())
		found = name == NULL ? &ring.keys[0] : ticket_ring_find(&ring, name);
	if (found != NULL)
		*key = *found;
	*newest = found == &ring.keys[0];
	pthread_mutex_unlock(&mutex);
	return found != NULL;
}

static bool
start_mac(EVP_MAC_CTX *mac, struct ticket_key *key)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
		    OSSL_MAC_PARAM_KEY, key->mac, sizeof(key->mac)),
		OSSL_PARAM_construct_utf8_string(
		    OSSL_MAC_PARAM_DIGEST, (char[]){ "SHA256" }, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* 1: go on; 0: no ticket, or one that is not known: a full handshake; 2: it is good, and
 * a newer one is given; -1: failed. */
static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *ctx,
    EVP_MAC_CTX *mac, int making)
{
	struct ticket_key key;
	bool newest;
	int rc = -1;

	(void)ssl;
	pthread_once(&once, init_once);
	if (!pick(making ? NULL : name, &key, &newest))
		return making ? -1 : 0;
	if (making) {
		memcpy(name, key.name, sizeof(key.name));
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(cipher)) == 1 &&
		    EVP_EncryptInit_ex2(ctx, cipher, key.cipher, iv, NULL) == 1 &&
		    start_mac(mac, &key))
			rc = 1;
	} else if (EVP_DecryptInit_ex2(ctx, cipher, key.cipher, iv, NULL) == 1 &&
		   start_mac(mac, &key)) {
		rc = newest ? 1 : 2;
	}
	explicit_bzero(&key, sizeof(key));
	return rc;
}

void
tls_tickets_use(SSL_CTX *ctx)
{
	/* Sessions are nowhere but in tickets: nothing to share or to fill up. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx, TLS_TICKET_SECONDS);
	ASSERT(SSL_CTX_set_num_tickets(ctx, 1) == 1);
	ASSERT(SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1);
}
