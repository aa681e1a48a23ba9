/*
 * Ed25519 through OpenSSL's EVP. A key holds what does not change from one signature to
 * the next: the context, its id and the PEM text of its public half.
 */
#include "crypto/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/die.h"
#include "crypto/digest.h"

enum {
	PUBLIC_SIZE = 32,
	ID_BYTES = (SIGN_KEY_ID_SIZE - 1) / 2,
	PEM_SIZE = 256 /* a public key's is 113 */
};

/* What both halves have. */
struct key {
	EVP_PKEY *pkey;  /* owned */
	EVP_MD_CTX *ctx; /* owned */
	char id[SIGN_KEY_ID_SIZE];
};

struct sign_key {
	struct key key;
	char public_pem[PEM_SIZE];
};

struct verify_key {
	struct key key;
};

/* PEM_read_PrivateKey or PEM_read_PUBKEY. */
typedef EVP_PKEY *pem_reader(FILE *f, EVP_PKEY **pkey, pem_password_cb *cb, void *arg);

static bool fail(char *err, size_t err_size, const char *fmt, ...) PRINTF_LIKE(3, 4);
static bool load(struct key *key, const char *path, const char *what, pem_reader *read,
    char *err, size_t err_size);
static void fini(struct key *key);
static void make_id(struct key *key);
static void public_pem(EVP_PKEY *pkey, char pem[PEM_SIZE]);
static bool
write_file(const char *path, mode_t mode, BIO *content, char *err, size_t err_size);

/* Writes the sentence for the caller. Always false. */
static bool
fail(char *err, size_t err_size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, err_size, fmt, ap);
	va_end(ap);
	/* OpenSSL's queue of this thread must not puzzle whoever looks at it next. */
	ERR_clear_error();
	return false;
}

/* --- keys ----------------------------------------------------------------------------
 */

struct sign_key *
sign_key_load(const char *path, char *err, size_t err_size)
{
	struct sign_key *key = xcalloc(1, sizeof(*key));

	if (!load(&key->key, path, "private", PEM_read_PrivateKey, err, err_size)) {
		free(key);
		return NULL;
	}
	public_pem(key->key.pkey, key->public_pem);
	return key;
}

struct verify_key *
verify_key_load(const char *path, char *err, size_t err_size)
{
	struct verify_key *key = xcalloc(1, sizeof(*key));

	if (!load(&key->key, path, "public", PEM_read_PUBKEY, err, err_size)) {
		free(key);
		return NULL;
	}
	return key;
}

void
sign_key_free(struct sign_key *key)
{
	if (key == NULL)
		return;
	fini(&key->key);
	free(key);
}

void
verify_key_free(struct verify_key *key)
{
	if (key == NULL)
		return;
	fini(&key->key);
	free(key);
}

/* Without it OpenSSL would ask on the terminal. */
static int
no_password(char *buf UNUSED, int size UNUSED, int writing UNUSED, void *arg UNUSED)
{
	return -1;
}

static bool
load(struct key *key, const char *path, const char *what, pem_reader *read, char *err,
    size_t err_size)
{
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return fail(
		    err, err_size, "%s: cannot be read: %s.", path, strerror(errno));
	key->pkey = read(f, NULL, no_password, NULL);
	fclose(f);
	if (key->pkey == NULL || EVP_PKEY_get_id(key->pkey) != EVP_PKEY_ED25519) {
		EVP_PKEY_free(key->pkey);
		return fail(err, err_size,
		    "%s: must be an Ed25519 %s key in PEM form, without a password.",
		    path, what);
	}
	key->ctx = EVP_MD_CTX_new();
	ASSERT(key->ctx != NULL);
	make_id(key);
	return true;
}

static void
fini(struct key *key)
{
	EVP_MD_CTX_free(key->ctx);
	EVP_PKEY_free(key->pkey);
}

