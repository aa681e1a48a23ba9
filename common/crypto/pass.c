#include "crypto/pass.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/uuid.h"
#include "crypto/digest.h"

enum {
	HEADER_MAX = 96,  /* bytes of base64url text */
	CLAIMS_MAX = 128, /* bytes of JSON */
	MAC_TEXT = 43,    /* 32 bytes as base64url */
	FILE_MAX = 4096,
};

struct key {
	uint8_t secret[PASS_SECRET_SIZE];
	char header[HEADER_MAX]; /* as it stands in a pass, with the dot */
	size_t header_size;
	char kid[PASS_KID_MAX + 1];
};

struct pass_keys {
	struct key keys[PASS_KEYS_MAX];
	size_t count;
};

/* --- keys ------------------------------------------------------------------------ */

static bool
is_kid(str s)
{
	if (s.n == 0 || s.n > PASS_KID_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if ((c < '0' || c > '9') && (c < 'a' || c > 'z') &&
		    (c < 'A' || c > 'Z') && c != '-' && c != '_')
			return false;
	}
	return true;
}

static bool
has_kid(const struct pass_keys *keys, str kid)
{
	for (size_t i = 0; i < keys->count; i++)
		if (str_eq(str_of(keys->keys[i].kid), kid))
			return true;
	return false;
}

/* One line; a sentence about what is wrong with it, or NULL. */
static const char *
add_key(struct pass_keys *keys, str line)
{
	struct key *k = &keys->keys[keys->count];
	char json[HEADER_MAX];
	str kid, secret = str_cut(line, ' ', &kid);
	int n;

	if (keys->count == PASS_KEYS_MAX)
		return "has more than 8 keys";
	if (!is_kid(kid) || !hex_decode(secret, k->secret, PASS_SECRET_SIZE))
		return "has a line that is not an id, a space and 64 hex digits";
	if (has_kid(keys, kid))
		return "has two keys with one id";
	memcpy(k->kid, kid.p, kid.n);
	n = snprintf(json, sizeof(json),
	    "{\"alg\":\"HS256\",\"kid\":\"%s\",\"typ\":\"JWT\"}", k->kid);
	k->header_size = base64_encode(json, (size_t)n, k->header);
	k->header[k->header_size++] = '.';
	keys->count++;
	return NULL;
}

struct pass_keys *
pass_keys_parse(str text, char *err, size_t err_size)
{
	struct pass_keys *keys = xcalloc(1, sizeof(*keys));
	const char *why = NULL;
	str line;

	while (text.n > 0 && why == NULL) {
		text = str_cut(text, '\n', &line);
		if (line.n > 0)
			why = add_key(keys, line);
	}
	if (why == NULL && keys->count == 0)
		why = "has no key";
	if (why == NULL)
		return keys;
	snprintf(err, err_size, "The file of pass keys %s.", why);
	pass_keys_free(keys);
	return NULL;
}

struct pass_keys *
pass_keys_load(const char *path, char *err, size_t err_size)
{
	char text[FILE_MAX];
	struct pass_keys *keys;
	FILE *file = fopen(path, "re");
	size_t n;

	if (file == NULL) {
		snprintf(err, err_size, "%s cannot be read: %s", path, strerror(errno));
		return NULL;
	}
	n = fread(text, 1, sizeof(text), file);
	fclose(file);
	keys = pass_keys_parse((str){ text, n }, err, err_size);
	explicit_bzero(text, sizeof(text));
	return keys;
}

void
pass_keys_free(struct pass_keys *keys)
{
	if (keys == NULL)
		return;
	explicit_bzero(keys, sizeof(*keys));
	free(keys);
}

bool
pass_keys_generate(const char *path, char *err, size_t err_size)
{
	uint8_t secret[PASS_SECRET_SIZE];
	char hex[2 * PASS_SECRET_SIZE + 1], id[UUID_TEXT_SIZE];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool ok;

	if (fd < 0) {
		snprintf(err, err_size, "%s cannot be made: %s", path, strerror(errno));
		return false;
	}
	ASSERT(getrandom(secret, sizeof(secret), 0) == sizeof(secret));
	hex_encode(secret, sizeof(secret), hex);
	uuid_format(uuid_new(), id);
	/* The last group of the id is random. */
	ok = dprintf(fd, "k-%.12s %s\n", id + 24, hex) > 0;
	ok = close(fd) == 0 && ok;
	if (!ok)
		snprintf(
		    err, err_size, "%s cannot be written: %s", path, strerror(errno));
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(hex, sizeof(hex));
	return ok;
}

