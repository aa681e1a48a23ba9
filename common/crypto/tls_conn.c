/*
 * A connection. OpenSSL never touches the socket for reading: what one recv brought is
 * given to it, and all text that is in it is taken out before the call ends. So a
 * connection with something to read is always one whose socket is readable, as without
 * TLS, and there is no SSL_pending to forget. Writing goes straight to the socket.
 *
 *   recv ──> out[SLACK..] ──> input ──BIO──> SSL ──> out[0..]     one call, one buffer
 *
 * The text never overtakes the bytes that it is made of: it is shorter, and ahead of it
 * is at most what SSL had of an incomplete record, which is less than SLACK.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "base/buf.h"
#include "crypto/tls_impl.h"

enum {
	SLACK = 20480, /* more than a record and its frame (RFC 8446, 5.2) */
};

struct tls_conn {
	struct tls *tls; /* had */
	SSL *ssl;        /* owned */
	str input;       /* borrowed for one call; what SSL has not taken yet */
	struct buf kept; /* of input, while a handshake waits to write */
	int fd;          /* borrowed */
	const char *why; /* borrowed for ever; of a broken one */
	bool open;
	bool blocked;
	bool ended; /* the client said that nothing follows */
	bool broken;
};

static BIO_METHOD *method(void);

struct tls_conn *
tls_conn_new(struct tls *t, int fd, str early)
{
	struct tls_conn *c = xcalloc(1, sizeof(*c));
	BIO *bio = BIO_new(method());

	ASSERT(bio != NULL);
	c->tls = tls_take(t);
	c->fd = fd;
	c->ssl = tls_start(t);
	buf_add_str(&c->kept, early);
	BIO_set_data(bio, c);
	BIO_set_init(bio, 1);
	SSL_set_bio(c->ssl, bio, bio);
	SSL_set_accept_state(c->ssl);
	return c;
}

void
tls_conn_free(struct tls_conn *c)
{
	if (c == NULL)
		return;
	SSL_free(c->ssl);
	buf_fini(&c->kept);
	tls_put(c->tls);
	free(c);
}

/* --- what SSL reads from and writes to -----------------------------------------------
 */