static void
make_id(struct key *key)
{
	uint8_t raw[PUBLIC_SIZE];
	size_t size = sizeof(raw);
	struct sha256 hash;

	ASSERT(EVP_PKEY_get_raw_public_key(key->pkey, raw, &size) == 1);
	ASSERT(size == sizeof(raw));
	hash = sha256_of(&(str){ (const char *)raw, size }, 1);
	hex_encode(hash.b, ID_BYTES, key->id);
}

static void
public_pem(EVP_PKEY *pkey, char pem[PEM_SIZE])
{
	BIO *bio = BIO_new(BIO_s_mem());
	int size;

	ASSERT(bio != NULL && PEM_write_bio_PUBKEY(bio, pkey) == 1);
	size = BIO_read(bio, pem, PEM_SIZE - 1);
	ASSERT(size > 0 && BIO_pending(bio) == 0);
	pem[size] = '\0';
	BIO_free(bio);
}

const char *
sign_key_id(const struct sign_key *key)
{
	return key->key.id;
}

const char *
verify_key_id(const struct verify_key *key)
{
	return key->key.id;
}

const char *
sign_key_public_pem(const struct sign_key *key)
{
	return key->public_pem;
}

/* --- signatures ----------------------------------------------------------------------
 */

void
sign_message(struct sign_key *key, str message, uint8_t signature[SIGN_SIZE])
{
	EVP_MD_CTX *ctx = key->key.ctx;
	size_t size = SIGN_SIZE;

	/* An Ed25519 context is good for one signature; reset keeps its memory. */
	ASSERT(EVP_MD_CTX_reset(ctx) == 1);
	ASSERT(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->key.pkey) == 1);
	ASSERT(EVP_DigestSign(
		   ctx, signature, &size, (const uint8_t *)message.p, message.n) == 1);
	ASSERT(size == SIGN_SIZE);
}

bool
verify_message(struct verify_key *key, str message, const uint8_t signature[SIGN_SIZE])
{
	EVP_MD_CTX *ctx = key->key.ctx;

	ASSERT(EVP_MD_CTX_reset(ctx) == 1);
	ASSERT(EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key->key.pkey) == 1);
	if (EVP_DigestVerify(
		ctx, signature, SIGN_SIZE, (const uint8_t *)message.p, message.n) == 1)
		return true;
	ERR_clear_error();
	return false;
}

/* --- a new pair ----------------------------------------------------------------------
 */

bool
sign_key_generate(
    const char *private_path, const char *public_path, char *err, size_t err_size)
{
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	BIO *private_bio = BIO_new(BIO_s_secmem()), *public_bio = BIO_new(BIO_s_mem());
	bool ok;

	ASSERT(pkey != NULL && private_bio != NULL && public_bio != NULL);
	ASSERT(PEM_write_bio_PKCS8PrivateKey(
		   private_bio, pkey, NULL, NULL, 0, NULL, NULL) == 1);
	ASSERT(PEM_write_bio_PUBKEY(public_bio, pkey) == 1);
	ok = write_file(private_path, 0600, private_bio, err, err_size);
	if (ok && !write_file(public_path, 0644, public_bio, err, err_size)) {
		unlink(private_path);
		ok = false;
	}
	BIO_free(private_bio);
	BIO_free(public_bio);
	EVP_PKEY_free(pkey);
	return ok;
}

/* Makes the file; one that is there already stays as it is. */
static bool
write_file(const char *path, mode_t mode, BIO *content, char *err, size_t err_size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	char *text;
	long size = BIO_get_mem_data(content, &text);
	bool ok;

	if (fd < 0)
		return fail(
		    err, err_size, "%s: cannot be made: %s.", path, strerror(errno));
	errno = EIO; /* of a write that is cut short */
	ok = write(fd, text, (size_t)size) == size && fsync(fd) == 0;
	ok = close(fd) == 0 && ok;
	if (ok)
		return true;
	fail(err, err_size, "%s: cannot be written: %s.", path, strerror(errno));
	unlink(path);
	return false;
}