/* --- passes ---------------------------------------------------------------------- */

static struct sha256
mac_of(const struct key *k, str message)
{
	return hmac_sha256((str){ (const char *)k->secret, PASS_SECRET_SIZE }, message);
}

size_t
pass_write(const struct pass_keys *keys, const struct pass *pass, char out[PASS_TEXT_MAX])
{
	const struct key *k = &keys->keys[0];
	char claims[CLAIMS_MAX], *end = mempcpy(out, k->header, k->header_size);
	struct sha256 mac;
	int n = snprintf(claims, sizeof(claims),
	    "{\"exp\":%" PRId64 ",\"line\":%" PRId64 ",\"num\":%" PRId64
	    ",\"sub\":\"%" PRId64 "\"}",
	    pass->expires_s, pass->line, pass->ticket, pass->user_id);

	ASSERT(n > 0 && n < CLAIMS_MAX);
	end += base64_encode(claims, (size_t)n, end);
	mac = mac_of(k, (str){ out, (size_t)(end - out) });
	*end++ = '.';
	end += base64_encode(mac.b, SHA256_SIZE, end);
	return (size_t)(end - out);
}

static bool
take(str *s, str literal)
{
	if (!str_starts(*s, literal))
		return false;
	*s = (str){ s->p + literal.n, s->n - literal.n };
	return true;
}

/* A number within min..INT64_MAX and what must follow it. */
static bool
take_number(str *s, int64_t min, str after, int64_t *out)
{
	size_t n = 0;

	while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
		n++;
	if (!str_to_i64((str){ s->p, n }, min, INT64_MAX, out))
		return false;
	*s = (str){ s->p + n, s->n - n };
	return take(s, after);
}

/* Only what pass_write writes. */
static bool
read_claims(str json, struct pass *p)
{
	return take(&json, STR("{\"exp\":")) &&
	       take_number(&json, 0, STR(",\"line\":"), &p->expires_s) &&
	       take_number(&json, 0, STR(",\"num\":"), &p->line) &&
	       take_number(&json, 1, STR(",\"sub\":\""), &p->ticket) &&
	       take_number(&json, 1, STR("\"}"), &p->user_id) && json.n == 0;
}

/* The key that the header names, byte for byte. */
static const struct key *
key_of(const struct pass_keys *keys, str text)
{
	for (size_t i = 0; i < keys->count; i++) {
		const struct key *k = &keys->keys[i];

		if (str_starts(text, (str){ k->header, k->header_size }))
			return k;
	}
	return NULL;
}

enum pass_verdict
pass_check(const struct pass_keys *keys, str text, int64_t now_s, struct pass *out)
{
	char claims[CLAIMS_MAX];
	uint8_t given[SHA256_SIZE];
	const struct key *k;
	struct sha256 mac;
	size_t signed_size, size;
	str body;

	if (text.n > PASS_TEXT_MAX || text.n < MAC_TEXT + 1)
		return PASS_FORGED;
	signed_size = text.n - MAC_TEXT - 1;
	if (text.p[signed_size] != '.' || (k = key_of(keys, text)) == NULL ||
	    k->header_size > signed_size)
		return PASS_FORGED;
	if (!base64_decode((str){ text.p + signed_size + 1, MAC_TEXT }, given,
		sizeof(given), &size) ||
	    size != SHA256_SIZE)
		return PASS_FORGED;
	mac = mac_of(k, (str){ text.p, signed_size });
	if (!digest_equal(mac.b, given, SHA256_SIZE))
		return PASS_FORGED;
	body = (str){ text.p + k->header_size, signed_size - k->header_size };
	if (!base64_decode(body, claims, sizeof(claims), &size) ||
	    !read_claims((str){ claims, size }, out))
		return PASS_FORGED;
	return out->expires_s <= now_s ? PASS_EXPIRED : PASS_VALID;
}

str
pass_of_authorization(str value)
{
	static const str scheme = STR_INIT("Bearer ");

	if (value.n <= scheme.n || !str_eq_nocase((str){ value.p, scheme.n }, scheme))
		return STR_NULL;
	return (str){ value.p + scheme.n, value.n - scheme.n };
}