static int
bio_read(BIO *bio, char *out, int size)
{
	struct tls_conn *c = BIO_get_data(bio);
	size_t n = (size_t)size < c->input.n ? (size_t)size : c->input.n;

	BIO_clear_retry_flags(bio);
	if (n == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(out, c->input.p, n);
	c->input = (str){ c->input.p + n, c->input.n - n };
	return (int)n;
}

static bool
not_now(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static int
bio_write(BIO *bio, const char *bytes, int size)
{
	const struct tls_conn *c = BIO_get_data(bio);
	ssize_t n = send(c->fd, bytes, (size_t)size, MSG_NOSIGNAL);

	BIO_clear_retry_flags(bio);
	if (n < 0 && not_now(errno))
		BIO_set_retry_write(bio);
	return (int)n;
}

static long
bio_ctrl(BIO *bio, int what, long number, void *arg)
{
	(void)bio;
	(void)number;
	(void)arg;
	return what == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *made; /* owned until the process ends */

static void
make_method(void)
{
	made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "onrush");
	ASSERT(made != NULL);
	BIO_meth_set_read(made, bio_read);
	BIO_meth_set_write(made, bio_write);
	BIO_meth_set_ctrl(made, bio_ctrl);
}

static BIO_METHOD *
method(void)
{
	static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;

	ASSERT(CRYPTO_THREAD_run_once(&once, make_method) == 1);
	return made;
}

/* --- reading -------------------------------------------------------------------------
 */

/* After SSL has not given what it was asked for: is there more to wait for? */
static int
why_not(struct tls_conn *c, int rc)
{
	switch (SSL_get_error(c->ssl, rc)) {
	case SSL_ERROR_WANT_READ: return TLS_AGAIN;
	case SSL_ERROR_WANT_WRITE: return TLS_AGAIN;
	case SSL_ERROR_ZERO_RETURN: c->ended = true; return 0;
	default:
		c->broken = true;
		c->why = ERR_reason_error_string(ERR_peek_last_error());
		ERR_clear_error();
		return TLS_BROKEN;
	}
}

static int
shake(struct tls_conn *c)
{
	int rc = SSL_do_handshake(c->ssl);

	if (rc == 1) {
		c->open = true;
		c->blocked = false;
		return 0;
	}
	rc = why_not(c, rc);
	c->blocked = rc == TLS_AGAIN && SSL_want_write(c->ssl);
	return rc == 0 ? TLS_BROKEN : rc;
}

/* Takes out all text that is in the input. */
static ssize_t
take_text(struct tls_conn *c, char *out, size_t size)
{
	size_t total = 0, n;
	int rc;

	while (SSL_read_ex(c->ssl, out + total, size - total, &n) == 1) {
		total += n;
		ASSERT(total < size);
	}
	rc = why_not(c, 0);
	/* To read, SSL writes only alerts, which it does not wait for. */
	if (rc == TLS_AGAIN && SSL_want_write(c->ssl)) {
		c->broken = true;
		rc = TLS_BROKEN;
	}
	return total > 0 && rc != TLS_BROKEN ? (ssize_t)total : rc;
}

/* Gives SSL what was read from the socket, and takes all text that it gives. */
static ssize_t
digest(struct tls_conn *c, char *out, size_t size)
{
	ssize_t rc = 0;

	ERR_clear_error();
	if (!c->open)
		rc = shake(c);
	if (rc == 0)
		rc = take_text(c, out, size);
	if (rc == TLS_AGAIN && c->blocked) {
		buf_clear(&c->kept);
		buf_add_str(&c->kept, c->input);
	}
	c->input = STR_NULL;
	return rc;
}

/* Of what was kept, moved into the buffer, so that it is like what is received. */
static size_t
take_kept(struct tls_conn *c, char *at, size_t room)
{
	size_t n = buf_size(&c->kept);

	ASSERT(n <= room);
	if (n > 0)
		memcpy(at, buf_str(&c->kept).p, n);
	buf_fini(&c->kept);
	return n;
}

ssize_t
tls_conn_read(struct tls_conn *c, char *out, size_t size)
{
	char *at = out + SLACK;
	bool was_blocked = c->blocked;
	size_t kept;
	ssize_t n;

	ASSERT(size >= TLS_READ_MIN);
	if (c->broken)
		return TLS_BROKEN;
	kept = take_kept(c, at, size - SLACK);
	/* Of a blocked handshake only the part that is kept may be there to go on with:
	 * else what is kept would grow. */
	n = was_blocked || kept > 0 ? 0 : recv(c->fd, at, size - SLACK, 0);
	if (n < 0)
		return not_now(errno) ? TLS_AGAIN : TLS_BROKEN;
	if (n == 0 && kept == 0 && !was_blocked)
		return 0;
	c->input = (str){ at, kept + (size_t)n };
	return c->ended ? 0 : digest(c, out, size);
}

/* --- writing -------------------------------------------------------------------------
 */

ssize_t
tls_conn_write(struct tls_conn *c, str text)
{
	size_t total = 0, n;
	int rc = 0;

	if (c->broken)
		return TLS_BROKEN;
	ERR_clear_error();
	while (total < text.n && rc == 0) {
		if (SSL_write_ex(c->ssl, text.p + total, text.n - total, &n) == 1)
			total += n;
		else
			rc = why_not(c, 0);
	}
	if (rc == TLS_BROKEN || total > 0)
		return rc == TLS_BROKEN ? TLS_BROKEN : (ssize_t)total;
	return rc;
}

int
tls_conn_finish(struct tls_conn *c)
{
	int rc;

	if (c->broken)
		return TLS_BROKEN;
	ERR_clear_error();
	rc = SSL_shutdown(c->ssl);
	return rc >= 0 ? 0 : why_not(c, rc);
}

/* --- what there is -------------------------------------------------------------------
 */

bool
tls_conn_open(const struct tls_conn *c)
{
	return c->open;
}

bool
tls_conn_blocked(const struct tls_conn *c)
{
	return c->blocked;
}

const char *
tls_conn_why(const struct tls_conn *c)
{
	return c->why == NULL ? "the connection broke" : c->why;
}

bool
tls_conn_is_13(const struct tls_conn *c)
{
	return SSL_version(c->ssl) == TLS1_3_VERSION;
}

bool
tls_conn_resumed(const struct tls_conn *c)
{
	return SSL_session_reused(c->ssl);
}

bool
tls_conn_h2(const struct tls_conn *c)
{
	const unsigned char *name;
	unsigned size;

	SSL_get0_alpn_selected(c->ssl, &name, &size);
	return size == 2 && memcmp(name, "h2", 2) == 0;
}
